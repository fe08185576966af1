"""Work of the main process whose failure all processes hear of."""

from speechbrain.utils.distributed import main_process_only


def call_on_main(function, *args):
    """Calls a function on the main process, for all processes.

    SpeechBrain's ``main_process_only`` alone would leave the others waiting
    for a result if the call fails.

    Arguments
    ---------
    function : callable
        What to call; its result must be picklable.
    *args
        Its arguments.

    Returns
    -------
    object
        The result, on every process.

    Raises
    ------
    OSError, RuntimeError
        On the other processes, if the function raised an OSError or anything
        else; on the main process, what it raised.

    Example
    -------
    >>> call_on_main(max, 1, 2)
    2
    """
    failure = None

    def attempt():
        nonlocal failure
        try:
            return function(*args), None, False
        except Exception as error:
            failure = error
            return None, first_line(error), isinstance(error, OSError)

    result, message, is_os_error = main_process_only(attempt)()
    if failure is not None:
        raise failure
    if message is not None:
        raise (OSError if is_os_error else RuntimeError)(message)
    return result


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
