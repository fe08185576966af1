"""What a user's words stand for: files, folders, patterns, pipes."""

import glob
import os
import re
import stat
from dataclasses import dataclass
from typing import Optional

import soundfile

from speechbrain_semamba.dataio.audio_folders import list_audio_files
from speechbrain_semamba.dataio.audio_formats import ENDINGS, format_of

#: Words for the standard input
STDIN = "-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"


@dataclass(frozen=True)
class Input:
    """A file to enhance.

    Arguments
    ---------
    path : str
        Its name, as the user would write it.
    place : str
        Where it belongs below an output folder.
    folder : str
        The input folder that it was found in; None of a file that the user
        named.
    is_pipe : bool
        Whether it can be read only once and from begin to end.
    """

    path: str
    place: str
    folder: Optional[str] = None
    is_pipe: bool = False


def audio_endings():
    """Endings of the files that are looked for in folders.

    Returns
    -------
    tuple of str
        In lower case.

    Example
    -------
    >>> {".wav", ".flac", ".mp3", ".opus"} <= set(audio_endings())
    True
    >>> ".raw" in audio_endings()
    False
    """
    names = [*soundfile.available_formats(), *ENDINGS]
    dotted = (f".{name.lower()}" for name in names)
    return tuple(ending for ending in dotted if format_of(f"a{ending}"))


def find_inputs(words):
    """Finds the files that a user's words stand for.

    Arguments
    ---------
    words : list of str
        Names of files and folders, "-" for the standard input, or patterns
        such as "data/**/*.wav". What exists is a name, never a pattern.

    Returns
    -------
    list of Input
        In order of the words, each file once.

    Raises
    ------
    OSError
        If there is no such file, or it may not be read.
    ValueError
        If a folder or a pattern holds no audio file.

    Example
    -------
    >>> folder = getfixture("tmp_path")
    >>> (folder / "p226").mkdir()
    >>> (folder / "p226" / "a.wav").touch()
    >>> [found.place for found in find_inputs([str(folder)])]
    ['p226/a.wav']
    >>> [found.place for found in find_inputs([f"{folder}/*/*.wav"])]
    ['p226/a.wav']
    """
    found = {}
    for word in words:
        for item in _find(word):
            found.setdefault((_identity(item), item.place), item)
    _check_readable(found.values())
    return list(found.values())


def _find(word):
    if word in STDIN:
        return [Input(word, "stdin.wav", is_pipe=True)]
    if os.path.isdir(word):
        return _in_folder(word, word)
    if os.path.exists(word):
        mode = os.stat(word).st_mode
        if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
            return [Input(word, os.path.basename(word), is_pipe=True)]
        if not stat.S_ISREG(mode):
            raise ValueError(f"{word} is neither a file nor a folder or pipe")
        return [Input(word, os.path.basename(word))]
    if glob.has_magic(word) and not os.path.islink(word):
        return _in_pattern(word)
    raise FileNotFoundError(
        f"there is no file {word}"
        + (", it is a link to nowhere" if os.path.islink(word) else "")
    )


def _in_folder(folder, base):
    paths = list_audio_files(folder, audio_endings())
    if not paths:
        raise ValueError(
            f"there is no audio file in the folder {folder}; those looked for "
            "are named .wav, .flac, .mp3 and so on"
        )
    return [Input(str(p), _below(base, str(p)), folder) for p in paths]


def _in_pattern(pattern):
    """The tree is kept below the part before the first star or so."""
    base = re.split(r"[^/]*[*?[]", pattern, maxsplit=1)[0] or os.curdir
    is_deep = "**" in pattern
    found = []
    for path in sorted(glob.glob(pattern, recursive=True)):
        if os.path.isfile(path) and path.lower().endswith(audio_endings()):
            folder = base if is_deep else None
            found.append(Input(path, _below(base, path), folder))
        elif os.path.isdir(path) and not is_deep:
            found += _in_folder(path, base)
    if not found:
        raise FileNotFoundError(
            f"there is no file {pattern}, and as a pattern it matches no "
            "audio file"
        )
    return found


def _below(base, path):
    place = os.path.relpath(path, base)
    is_above = place.split(os.sep)[0] == os.pardir
    return os.path.basename(path) if is_above else place


def _identity(item):
    """The same for all names of a file."""
    if item.is_pipe:
        return item.path
    stats = os.stat(item.path)
    return stats.st_dev, stats.st_ino


def _check_readable(items):
    for item in items:
        if item.path not in STDIN and not os.access(item.path, os.R_OK):
            raise PermissionError(f"{item.path} may not be read by this user")
