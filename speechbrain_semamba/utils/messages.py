"""Errors in one line."""


def first_line(error):
    """The first line of an error's message, or its type if it has none.

    Arguments
    ---------
    error : Exception
        What was raised.

    Returns
    -------
    str
        Without a line break.

    Example
    -------
    >>> first_line(ValueError("one\\ntwo")), first_line(KeyError())
    ('one', 'KeyError')
    """
    return (str(error) or type(error).__name__).splitlines()[0]
