"""Files of several folders put together by name: clean, noisy, enhanced."""

from pathlib import Path
from typing import NamedTuple

from speechbrain_semamba.dataio.audio_folders import list_audio_files
from speechbrain_semamba.dataio.audio_headers import file_id


class Pairing(NamedTuple):
    """What several folders have in common.

    Arguments
    ---------
    files : dict
        For each name that all folders hold, sorted, its paths by kind.
    missing : dict
        For each kind the names that another folder holds and its does not.
    """

    files: dict
    missing: dict


def pair_files(folders):
    """Pairs files by their path below their folder, without the ending.

    Arguments
    ---------
    folders : dict
        Folder of each kind, such as clean, enhanced and noisy.

    Returns
    -------
    Pairing
        What they have in common, and what they have not.

    Raises
    ------
    ValueError
        If two files of a folder differ in their ending alone, or no name is
        in all of the folders.

    Example
    -------
    >>> folder = getfixture("tmp_path")
    >>> for name in ("clean/a.wav", "clean/b.wav", "enhanced/a.flac"):
    ...     (folder / name).parent.mkdir(exist_ok=True)
    ...     (folder / name).touch()
    >>> halves = {"clean": folder / "clean", "enhanced": folder / "enhanced"}
    >>> files, missing = pair_files(halves)
    >>> files["a"]["enhanced"].name, missing
    ('a.flac', {'clean': [], 'enhanced': ['b']})
    """
    found = {kind: _files_by_name(Path(path)) for kind, path in folders.items()}
    for kind, files in found.items():
        if not files:
            raise ValueError(
                f"the folder of {kind} files, {folders[kind]}, holds no .wav "
                "or .flac file; name another"
            )
    names = sorted(set().union(*found.values()))
    missing = {
        kind: [name for name in names if name not in files]
        for kind, files in found.items()
    }
    common = [name for name in names if all(name in f for f in found.values())]
    if not common:
        examples = ", ".join(
            f"{min(files)!r} ({kind})" for kind, files in found.items()
        )
        raise ValueError(
            "files are paired by their path below their folder without the "
            f"ending, but no name is in all folders: {examples}; rename them"
        )
    files = {n: {kind: f[n] for kind, f in found.items()} for n in common}
    return Pairing(files, missing)


def _files_by_name(folder):
    files = {}
    for path in list_audio_files(folder):
        other = files.setdefault(file_id(path, folder), path)
        if other is not path:
            raise ValueError(
                f"a name is one file's, but there are {other} and {path}; "
                "remove one of them"
            )
    return files
