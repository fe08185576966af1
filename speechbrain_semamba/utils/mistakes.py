"""Users' mistakes in one line; a bug keeps its traceback."""

import contextlib
import sys

from speechbrain_semamba.utils.interrupts import heeding_interrupts
from speechbrain_semamba.utils.messages import (
    Faults,
    first_line,
    is_out_of_memory,
)

#: Errors whose message says what the user can do
MISTAKES = ImportError, OSError, ValueError


@contextlib.contextmanager
def mistakes_in_one_line(program, *mistakes, if_short=""):
    """Ends the process with one line after some errors, Ctrl-C among them.

    Arguments
    ---------
    program : str
        What the line begins with.
    *mistakes : type
        Errors whose message says what the user can do. Of any other, the
        traceback is shown, unless it says that memory was short.
    if_short : str
        What the user can do if memory was short.

    Yields
    ------
    None

    Raises
    ------
    SystemExit
        With the line as its code, or the lines of ``Faults``; with 130 after
        Ctrl-C.

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
            message = _message(error, mistakes, if_short)
            if message is None:
                raise
            raise SystemExit(f"{program}: error: {message}") from error


def _message(error, mistakes, if_short):
    """What to tell the user; None of an error that is none of the user's."""
    if isinstance(error, mistakes):
        if isinstance(error, Faults):
            return str(error)
        if str(error).startswith("Caught "):
            # what a DataLoader's worker raised: its message comes last
            return str(error).strip().splitlines()[-1]
        return first_line(error)
    if is_out_of_memory(error):
        way_out = f"; {if_short}" if if_short else ""
        return f"out of memory ({first_line(error)}){way_out}"
    return None
