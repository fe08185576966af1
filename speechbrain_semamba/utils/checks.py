"""Checks of arguments that a yaml or a user gives."""

import inspect


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


def check_keywords(name, function, keywords):
    """Whether a function takes the arguments that it will be called with.

    Arguments
    ---------
    name : str
        What to call them in an error, such as a yaml's key.
    function : callable
        The function or class.
    keywords : dict
        Some of its arguments.

    Raises
    ------
    ValueError
        If it takes no argument of a name.

    Example
    -------
    >>> check_keywords("sorting", sorted, {"key": len, "size": 3})
    Traceback (most recent call last):
    ValueError: sorting: sorted() got an unexpected keyword argument 'size'
    """
    try:
        inspect.signature(function).bind_partial(**keywords)
    except TypeError as error:
        raise ValueError(f"{name}: {function.__name__}() {error}") from error
