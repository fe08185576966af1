"""Users' mistakes in one line; a bug keeps its traceback."""

import contextlib
import signal
import sys

import torch

from speechbrain_semamba.utils.messages import first_line

#: What says that there was no memory, where the error's type does not
NO_MEMORY = ("DefaultCPUAllocator", "out of memory", "Cannot allocate memory")


@contextlib.contextmanager
def mistakes_in_one_line(program, *mistakes):
    """Ends the process with one line after some errors, Ctrl-C among them.

    Arguments
    ---------
    program : str
        What the line begins with.
    *mistakes : type
        Errors whose message says what the user can do. Of any other, the
        traceback is shown, unless it says that memory was short.

    Yields
    ------
    None

    Raises
    ------
    SystemExit
        With the line as its code; with 130 after Ctrl-C.

    Example
    -------
    >>> try:
    ...     with mistakes_in_one_line("train.py", OSError):
    ...         open("none")
    ... except SystemExit as end:
    ...     print(end.code)
    train.py: error: [Errno 2] No such file or directory: 'none'
    """
    interrupts = []

    def interrupt(number, frame):
        interrupts.append(number)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    except BaseException as error:
        # a library may turn what interrupts it into an error of its own
        if interrupts or isinstance(error, KeyboardInterrupt):
            print(f"{program}: interrupted", file=sys.stderr)
            raise SystemExit(130) from None
        if isinstance(error, mistakes):
            told = _message(error)
        elif is_out_of_memory(error):
            told = (
                f"out of memory ({first_line(error)}); lower batch_size and "
                "raise grad_accumulation_factor instead, or lower "
                "segment_seconds"
            )
        else:
            raise
        raise SystemExit(f"{program}: error: {told}") from error
    finally:
        signal.signal(signal.SIGINT, before)


def is_out_of_memory(error):
    """Whether an error says that there was not enough memory.

    Arguments
    ---------
    error : Exception
        What was raised.

    Returns
    -------
    bool
        True for that of a GPU, of PyTorch on the CPU, and of Python.

    Example
    -------
    >>> try:
    ...     torch.empty(2**56, dtype=torch.int8)
    ... except RuntimeError as error:
    ...     is_out_of_memory(error)
    True
    >>> is_out_of_memory(RuntimeError("shapes differ"))
    False
    """
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(
        words in str(error) for words in NO_MEMORY
    )


def _message(error):
    """What an error says; of a DataLoader's worker's, the last line."""
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[-1] if text.startswith("Caught ") else text
