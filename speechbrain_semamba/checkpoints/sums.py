"""Checksums that tell whether a checkpoint's files are as they were saved."""

import errno
import functools
import hashlib
import json
import os
import zipfile
from pathlib import Path

import yaml
from speechbrain.utils.checkpoints import METAFNAME, PARAMFILE_EXT

SUMS = "sums.json"


def find_damage(folder):
    """What is wrong with the files of a checkpoint.

    The answer is kept until a file is another one by its name, size or time.

    Arguments
    ---------
    folder : str
        The checkpoint's folder. Without ``sums.json`` in it, there is less
        to compare with.

    Returns
    -------
    str
        The reason in words, None if the checkpoint is whole.

    Example
    -------
    >>> find_damage(getfixture("tmp_path"))
    'CKPT.yaml is missing'
    """
    folder = Path(folder)
    try:
        stats = [(str(file), file.stat()) for file in _files(folder)]
        stamps = tuple((n, s.st_size, s.st_mtime_ns) for n, s in stats)
        return _find_damage(folder, stamps)
    except OSError as error:
        return f"it cannot be read, {error}"


@functools.lru_cache(maxsize=256)
def _find_damage(folder, stamps):
    """``find_damage`` of the files that have these names, sizes and times."""
    if (folder / SUMS).exists():
        return _sums_damage(folder) or find_meta_damage(folder)
    for file in sorted(folder.glob(f"*{PARAMFILE_EXT}")):
        if is_cut_short(file):
            return f"{file.name} is cut short"
    return find_meta_damage(folder)


def is_cut_short(file):
    """Whether the end is missing of what ``torch.save`` wrote.

    Arguments
    ---------
    file : pathlib.Path
        Its files are archives, whose index comes last; others count as whole.

    Returns
    -------
    bool
        True if there is no index.

    Example
    -------
    >>> import torch
    >>> file = getfixture("tmp_path") / "a.ckpt"
    >>> torch.save(torch.zeros(9), file)
    >>> whole = is_cut_short(file)
    >>> _ = file.write_bytes(file.read_bytes()[:-9])
    >>> whole, is_cut_short(file)
    (False, True)
    """
    with open(file, "rb") as stream:
        is_archive = stream.read(4) == b"PK\x03\x04"
    return is_archive and not zipfile.is_zipfile(file)


def _sums_damage(folder):
    """The first file that is not as sums.json says."""
    try:
        sums = json.loads((folder / SUMS).read_text(encoding="utf-8"))
        sums = {n: (s["bytes"], s["sha256"]) for n, s in sums.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"{SUMS} is unreadable"
    if METAFNAME not in sums:
        return f"{SUMS} is incomplete"
    for name, (size, digest) in sums.items():
        file = folder / name
        if not file.is_file():
            return f"{name} is missing"
        if file.stat().st_size != size:
            return f"{name} has {file.stat().st_size} bytes instead of {size}"
        if _digest(file) != digest:
            return f"{name} has another checksum"
    return None


def find_meta_damage(folder):
    """Why SpeechBrain could not use a checkpoint's CKPT.yaml.

    Arguments
    ---------
    folder : pathlib.Path
        The checkpoint's folder.

    Returns
    -------
    str
        The reason in words, None if it could.

    Example
    -------
    >>> folder = getfixture("tmp_path")
    >>> _ = (folder / "CKPT.yaml").write_text("end-of-epoch: true")
    >>> find_meta_damage(folder)
    'CKPT.yaml does not say unixtime'
    """
    if not (folder / METAFNAME).is_file():
        return f"{METAFNAME} is missing"
    try:
        text = (folder / METAFNAME).read_text(encoding="utf-8")
        meta = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        return f"{METAFNAME} is unreadable"
    if not isinstance(meta, dict) or "end-of-epoch" not in meta:
        return f"{METAFNAME} does not say end-of-epoch"
    if not isinstance(meta.get("unixtime"), (int, float)):
        return f"{METAFNAME} does not say unixtime"
    return None


def seal(folder):
    """Brings a folder to the disk, with the checksums of its files.

    Arguments
    ---------
    folder : pathlib.Path
        The checkpoint's folder, complete; it gets ``sums.json``.

    Raises
    ------
    OSError
        If a file is not whole: ``torch.save`` of PyTorch 2.7 says nothing of
        a last buffer that did not reach a full disk.

    Example
    -------
    >>> folder = getfixture("tmp_path")
    >>> _ = (folder / "CKPT.yaml").write_text("end-of-epoch: true\\nunixtime: 1")
    >>> seal(folder)
    >>> _ = (folder / "CKPT.yaml").write_text("end-of-epoch: true\\nunixtime: 2")
    >>> find_damage(folder)
    'CKPT.yaml has another checksum'
    """
    sums = {}
    for file in _files(folder):
        sync(file)
        if is_cut_short(file):
            raise OSError(f"{file.name} is cut short; the disk may be full")
        name = file.relative_to(folder).as_posix()
        sums[name] = {"bytes": file.stat().st_size, "sha256": _digest(file)}
    text = json.dumps(sums, indent=1) + "\n"
    (folder / SUMS).write_text(text, encoding="utf-8")
    sync(folder / SUMS)
    for inner in [*folder.rglob("*"), folder]:
        if inner.is_dir():
            sync(inner)


def _files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _digest(file):
    digest = hashlib.sha256()
    with open(file, "rb") as opened:
        for block in iter(lambda: opened.read(2**20), b""):
            digest.update(block)
    return digest.hexdigest()


def sync(path):
    """Waits until a file or a folder's list of names is on the disk.

    Arguments
    ---------
    path : pathlib.Path
        The file or folder.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # some network file systems cannot do that for folders
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
