"""Checks of arguments that a yaml or a user gives."""

import inspect
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


def check_probability(**numbers):
    """Whether numbers are probabilities.

    Arguments
    ---------
    **numbers : float
        By the names of the arguments.

    Raises
    ------
    ValueError
        If one does not lie in 0 to 1.

    Example
    -------
    >>> check_probability(reverb_prob=1.5)
    Traceback (most recent call last):
    ValueError: reverb_prob must lie in 0 to 1; found 1.5.
    """
    for name, number in numbers.items():
        if not 0 <= number <= 1:
            raise ValueError(f"{name} must lie in 0 to 1; found {number!r}.")


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
