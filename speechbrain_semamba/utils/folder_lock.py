"""A folder that one run at a time may write to."""

import contextlib
import errno
import logging
import os
import socket
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

logger = logging.getLogger(__name__)
NAME = ".lock"


@contextlib.contextmanager
def folder_lock(folder):
    """Keeps other processes from a folder that this one writes to.

    The system holds the lock for this process alone: it ends with the
    process, however that ends, and its workers do not inherit it.

    Arguments
    ---------
    folder : str
        The folder; it is made if need be. The file ``.lock`` in it stays.

    Yields
    ------
    None

    Raises
    ------
    BlockingIOError
        If another process has it; says which.

    Example
    -------
    >>> with folder_lock(getfixture("tmp_path") / "run"):
    ...     pass
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    path = Path(folder) / NAME
    # not truncated: who has it has written into it
    with open(path, "a+", encoding="utf-8") as file:
        _lock(file, folder)
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        yield


def _lock(file, folder):
    """Takes the lock, or raises what says who has it."""
    if fcntl is None:
        return
    try:
        # POSIX's lock rather than flock's: a forked worker shares flock's
        # and would keep it, and POSIX's holds between the machines of NFS
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):
            file.seek(0)
            owner = file.read().strip() or "another process"
            raise BlockingIOError(
                f"{folder} is being written to by {owner}; wait for its end, "
                "or name another output_folder"
            ) from error
        if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP):
            raise
        logger.warning(
            "%s cannot be locked (%s): see to it that no other run writes to it",
            folder,
            error.strerror,
        )
