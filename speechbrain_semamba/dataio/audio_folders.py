"""The audio files of a folder."""

import os
from pathlib import Path

#: Of the files of a corpus
CORPUS_ENDINGS = ".wav", ".flac"


def list_audio_files(folder, endings=CORPUS_ENDINGS):
    """Lists the audio files of a folder and of all folders in it.

    Names that start with a dot are no speech: macOS puts such files into
    archives, notebooks keep copies in such folders, and unfinished files
    carry such names here. Links are followed, but not to a folder above them.

    Arguments
    ---------
    folder : str
        Where to look; it need not exist.
    endings : tuple of str
        In lower case; those of the files to list.

    Returns
    -------
    list of pathlib.Path
        Its files with such endings, in any case, sorted.

    Raises
    ------
    OSError
        If a folder cannot be read.

    Example
    -------
    >>> folder = getfixture("tmp_path")
    >>> for name in ("p226", ".ipynb_checkpoints"):
    ...     (folder / name).mkdir()
    >>> names = "b.WAV", "p226/a.flac", "._a.flac", ".ipynb_checkpoints/b.WAV"
    >>> for name in (*names, "a.txt"):
    ...     (folder / name).touch()
    >>> [path.name for path in list_audio_files(folder)]
    ['b.WAV', 'a.flac']
    """
    paths = []
    for place, folders, names in os.walk(folder, True, _heed, True):
        folders[:] = [
            name
            for name in folders
            if name[0] != "." and not _leads_up(place, name)
        ]
        paths += [
            Path(place, name)
            for name in names
            if name.lower().endswith(endings) and name[0] != "."
        ]
    return sorted(paths)


def _heed(error):
    """``os.walk`` alone would pass over what it cannot read."""
    if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
        raise error


def _leads_up(place, name):
    """Whether a folder is a link to one that it lies in."""
    path = os.path.join(place, name)
    if not os.path.islink(path):
        return False
    real = os.path.realpath(path)
    return is_inside(os.path.realpath(place), real)


def is_inside(path, folder):
    """Whether a path is a folder, or lies in it.

    Arguments
    ---------
    path, folder : str
        Both without links, as ``os.path.realpath`` gives them.

    Returns
    -------
    bool
        By their names alone.

    Example
    -------
    >>> is_inside("/a/b/c", "/a/b"), is_inside("/a/bc", "/a/b")
    (True, False)
    """
    return path == folder or path.startswith(os.path.join(folder, ""))
