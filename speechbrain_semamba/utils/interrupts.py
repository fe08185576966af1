"""Ctrl-C that ends a command at once, also amid its imports."""

import contextlib
import os
import signal


@contextlib.contextmanager
def heeding_interrupts(message):
    """Has Ctrl-C raise ``KeyboardInterrupt``, but end an import for good.

    Within an import the exception may be lost: libraries that do without a
    package catch what importing it raises, and go on half-imported.

    Arguments
    ---------
    message : str
        What stderr gets when an import is ended.

    Yields
    ------
    list
        Empty until Ctrl-C came: a library may turn what interrupts it into an
        error of its own. Outside the main thread, and where the process has
        another way with Ctrl-C (``nohup`` ignores it), nothing is changed.

    Example
    -------
    >>> with heeding_interrupts("interrupted") as received:
    ...     import math
    >>> received
    []
    """
    received = []

    def heed(number, frame):
        received.append(number)
        while frame is not None:
            if frame.f_code.co_filename.startswith("<frozen importlib"):
                os.write(2, f"{message}\n".encode())
                os._exit(128 + number)  # nothing is under way yet
            frame = frame.f_back
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    if before in (signal.default_int_handler, signal.SIG_DFL):
        with contextlib.suppress(ValueError):  # raised outside the main thread
            signal.signal(signal.SIGINT, heed)
    try:
        yield received
    finally:
        if signal.getsignal(signal.SIGINT) is heed:
            signal.signal(signal.SIGINT, before)
