"""Users' mistakes in one line; a bug keeps its traceback."""

import contextlib
import sys

from speechbrain_semamba.utils.interrupts import heeding_interrupts
from speechbrain_semamba.utils.messages import first_line, is_out_of_memory


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
    interrupted = f"{program}: interrupted"
    with heeding_interrupts(interrupted) as interrupts:
        try:
            yield
        except BaseException as error:
            if interrupts or isinstance(error, KeyboardInterrupt):
                print(interrupted, file=sys.stderr)
                raise SystemExit(130) from None
            message = _one_line(error, mistakes)
            if message is None:
                raise
            raise SystemExit(f"{program}: error: {message}") from error


def _one_line(error, mistakes):
    """What to tell the user; None of an error that is none of the user's."""
    if isinstance(error, mistakes):
        # of what a DataLoader's worker raised, the last line is the message
        text = str(error).strip() or type(error).__name__
        return text.splitlines()[-1] if text.startswith("Caught ") else text
    if is_out_of_memory(error):
        return (
            f"out of memory ({first_line(error)}); lower batch_size and raise "
            "grad_accumulation_factor instead, or lower segment_seconds"
        )
    return None
