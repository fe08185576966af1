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


def is_out_of_memory(error):
    """Whether an error says that there is no memory left.

    PyTorch's processors, devices and systems each have words of their own.

    Arguments
    ---------
    error : Exception
        What was raised.

    Returns
    -------
    bool
        True also for a ``MemoryError``.

    Example
    -------
    >>> is_out_of_memory(RuntimeError("CUDA out of memory. Tried to ..."))
    True
    >>> is_out_of_memory(RuntimeError("size mismatch"))
    False
    """
    words = "out of memory", "allocate memory", "enough memory", "bad_alloc"
    return isinstance(error, MemoryError) or any(w in str(error) for w in words)
