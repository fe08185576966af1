"""Pairs of a clean and a noisy file: found, read, and checked as a whole."""

from pathlib import Path
from typing import NamedTuple

from speechbrain_semamba.dataio.audio_folders import list_audio_files
from speechbrain_semamba.dataio.audio_headers import (
    file_id,
    raise_faults,
    read_headers,
)


class Pair(NamedTuple):
    """Two mono files of one rate and length.

    Arguments
    ---------
    clean : pathlib.Path
        The clean half.
    noisy : pathlib.Path
        The noisy half.
    frames : int
        Samples of each.
    rate : int
        In Hz.
    """

    clean: Path
    noisy: Path
    frames: int
    rate: int


def read_pairs(folders):
    """Pairs the files of two folders by name, for every set of a corpus.

    Files may lie in sub-folders, the same in both halves; a file's id is its
    path below its half without the ending. Only headers are read.

    Arguments
    ---------
    folders : dict
        For each set, such as train and test, its clean and its noisy folder.

    Returns
    -------
    dict
        For each set, its pairs by id, sorted.

    Raises
    ------
    ValueError
        If folders are missing or empty, or files are alone, unreadable,
        empty, not mono or not like their other half. All of them are counted
        in one error, which lists the first 20.

    Example
    -------
    >>> import torch
    >>> from speechbrain_semamba.dataio.audio_files import write_audio_file
    >>> folder = getfixture("tmp_path")
    >>> for half in ("clean", "noisy"):
    ...     (folder / half).mkdir()
    ...     path = folder / half / "a.wav"
    ...     write_audio_file(path, torch.zeros(1, 100), 16000)
    >>> halves = folder / "clean", folder / "noisy"
    >>> pairs = read_pairs({"train": halves})["train"]
    >>> pairs["a"].noisy.name, pairs["a"].frames, pairs["a"].rate
    ('a.wav', 100, 16000)
    """
    pairs, faults = {}, []
    for name, halves in folders.items():
        pairs[name] = _match(*map(Path, halves), faults)
    raise_faults(
        faults,
        "Each file needs another half of the same name, rate and length, both "
        "mono and readable: mend these pairs or remove both halves.",
    )
    return pairs


def _match(clean_folder, noisy_folder, faults):
    """Returns {id: Pair} of two folders and adds what is wrong."""
    halves = clean_folder, noisy_folder
    absent = [folder for folder in halves if not folder.is_dir()]
    if absent:
        faults += [f"{folder}: no such folder" for folder in absent]
        return {}
    clean, noisy = (_read_folder(folder, faults) for folder in halves)
    if not clean and not noisy:
        faults.append(f"{clean_folder}: no .wav or .flac file")
    for key in sorted(clean.keys() ^ noisy.keys()):
        faults.append(f"{halves[key in clean] / key}: missing")
    pairs = {}
    for key in sorted(clean.keys() & noisy.keys()):
        (clean_path, header), (noisy_path, other) = clean[key], noisy[key]
        if header is None or other is None:
            continue
        shape = header.frames, header.sample_rate
        if shape != (other.frames, other.sample_rate):
            faults.append(
                f"{noisy_path}: {other.frames} samples at "
                f"{other.sample_rate} Hz, but its clean half has "
                f"{header.frames} at {header.sample_rate} Hz"
            )
        pairs[key] = Pair(clean_path, noisy_path, *shape)
    return pairs


def _read_folder(folder, faults):
    """Returns {id: (path, header or None)} and adds what is wrong."""
    paths = list_audio_files(folder)
    headers = {}
    for path, (header, fault) in zip(
        paths, read_headers(paths, f"Checking {folder.name}")
    ):
        key = file_id(path, folder)
        if key in headers:
            fault = f"same name as {headers[key][0].name}"
        if fault:
            faults.append(f"{path}: {fault}")
        headers[key] = path, header
    return headers
