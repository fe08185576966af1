"""Audio through pipes, which cannot seek: by way of temporary files."""

import os
import shutil
import sys
import tempfile

from speechbrain_semamba.inference.folders.inputs import STDIN


def spool_in(path, stack):
    """Copies what comes through a pipe into a file.

    Arguments
    ---------
    path : str
        A named pipe, or a word for the standard input.
    stack : contextlib.ExitStack
        At whose end the file is removed.

    Returns
    -------
    str
        Its name.

    Raises
    ------
    ValueError
        If nothing comes, or a terminal is to type it.
    OSError
        If the disk is full.
    """
    if path in STDIN and sys.stdin is None:
        raise ValueError(f"{path} is closed; send audio through a pipe")
    name = os.path.join(spool_folder(stack), "in")
    source = 0 if path in STDIN else path
    pipe = open(source, "rb", closefd=source != 0)
    with pipe, open(name, "wb") as file:
        if pipe.isatty():
            raise ValueError(f"{path} is a terminal; send audio through a pipe")
        shutil.copyfileobj(pipe, file, 2**20)
        if file.tell() == 0:
            raise ValueError(f"{path} is empty: the pipe ended at once")
    return name


def spool_folder(stack):
    """A folder for what goes through a pipe.

    Arguments
    ---------
    stack : contextlib.ExitStack
        At whose end it is removed.

    Returns
    -------
    str
        Its name.

    Example
    -------
    >>> from contextlib import ExitStack
    >>> with ExitStack() as stack:
    ...     os.listdir(spool_folder(stack))
    []
    """
    folder = tempfile.TemporaryDirectory(prefix="semamba-")
    return stack.enter_context(folder)


def check_stdout():
    """Whether the standard output can be given a file of sound.

    Raises
    ------
    ValueError
        If it is a terminal, or closed.
    """
    if sys.stdout is None:
        raise ValueError("-o - writes sound to stdout, which is closed")
    if sys.stdout.isatty():
        raise ValueError(
            "-o - writes sound to stdout, which is a terminal here; send it "
            "through a pipe or into a file"
        )


def spool_out(name):
    """Sends a file to the standard output.

    Arguments
    ---------
    name : str
        The file.

    Raises
    ------
    BrokenPipeError
        If whoever reads the output has gone.
    """
    try:
        with open(name, "rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer, 2**20)
        sys.stdout.buffer.flush()
    except BrokenPipeError as error:
        raise BrokenPipeError("the reader of the output has gone") from error
