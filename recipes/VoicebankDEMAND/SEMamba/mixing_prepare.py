"""Manifests of clean speech, and lists of noises and rooms, to be mixed.

The mixing itself is done anew in every epoch, by
``speechbrain_semamba.dataio.mixing.DynamicMixer``.
"""

import csv
import io
import logging
from pathlib import Path
from typing import NamedTuple

from speechbrain_semamba.dataio.audio_folders import list_audio_files
from speechbrain_semamba.dataio.audio_headers import (
    file_id,
    raise_faults,
    read_headers,
)
from speechbrain_semamba.dataio.manifests import (
    check_shares,
    place_below,
    split_shares,
    write_manifest,
)
from speechbrain_semamba.dataio.prepare_record import PrepareRecord, fingerprint
from speechbrain_semamba.dataio.resampled_files import resample_files
from speechbrain_semamba.utils.whole_files import write_text

logger = logging.getLogger(__name__)

SETS = ("train", "valid", "test")


class Sound(NamedTuple):
    """A mono file: where it lies, its samples, its rate in Hz."""

    path: Path
    frames: int
    rate: int


def prepare_mixing(
    clean_folder,
    noise_folder,
    rir_folder,
    save_folder,
    train_json,
    valid_json,
    test_json,
    sample_rate=16000,
    valid_share=0.05,
    test_share=0.05,
    seed=1234,
    num_workers=None,
    skip_prep=False,
):
    """Checks sounds to be mixed, resamples them, writes manifests and lists.

    All files may lie in sub-folders. An utterance's id is its path below
    ``clean_folder`` without the ending; its entry in a manifest holds
    ``clean_wav`` (a path below ``{data_root}``) and ``length`` (seconds).
    ``save_folder`` gets ``noise_train.csv``, ``noise_valid.csv``,
    ``noise_test.csv`` and the same for ``rir``, in the form of SpeechBrain's
    ``AddNoise`` and ``AddReverb``, with absolute paths. Validation and test
    hear noises and rooms that training did not; if there are too few, all
    sets share them, with a warning. Without ``rir_folder``, the lists of
    rooms are empty, and ``DynamicMixer`` adds no reverberation.

    If one of a kind has another rate than ``sample_rate``, all of its kind
    are resampled, into ``save_folder/wav_16k`` (named after the rate).
    Nothing is done if neither options nor files changed since the last run.

    Arguments
    ---------
    clean_folder : str
        Holds clean speech.
    noise_folder : str
        Holds noises.
    rir_folder : str
        Holds room impulse responses; None or "" for none.
    save_folder : str
        Where lists, resampled files and the record of the options go.
    train_json : str
        Path of the training manifest.
    valid_json : str
        Path of the validation manifest.
    test_json : str
        Path of the test manifest.
    sample_rate : int
        Rate of the files that manifests and lists name, in Hz.
    valid_share : float
        Share of utterances, noises and rooms for validation, at least one.
    test_share : float
        The same for the test.
    seed : int
        Chooses which files form the shares.
    num_workers : int
        Processes that resample; by default, one a core.
    skip_prep : bool
        Whether to look at nothing but the existence of what is written.

    Returns
    -------
    str
        The data root: ``DynamicItemDataset.from_json`` puts it in for
        ``{data_root}`` by ``replacements={"data_root": data_root}``.

    Raises
    ------
    FileNotFoundError
        If a manifest or a list is missing under ``skip_prep``.
    ValueError
        If a share is out of range, a folder lies inside another one, there
        are too few utterances, or folders or files are faulty: all of them
        are named then, and nothing is written.

    Example
    -------
    >>> manifests = "train.json", "valid.json", "test.json"
    >>> prepare_mixing(
    ...     "LibriSpeech", "noises", None, "save", *manifests
    ... )  # doctest: +SKIP
    'LibriSpeech'
    """
    folders = {"clean": clean_folder, "noise": noise_folder, "rir": rir_folder}
    folders = {kind: Path(path) for kind, path in folders.items() if path}
    manifests = [
        str(Path(path)) for path in (train_json, valid_json, test_json)
    ]
    lists = {
        kind: [Path(save_folder) / f"{kind}_{name}.csv" for name in SETS]
        for kind in ("noise", "rir")
    }
    outputs = [*manifests, *lists["noise"], *lists["rir"]]
    record = PrepareRecord(save_folder, outputs, sample_rate)
    shares = {"valid": valid_share, "test": test_share}

    def look():
        check_shares(valid_share=valid_share, test_share=test_share)
        _check_disjoint([*folders.values(), Path(save_folder)])
        return {
            "folders": {kind: str(path) for kind, path in folders.items()},
            "manifests": manifests,
            "sample_rate": sample_rate,
            "shares": shares,
            "seed": seed,
            "corpus": {k: fingerprint(v) for k, v in folders.items()},
        }

    def make(options):
        sounds = _read_sounds(folders)
        splits = {k: _split(k, sounds[k], shares, seed) for k in sounds}
        record.forget()
        splits, resampled = _resample(splits, record, num_workers)
        root = _get_root("clean", folders, record, resampled)
        _write_manifests(manifests, splits["clean"], root)
        for kind, paths in lists.items():
            _write_lists(paths, splits.get(kind, {}))
        record.write(options, resampled)
        return str(root)

    root = _get_root("clean", folders, record, record.resampled)
    return record.prepare(root, look, make, skip_prep)


def _get_root(kind, folders, record, resampled):
    """Returns the folder that the files of a kind are taken from."""
    return record.wav_folder / kind if kind in resampled else folders[kind]


def _check_disjoint(folders):
    """Raises if one of the folders lies inside another one."""
    places = [folder.resolve() for folder in folders]
    for folder, place in zip(folders, places):
        if sum(other in (place, *place.parents) for other in places) > 1:
            raise ValueError(
                "Clean files, noises, rooms and what is written need folders "
                f"beside each other, but {folder} is or lies inside another "
                "of them: move it or choose another one."
            )


def _read_sounds(folders):
    """Returns {kind: {id: Sound}}; raises for all that is wrong."""
    sounds, faults = {}, []
    for kind, folder in folders.items():
        sounds[kind] = {}
        paths = list_audio_files(folder)
        if not paths:
            faults.append(f"{folder}: no .wav or .flac file")
        headers = read_headers(paths, f"Checking {folder.name}")
        for path, (header, fault) in zip(paths, headers):
            key = file_id(path, folder)
            if key in sounds[kind]:
                fault = f"same name as {sounds[kind][key].path.name}"
            if fault:
                faults.append(f"{path}: {fault}")
                continue
            sounds[kind][key] = Sound(path, header.frames, header.sample_rate)
    raise_faults(
        faults,
        "Each folder needs files, each of them mono, readable and with a "
        "name of its own: mend these files or remove them.",
    )
    return sounds


def _split(kind, sounds, shares, seed):
    """Returns {set: {id: Sound}}; too few noises or rooms are shared."""
    splits = split_shares(sounds, shares, seed)
    if all(splits.values()):
        return splits
    if kind == "clean":
        raise ValueError(
            f"Each of {', '.join(splits)} needs an utterance, but they would "
            f"get {', '.join(str(len(split)) for split in splits.values())}: "
            "add clean files or lower the shares."
        )
    logger.warning(
        "Too few files for %s of its own in training, validation and test: "
        "all of them share the %d that there are. Their scores will flatter.",
        kind,
        len(sounds),
    )
    return dict.fromkeys(SETS, sounds)


def _resample(splits, record, num_workers):
    """Returns the new splits, and the kinds that had to be resampled."""
    rate = record.sample_rate
    kinds = [
        kind
        for kind, sets in splits.items()
        if any(
            s.rate != rate for sounds in sets.values() for s in sounds.values()
        )
    ]
    targets = {
        sound.path: record.wav_folder / kind / f"{key}.wav"
        for kind in kinds
        for sounds in splits[kind].values()
        for key, sound in sounds.items()
    }
    frames = resample_files(targets, rate, num_workers) if targets else {}

    def move(sound):
        if sound.path not in targets:
            return sound
        return Sound(targets[sound.path], frames[sound.path], rate)

    moved = {
        kind: {
            name: {key: move(sound) for key, sound in sounds.items()}
            for name, sounds in sets.items()
        }
        for kind, sets in splits.items()
    }
    return moved, kinds


def _write_manifests(paths, splits, root):
    """Writes the clean files of train, valid and test."""
    for path, name in zip(paths, SETS):
        entries = {
            key: {
                "clean_wav": place_below(root, sound.path),
                "length": sound.frames / sound.rate,
            }
            for key, sound in splits[name].items()
        }
        title = f"{name}: {len(entries)} clean files"
        write_manifest(Path(path), title, entries)


def _write_lists(paths, splits):
    """Writes lists of noises or rooms in SpeechBrain's extended CSV.

    SpeechBrain's own ``write_csv`` reads all samples, takes no name with two
    dots, and overwrites files that are not mono.
    """
    for path, name in zip(paths, SETS):
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["ID", "duration", "wav", "wav_format", "wav_opts"])
        for key, (sound, frames, rate) in splits.get(name, {}).items():
            form = sound.suffix[1:].lower()
            writer.writerow([key, frames / rate, sound.absolute(), form, ""])
        write_text(path, text.getvalue())
