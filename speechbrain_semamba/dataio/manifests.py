"""What every preparation does: split by seed, resample, write manifests."""

import logging

from speechbrain_semamba.dataio.pairs import Pair
from speechbrain_semamba.dataio.resampled_files import resample_files
from speechbrain_semamba.utils.seeding import seed_of
from speechbrain_semamba.utils.whole_files import write_json

logger = logging.getLogger(__name__)


def check_shares(**shares):
    """Raises for shares that leave nothing.

    Arguments
    ---------
    **shares : float
        The shares to hold out, by the names of the options.

    Raises
    ------
    ValueError
        If one does not lie between 0 and 1, or their sum does not.

    Example
    -------
    >>> check_shares(valid_share=0.05, test_share=1.5)
    Traceback (most recent call last):
    ValueError: test_share must lie between 0 and 1; found 1.5.
    """
    for name, share in shares.items():
        if not 0 < share < 1:
            raise ValueError(
                f"{name} must lie between 0 and 1; found {share!r}."
            )
    if sum(shares.values()) >= 1:
        raise ValueError(
            f"{' and '.join(shares)} must leave something for training; "
            f"their sum is {sum(shares.values()):g}: lower one of them."
        )


def split_shares(items, shares, seed):
    """Splits off seeded shares; what is left is the training set.

    Arguments
    ---------
    items : dict
        What to split, by id.
    shares : dict
        For each set to split off, its share, at least one item.
    seed : int
        Chooses which items form the shares.

    Returns
    -------
    dict
        "train" and the sets split off, each a dict sorted by id. One that
        got no item is empty.

    Example
    -------
    >>> items = {"a": 1, "b": 2, "c": 3, "d": 4}
    >>> split_shares(items, {"valid": 0.25}, seed=1)
    {'train': {'a': 1, 'b': 2, 'd': 4}, 'valid': {'c': 3}}
    """
    ranked = sorted(items, key=lambda key: (seed_of(seed, key), key))
    drawn, start = {}, 0
    for name, share in shares.items():
        stop = start + max(1, round(share * len(ranked)))
        drawn[name] = ranked[start:stop]
        start = stop
    drawn = {"train": ranked[start:], **drawn}
    return {
        name: {key: items[key] for key in sorted(keys)}
        for name, keys in drawn.items()
    }


def write_pairs(record, options, splits, root, num_workers, describe=None):
    """Resamples pairs if need be and writes manifests and record.

    If a file has another rate than the record's, all of them are resampled,
    into sub-folders of ``record.wav_folder`` named as theirs.

    Arguments
    ---------
    record : PrepareRecord
        Its outputs are the manifests of train, valid and test.
    options : dict
        What the record is to hold.
    splits : dict
        For "train", "valid" and "test", the pairs (``Pair``) by id.
    root : pathlib.Path
        The folder that holds all files.
    num_workers : int
        Processes that resample; None stands for one a core.
    describe : callable
        From a split, makes the text that its line of the log ends with.

    Returns
    -------
    str
        The data root of the manifests.
    """
    record.forget()
    pairs = [pair for split in splits.values() for pair in split.values()]
    names = []
    if any(pair.rate != record.sample_rate for pair in pairs):
        files = [path for pair in pairs for path in pair[:2]]
        names = {path.relative_to(root).parts[0] for path in files}
        splits = _resample_splits(splits, record, root, num_workers)
        root = record.wav_folder
    for path, (name, split) in zip(record.outputs, splits.items()):
        entries = {key: _make_entry(split[key], root) for key in sorted(split)}
        note = describe(split) if describe else ""
        write_manifest(path, f"{name}: {len(split)} pairs", entries, note)
    record.write(options, sorted(names))
    return str(root)


def _resample_splits(splits, record, root, num_workers):
    """Makes the files that are not there yet and returns the new splits."""
    targets = {
        path: record.wav_folder / path.relative_to(root).with_suffix(".wav")
        for split in splits.values()
        for pair in split.values()
        for path in (pair.clean, pair.noisy)
    }
    frames = resample_files(targets, record.sample_rate, num_workers)

    def move(pair):
        clean, noisy = targets[pair.clean], targets[pair.noisy]
        return Pair(clean, noisy, frames[pair.clean], record.sample_rate)

    return {
        name: {key: move(pair) for key, pair in split.items()}
        for name, split in splits.items()
    }


def _make_entry(pair, root):
    return {
        "noisy_wav": place_below(root, pair.noisy),
        "clean_wav": place_below(root, pair.clean),
        "length": pair.frames / pair.rate,
    }


def place_below(root, path):
    """Names a file relative to the data root.

    Arguments
    ---------
    root : pathlib.Path
        The data root.
    path : pathlib.Path
        A file below it.

    Returns
    -------
    str
        The path with ``{data_root}`` in place of the root; braces of its own
        are doubled, for SpeechBrain takes the text for a template.

    Example
    -------
    >>> from pathlib import Path
    >>> place_below(Path("corpus"), Path("corpus/clean/a.wav"))
    '{data_root}/clean/a.wav'
    >>> place_below(Path("corpus"), Path("corpus/{b}.wav"))
    '{data_root}/{{b}}.wav'
    """
    name = path.relative_to(root).as_posix()
    return "{data_root}/" + name.replace("{", "{{").replace("}", "}}")


def write_manifest(path, title, entries, note=""):
    """Writes one manifest and logs its hours.

    Arguments
    ---------
    path : pathlib.Path
        The manifest.
    title : str
        What its line of the log begins with.
    entries : dict
        The entries by id; each holds a ``length`` in seconds.
    note : str
        What the line ends with.

    Example
    -------
    >>> path = getfixture("tmp_path") / "train.json"
    >>> write_manifest(path, "train", {"a": {"length": 1.5}})
    >>> "1.5" in path.read_text()
    True
    """
    write_json(path, entries)
    hours = sum(entry["length"] for entry in entries.values()) / 3600
    logger.info("%s, %.2f hours%s", title, hours, note)
