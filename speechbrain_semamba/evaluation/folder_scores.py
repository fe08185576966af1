"""Scores of the files of several folders, and what was wrong with them."""

import contextlib
import logging
from typing import NamedTuple

from speechbrain_semamba.evaluation.aligned_files import (
    check_files,
    read_aligned,
)
from speechbrain_semamba.evaluation.file_scores import FileScores
from speechbrain_semamba.evaluation.metrics import NO_REFERENCE
from speechbrain_semamba.evaluation.pairing import pair_files
from speechbrain_semamba.evaluation.score_pool import ScorePool
from speechbrain_semamba.evaluation.unscorable import NoScore
from speechbrain_semamba.utils.messages import listed
from speechbrain_semamba.utils.progress import progress_bar

logger = logging.getLogger(__name__)

#: Files that wait for each worker: it is never idle, and memory is bounded
QUEUED = 8
BROKEN = "broken file"


class FolderScores(NamedTuple):
    """What came of an evaluation.

    Arguments
    ---------
    scores : dict
        For each file's name its scores by kind, as ``FileScores.finish``.
    files : dict
        For each name its paths by kind, of those that can be read.
    rate : int
        In Hz.
    missing : dict
        For each kind the names that it lacks; see ``pair_files``.
    broken : dict
        What is wrong with a file, by its path.
    cut : dict
        For each name whose files differ in length, the samples cut off.
    words : dict
        ``WordErrors`` by kind, the clean files' among them; empty if nobody
        listened.
    """

    scores: dict
    files: dict
    rate: int
    missing: dict
    broken: dict
    cut: dict
    words: dict


def score_folders(folders, metrics, num_workers, listen=None):
    """Scores the files that several folders have in common.

    What is missing, broken or of another length is told as a warning; a
    broken file has no scores, and that is its reason.

    Arguments
    ---------
    folders : dict
        Folder of each kind: clean, if a metric needs it, then what to score.
    metrics : list of str
        Keys of ``METRICS`` and ``NO_REFERENCE``.
    num_workers : int
        Number of processes.
    listen : callable
        From the names of the files makes their ``WordErrorRates``; None for
        none.

    Returns
    -------
    FolderScores
        Scores and all that has to be told with them.

    Raises
    ------
    ValueError
        If nothing can be scored: no name is common, the files have several
        rates, or one that PESQ is not defined at.
    ImportError
        If a package is missing; names the extra.
    """
    files, missing = pair_files(folders)
    _warn_of_missing(missing, folders)
    rate, broken = check_files(files)
    _check_rate(rate, metrics, listen)
    words = listen and listen(list(files), list(folders))
    with contextlib.closing(ScorePool(num_workers, rate)) as pool:
        kinds = [kind for kind in folders if kind != "clean"]
        scoring = FileScores(
            pool, metrics, kinds, max_pending=QUEUED * max(1, pool.num_workers)
        )
        readable, cut = {}, {}
        for name, paths in progress_bar(files.items(), "Scoring", delay=1):
            paths = {k: p for k, p in paths.items() if p not in broken}
            waves, faults, lost = read_aligned(paths)
            broken.update(faults)
            readable[name] = {kind: paths[kind] for kind in waves}
            if lost:
                cut[name] = lost
            if "clean" in waves or "clean" not in folders:
                scoring.start(name, {}, waves)
            if words:
                words.add(name, {k: wave.numpy() for k, wave in waves.items()})
        scores = scoring.finish(progressbar=True)
    _warn_of_files(broken, cut, rate)
    nothing = dict.fromkeys(metrics, NoScore(BROKEN))
    whole = {
        name: {kind: scores.get(name, {}).get(kind, nothing) for kind in kinds}
        for name in files
    }
    words = words.finish() if words else {}
    for kind in kinds if words else ():
        for name, found in whole.items():
            rate_of = words[kind].rates.get(name, NoScore(BROKEN))
            found[kind] = {**found[kind], "wer": rate_of}
    return FolderScores(whole, readable, rate, missing, broken, cut, words)


def _check_rate(rate, metrics, listen):
    alone = [name for name in metrics if name in NO_REFERENCE]
    alone += ["wer"] if listen else []
    if alone and rate != 16000:
        raise ValueError(
            f"{', '.join(alone)} are defined at 16,000 Hz, found {rate:,}; "
            "resample the files"
        )


def _warn_of_missing(missing, folders):
    for kind, names in missing.items():
        if names:
            logger.warning(
                "missing in %s, so not scored, are %d files:\n%s",
                folders[kind],
                len(names),
                listed(names),
            )


def _warn_of_files(broken, cut, rate):
    if broken:
        lines = [f"{path}: {fault}" for path, fault in broken.items()]
        logger.warning("%d files are broken:\n%s", len(broken), listed(lines))
    if cut:
        logger.warning("%s", tell_cut(cut, rate))


def tell_cut(cut, rate):
    """How many files were cut, and how much at most.

    Arguments
    ---------
    cut : dict
        Samples by name of the file.
    rate : int
        In Hz.

    Returns
    -------
    str
        A sentence.

    Example
    -------
    >>> tell_cut({"a": 8, "b": 16}, 16000)
    '2 files were cut to the shortest of their kinds, by at most 16 samples (1.0 ms, b)'
    """
    name = max(cut, key=cut.get)
    return (
        f"{len(cut)} files were cut to the shortest of their kinds, by at most "
        f"{cut[name]} samples ({1000 * cut[name] / rate:.1f} ms, {name})"
    )
