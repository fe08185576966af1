"""Manifests of VoiceBank-DEMAND for speech enhancement.

The corpus (Valentini-Botinhao 2017, https://doi.org/10.7488/ds/2117) comes
as four folders of 48 kHz files; copies at 16 kHz are common. Both are taken.
The functions stand in the data's order: find, split, resample, write.
"""

import logging
import os
from pathlib import Path

from speechbrain_semamba.dataio.manifests import (
    check_shares,
    split_shares,
    write_pairs,
)
from speechbrain_semamba.dataio.pairs import read_pairs
from speechbrain_semamba.dataio.prepare_record import PrepareRecord, fingerprint

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
    data_folder = Path(data_folder)
    manifests = [
        os.fspath(Path(path)) for path in (train_json, valid_json, test_json)
    ]
    record = PrepareRecord(save_folder, manifests, sample_rate)

    def look():
        folders = _find_folders(data_folder, sample_rate)
        return {
            "data_folder": os.fspath(data_folder),
            "manifests": manifests,
            "sample_rate": sample_rate,
            "validation": validation,
            "valid_speakers": list(valid_speakers),
            "valid_share": valid_share,
            "seed": seed,
            "corpus": {folder.name: fingerprint(folder) for folder in folders},
        }

    def make(options):
        folders = _find_folders(data_folder, sample_rate)
        corpus = read_pairs(dict(zip(FOLDERS, (folders[:2], folders[2:]))))
        splits = _split(corpus, validation, valid_speakers, valid_share, seed)
        return write_pairs(
            record, options, splits, data_folder, num_workers, _tell_speakers
        )

    root = record.wav_folder if record.resampled else data_folder
    return record.prepare(root, look, make, skip_prep)


def _check_options(validation, valid_share):
    """Raises for an option out of range, warns of a doubtful one."""
    if validation not in VALIDATIONS:
        raise ValueError(
            f"validation must be one of {', '.join(VALIDATIONS)}; "
            f"found {validation!r}."
        )
    check_shares(valid_share=valid_share)
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
        valid = split_shares(train, {"valid": valid_share}, seed)["valid"]
        logger.info(
            "Held out: %d of %d training utterances, drawn with seed %s.",
            len(valid),
            len(train),
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
    """Returns what stands before the "_" of a name; None without a "_"."""
    name = key.split("/")[-1]
    return name.split("_")[0] if "_" in name else None


def _tell_speakers(split):
    """Returns how many speakers there are, as the end of a sentence."""
    # Names other than VoiceBank's may carry no speakers.
    speakers = {_get_speaker(key) for key in split} - {None}
    return f", {len(speakers)} speakers" if speakers else ""
