"""Manifests of a folder of one's own pairs, to train or fine-tune on."""

from pathlib import Path

from speechbrain_semamba.dataio.manifests import (
    check_shares,
    split_shares,
    write_pairs,
)
from speechbrain_semamba.dataio.pairs import read_pairs
from speechbrain_semamba.dataio.prepare_record import PrepareRecord, fingerprint

TRAIN_FOLDERS = ("clean", "noisy")
TEST_FOLDERS = ("clean_test", "noisy_test")


def prepare_pairs(
    data_folder,
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
    """Checks pairs of clean and noisy files, resamples, writes manifests.

    The manifests, and where resampled files go, are as those of
    ``voicebank_prepare.prepare_voicebank``; so is that nothing is done again
    if nothing changed.

    Arguments
    ---------
    data_folder : str
        Holds ``clean`` and ``noisy``, with files of the same names. If it
        holds ``clean_test`` and ``noisy_test``, too, these are the test set.
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
    valid_share : float
        Share of the pairs to hold out for validation, at least one.
    test_share : float
        Share of the pairs to hold out for the test, at least one; not used
        if there is a test set.
    seed : int
        Chooses which pairs form the shares.
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
        If a manifest is missing under ``skip_prep``.
    ValueError
        If a share is out of range, no pair is left for training, or folders
        or files are faulty: all of them are named then, and nothing is
        written.

    Example
    -------
    >>> manifests = "train.json", "valid.json", "test.json"
    >>> prepare_pairs("my_pairs", "save", *manifests)  # doctest: +SKIP
    'my_pairs'
    """
    data_folder = Path(data_folder)
    manifests = [
        str(Path(path)) for path in (train_json, valid_json, test_json)
    ]
    record = PrepareRecord(save_folder, manifests, sample_rate)

    def look():
        sets, shares = _find_sets(data_folder, valid_share, test_share)
        return {
            "data_folder": str(data_folder),
            "manifests": manifests,
            "sample_rate": sample_rate,
            "shares": shares,
            "seed": seed,
            "corpus": {
                folder.name: fingerprint(folder)
                for folders in sets.values()
                for folder in folders
            },
        }

    def make(options):
        sets, shares = _find_sets(data_folder, valid_share, test_share)
        splits = _split(read_pairs(sets), shares, seed)
        return write_pairs(record, options, splits, data_folder, num_workers)

    root = record.wav_folder if record.resampled else data_folder
    return record.prepare(root, look, make, skip_prep)


def _split(corpus, shares, seed):
    """Returns {"train", "valid", "test": {id: Pair}}, none of them empty."""
    splits = {**corpus, **split_shares(corpus["train"], shares, seed)}
    splits = {name: splits[name] for name in ("train", "valid", "test")}
    if not all(splits.values()):
        raise ValueError(
            f"Each of {', '.join(splits)} needs a pair, but they would get "
            f"{', '.join(str(len(split)) for split in splits.values())}: add "
            "pairs or lower the shares."
        )
    return splits


def _find_sets(data_folder, valid_share, test_share):
    """Returns {set: (clean folder, noisy folder)} and {set: its share}."""
    sets = {"train": tuple(data_folder / name for name in TRAIN_FOLDERS)}
    test = tuple(data_folder / name for name in TEST_FOLDERS)
    # One of the two alone is a fault, which read_pairs will name.
    if any(folder.exists() for folder in test):
        check_shares(valid_share=valid_share)
        return {**sets, "test": test}, {"valid": valid_share}
    check_shares(valid_share=valid_share, test_share=test_share)
    return sets, {"valid": valid_share, "test": test_share}
