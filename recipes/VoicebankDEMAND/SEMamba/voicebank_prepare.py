"""Manifests of VoiceBank-DEMAND for speech enhancement.

The corpus (Valentini-Botinhao 2017, https://doi.org/10.7488/ds/2117) comes
as four folders of 48 kHz files; copies at 16 kHz are common. Both are taken.
The functions stand in the data's order: find, split, resample, write.
"""

import hashlib
import json
import logging
import os
from pathlib import Path

from speechbrain_semamba.utils.pairs import Pair, list_audio_files, read_pairs
from speechbrain_semamba.utils.resampled_files import resample_files

logger = logging.getLogger(__name__)

FOLDERS = {"train": "trainset_28spk_wav", "test": "testset_wav"}
VALIDATIONS = ("speakers", "share", "official")


def prepare_voicebank(
    data_folder,
    save_folder,
    train_json,
    valid_json,
    test_json,
    sample_rate=16000,
    validation="speakers",
    valid_speakers=("p226", "p287"),
    valid_share=0.05,
    seed=1234,
    num_workers=None,
    skip_prep=False,
):
    """Checks VoiceBank-DEMAND, resamples it if need be, writes manifests.

    If a file has another rate than ``sample_rate``, ``resample_files`` puts
    the whole corpus into ``save_folder/wav_16k`` (named after the rate).
    A manifest is a JSON object keyed by utterance id, whose entries hold
    ``noisy_wav`` and ``clean_wav`` (paths below ``{data_root}``) and
    ``length`` (seconds). Nothing is done if ``prepare_options.json`` shows
    that neither options, nor corpus, nor results changed since the last run.

    Arguments
    ---------
    data_folder : str
        Holds clean_trainset_28spk_wav, noisy_trainset_28spk_wav,
        clean_testset_wav and noisy_testset_wav, each with or without "_16k"
        at the end; where both exist, "_16k" is taken for 16 kHz only.
    save_folder : str
        Where resampled files and the record of the options go.
    train_json : str
        Path of the training manifest.
    valid_json : str
        Path of the validation manifest.
    test_json : str
        Path of the test manifest.
    sample_rate : int
        Rate of the files that the manifests name, in Hz.
    validation : str
        What the checkpoint is selected on: "speakers" holds out the training
        utterances of ``valid_speakers``, or a share if one of them is
        missing; "share" holds out a share of the training utterances;
        "official" trains on all of them and selects on the test set.
    valid_speakers : list
        Speakers to hold out: what stands before the "_" of a file's name.
    valid_share : float
        Share of the training utterances to hold out, at least one.
    seed : int
        Chooses which utterances form the share.
    num_workers : int
        Processes that resample; by default, one a core.
    skip_prep : bool
        Whether to look at nothing but the existence of the manifests.

    Returns
    -------
    str
        The data root: ``DynamicItemDataset.from_json`` puts it in for
        ``{data_root}`` by ``replacements={"data_root": data_root}``.

    Raises
    ------
    FileNotFoundError
        If a folder is missing, or a manifest under ``skip_prep``.
    ValueError
        If an option is out of range, a split is empty, or files are faulty:
        all of them are named then, and nothing is written.

    Example
    -------
    >>> manifests = "train.json", "valid.json", "test.json"
    >>> prepare_voicebank("corpus", "save", *manifests)  # doctest: +SKIP
    'corpus'
    """
    _check_options(validation, valid_share)
    if isinstance(valid_speakers, str):
        valid_speakers = [valid_speakers]
    data_folder, save_folder = Path(data_folder), Path(save_folder)
    wav_folder = save_folder / f"wav_{sample_rate / 1000:g}k"
    manifests = [Path(path) for path in (train_json, valid_json, test_json)]
    absent = [str(path) for path in manifests if not path.is_file()]
    record = _read_record(save_folder)
    last_root = str(wav_folder if record.get("resampled") else data_folder)
    if skip_prep and absent:
        raise FileNotFoundError(
            "skip_prep=True needs the manifests of an earlier run, but there "
            f"is no {', '.join(absent)}: run once with skip_prep=False."
        )
    if skip_prep:
        return last_root

    folders = _find_folders(data_folder, sample_rate)
    options = {
        "data_folder": str(data_folder),
        "manifests": [str(path) for path in manifests],
        "sample_rate": sample_rate,
        "validation": validation,
        "valid_speakers": list(valid_speakers),
        "valid_share": valid_share,
        "seed": seed,
        "corpus": _fingerprint(folders),
    }
    if not absent and _is_unchanged(record, options, wav_folder):
        logger.info("Skipping preparation, it was completed in a former run.")
        return last_root

    corpus = read_pairs(dict(zip(FOLDERS, (folders[:2], folders[2:]))))
    splits = _split(corpus, validation, valid_speakers, valid_share, seed)
    # From here on files change, and the old record must not vouch for them.
    (save_folder / "prepare_options.json").unlink(missing_ok=True)
    root, used_folders = data_folder, []
    rates = {pair.rate for split in splits.values() for pair in split.values()}
    if rates != {sample_rate}:
        splits = _resample_splits(splits, wav_folder, sample_rate, num_workers)
        root = wav_folder
        used_folders = [wav_folder / folder.name for folder in folders]
    for path, (name, split) in zip(manifests, splits.items()):
        _write_manifest(path, name, split, root)
    options["resampled"] = _fingerprint(used_folders)
    _write_json(save_folder / "prepare_options.json", options)
    return str(root)


def _check_options(validation, valid_share):
    """Raises for an option out of range, warns of a doubtful one."""
    if validation not in VALIDATIONS:
        raise ValueError(
            f"validation must be one of {', '.join(VALIDATIONS)}; "
            f"found {validation!r}."
        )
    if not 0 < valid_share < 1:
        raise ValueError(
            f"valid_share must lie between 0 and 1; found {valid_share!r}."
        )
    if validation == "official":
        logger.warning(
            "validation='official' chooses the best checkpoint on the very "
            "test files that it is then scored on. Such scores are "
            "optimistic, for comparison with the published figures only."
        )


def _find_folders(data_folder, sample_rate):
    """Returns [clean train, noisy train, clean test, noisy test]."""
    suffixes = ("_16k", "") if sample_rate == 16000 else ("", "_16k")
    names = [f"{h}_{s}" for s in FOLDERS.values() for h in ("clean", "noisy")]
    found, missing = [], []
    for name in names:
        paths = [data_folder / (name + suffix) for suffix in suffixes]
        paths = [path for path in paths if path.is_dir()]
        found += paths[:1]
        missing += [] if paths else [name]
    if missing:
        raise FileNotFoundError(
            f"{data_folder} has no folder {', '.join(missing)}; needed are "
            f"{', '.join(names)}, each with or without '_16k' at the end: "
            "set data_folder to the folder above them."
        )
    return found


def _fingerprint(folders):
    """Returns {folder name: [files, bytes, newest modification time]}."""
    prints = {}
    for folder in folders:
        stats = [path.stat() for path in list_audio_files(folder)]
        size = sum(stat.st_size for stat in stats)
        newest = max((stat.st_mtime_ns for stat in stats), default=0)
        prints[folder.name] = [len(stats), size, newest]
    return prints


def _read_record(save_folder):
    """Returns what the last run recorded; nothing if that is unreadable."""
    try:
        record = json.loads((save_folder / "prepare_options.json").read_text())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _is_unchanged(record, options, wav_folder):
    """Whether options, corpus and resampled files are those of the record."""
    resampled = record.get("resampled", {})
    found = _fingerprint([wav_folder / name for name in resampled])
    return {**options, "resampled": found} == record


def _split(corpus, validation, valid_speakers, valid_share, seed):
    """Returns {"train", "valid", "test": {id: Pair}}, none of them empty."""
    train, test, valid = corpus["train"], corpus["test"], {}
    if validation == "speakers":
        speakers = {_get_speaker(key) for key in train}
        missing = [name for name in valid_speakers if name not in speakers]
        if missing:
            logger.warning(
                "No training file's name starts with one of the speakers %s; "
                "taking a share instead.",
                ", ".join(missing),
            )
        held = [] if missing else valid_speakers
        valid = {k: train[k] for k in train if _get_speaker(k) in held}
    if validation != "official" and not valid:
        # Ranked by hash, which no version of Python or numpy changes.
        ranked = sorted(
            train,
            key=lambda key: hashlib.sha256(f"{seed} {key}".encode()).digest(),
        )
        count = max(1, round(valid_share * len(ranked)))
        valid = {key: train[key] for key in sorted(ranked[:count])}
        logger.info(
            "Held out: %d of %d training utterances, drawn with seed %s.",
            count,
            len(ranked),
            seed,
        )
    rest = {key: pair for key, pair in train.items() if key not in valid}
    if not rest:
        raise ValueError(
            f"Training needs an utterance, but all {len(valid)} are held out "
            "for validation: change valid_speakers or lower valid_share."
        )
    return {"train": rest, "valid": valid or test, "test": test}


def _get_speaker(key):
    """Returns what stands before the "_" of an id; None without a "_"."""
    return key.split("_")[0] if "_" in key else None


def _resample_splits(splits, wav_folder, sample_rate, num_workers):
    """Makes the files that are not there yet and returns the new splits."""
    targets = {
        path: wav_folder / path.parent.name / f"{path.stem}.wav"
        for split in splits.values()
        for pair in split.values()
        for path in (pair.clean, pair.noisy)
    }
    frames = resample_files(targets, sample_rate, num_workers)

    def move(pair):
        clean, noisy = targets[pair.clean], targets[pair.noisy]
        return Pair(clean, noisy, frames[pair.clean], sample_rate)

    return {
        name: {key: move(pair) for key, pair in split.items()}
        for name, split in splits.items()
    }


def _write_manifest(path, name, split, root):
    """Writes one manifest and logs its pairs, hours and speakers."""
    entries = {}
    for key, pair in sorted(split.items()):
        noisy, clean = (
            "{data_root}/" + path.relative_to(root).as_posix()
            for path in (pair.noisy, pair.clean)
        )
        entries[key] = {"noisy_wav": noisy, "clean_wav": clean}
        entries[key]["length"] = pair.frames / pair.rate
    _write_json(path, entries)
    hours = sum(entry["length"] for entry in entries.values()) / 3600
    # Names other than VoiceBank's may carry no speakers.
    speakers = {_get_speaker(key) for key in entries} - {None}
    told = f", {len(speakers)} speakers" if speakers else ""
    logger.info("%s: %d pairs, %.2f hours%s", name, len(entries), hours, told)


def _write_json(path, content):
    """Writes JSON such that the path never holds half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        unfinished.write_text(json.dumps(content, indent=2) + "\n")
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
