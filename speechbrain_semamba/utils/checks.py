"""Checks of arguments that a yaml or a user gives."""

from numbers import Integral

#: In Hz; what microphones and files have
LOWEST_RATE, HIGHEST_RATE = 1000, 384_000


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


def check_rates(*rates):
    """Whether rates are ones that audio has.

    Arguments
    ---------
    *rates : int
        In Hz, from 1,000 to 384,000.

    Raises
    ------
    ValueError
        If one is not.

    Example
    -------
    >>> check_rates(16000, 0)
    Traceback (most recent call last):
    ValueError: a sample rate must lie in 1,000 to 384,000 Hz, found 0
    """
    for rate in rates:
        if not isinstance(rate, Integral):
            raise ValueError(
                f"a sample rate is a whole number of Hz, found {rate!r}"
            )
        if not LOWEST_RATE <= rate <= HIGHEST_RATE:
            raise ValueError(
                f"a sample rate must lie in {LOWEST_RATE:,} to "
                f"{HIGHEST_RATE:,} Hz, found {rate:,}"
            )
