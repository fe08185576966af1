"""Files and folders that are never half-written under their own name."""

import contextlib
import json
import os
import re
import shutil
import socket
import tempfile
import threading
import zlib
from pathlib import Path


@contextlib.contextmanager
def whole_file(path):
    """A path to write to; the file gets its name only when it is complete.

    Arguments
    ---------
    path : str
        The file; its folder exists.

    Yields
    ------
    pathlib.Path
        A hidden name beside it with the same ending. What is there after an
        error is deleted.

    Raises
    ------
    IsADirectoryError
        If the name is that of a folder.

    Example
    -------
    >>> path = getfixture("tmp_path") / "a.txt"
    >>> with whole_file(path) as partial:
    ...     _ = partial.write_text("whole")
    ...     path.exists()
    False
    >>> path.read_text()
    'whole'
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; name a file")
    partial = _partial_name(path)
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextlib.contextmanager
def whole_folder(path):
    """A folder to fill, which gets its name only when it is complete.

    Arguments
    ---------
    path : str
        The folder; one that is there already is replaced.

    Yields
    ------
    pathlib.Path
        An empty hidden folder beside it. What is there after an error is
        deleted.

    Example
    -------
    >>> path = getfixture("tmp_path") / "model"
    >>> with whole_folder(path) as partial:
    ...     _ = (partial / "a.txt").write_text("whole")
    >>> [file.name for file in path.iterdir()]
    ['a.txt']
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _partial_name(path)
    replaced = partial.with_name(f"{partial.name}-replaced")
    try:
        partial.mkdir()
        yield partial
        if path.exists():
            os.replace(path, replaced)
        os.replace(partial, path)
    finally:
        for leftover in (partial, replaced):
            shutil.rmtree(leftover, ignore_errors=True)


def check_file_name(path):
    """Whether a file of this name can be written, before the work is done.

    Arguments
    ---------
    path : str
        The name.

    Raises
    ------
    OSError
        If the folder is not there or cannot be written to, or the name is
        that of a folder or too long.

    Example
    -------
    >>> check_file_name(getfixture("tmp_path") / "a.txt")
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent}")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; name a file")
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise OSError(
            f"{path.parent} cannot be written to: {error.strerror}"
        ) from error


def check_new_file(path, overwrite):
    """``check_file_name``, and whether a file that is there may be replaced.

    Arguments
    ---------
    path : str
        The name.
    overwrite : bool
        Whether it may.

    Raises
    ------
    FileExistsError
        If it may not.
    OSError
        As ``check_file_name``.

    Example
    -------
    >>> check_new_file(getfixture("tmp_path") / "a.txt", overwrite=False)
    """
    check_file_name(path)
    if Path(path).exists() and not overwrite:
        raise FileExistsError(
            f"{path} exists already; name another file, or replace it with "
            "--overwrite"
        )


def write_json(path, content):
    """Writes JSON such that the path never holds half of it.

    Arguments
    ---------
    path : str
        The file; its folder is made if need be.
    content : dict
        What it shall hold.

    Example
    -------
    >>> path = getfixture("tmp_path") / "a.json"
    >>> write_json(path, {"n": 2})
    >>> json.loads(path.read_text())
    {'n': 2}
    """
    write_text(path, json.dumps(content, indent=2) + "\n")


def write_text(path, text):
    """Writes a text file such that the path never holds half of it.

    Arguments
    ---------
    path : str
        The file; its folder is made if need be.
    text : str
        What it shall hold.

    Example
    -------
    >>> path = getfixture("tmp_path") / "new" / "a.txt"
    >>> write_text(path, "whole")
    >>> path.read_text(), len(list(path.parent.iterdir()))
    ('whole', 1)
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def remove_leftovers(folder):
    """Removes the files that killed processes of this machine left unfinished.

    Arguments
    ---------
    folder : str
        Where they wrote. What a process that runs, or one of another
        machine, has in work is not touched, and no folder.

    Example
    -------
    >>> folder = getfixture("tmp_path")
    >>> with whole_file(folder / "a.txt") as partial:
    ...     _ = partial.write_text("whole")
    ...     remove_leftovers(folder)
    >>> [path.name for path in folder.iterdir()]
    ['a.txt']
    """
    pattern = re.compile(rf"\.partial-{_machine()}-(\d+)-\d+.*")
    for name in os.listdir(folder):
        match = pattern.fullmatch(name)
        if match and not _may_run(int(match[1])):
            with contextlib.suppress(OSError):  # another one removes it too
                os.remove(os.path.join(folder, name))


def _may_run(pid):
    if os.name == "nt":  # where to ask would be to kill
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def _machine():
    """Of this machine among those that share a disk, in few letters."""
    return f"{zlib.crc32(socket.gethostname().encode()):08x}"


def _partial_name(path):
    """Of this process and thread alone, and short: names have a limit."""
    writer = f"{_machine()}-{os.getpid()}-{threading.get_ident()}"
    # the ending tells a format, unless it is a long name's end after a dot
    ending = path.suffix if len(path.suffix) < 16 else ""
    return path.with_name(f".partial-{writer}{ending}")
