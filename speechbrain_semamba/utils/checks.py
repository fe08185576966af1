"""Checks of arguments that a yaml or a user gives."""


def check_counts(**numbers):
    """Whether numbers count something.

    Arguments
    ---------
    **numbers : int
        By the names of the arguments.

    Raises
    ------
    ValueError
        If one is not a whole number from 1 on.

    Example
    -------
    >>> check_counts(channels=64, num_blocks=0)
    Traceback (most recent call last):
    ValueError: num_blocks must be a whole number from 1 on, found 0
    """
    for name, number in numbers.items():
        whole = isinstance(number, int) and not isinstance(number, bool)
        if not whole or number < 1:
            raise ValueError(
                f"{name} must be a whole number from 1 on, found {number!r}"
            )
