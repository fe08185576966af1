"""Scores of the files of several folders, and what was wrong with them."""

import contextlib
import logging
from typing import NamedTuple

from speechbrain_semamba.evaluation.aligned_files import (
    check_files,
    read_aligned,
)
from speechbrain_semamba.evaluation.file_scores import FileScores
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
    """

    scores: dict
    files: dict
    rate: int
    missing: dict
    broken: dict
    cut: dict


def score_folders(folders, metrics, num_workers):
    """Scores the files that several folders have in common.

    What is missing, broken or of another length is told as a warning; a
    broken file has no scores, and that is its reason.

    Arguments
    ---------
    folders : dict
        Folder of each kind: clean, then what to score against it.
    metrics : list of str
        Keys of ``METRICS``.
    num_workers : int
        Number of processes.

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
            if "clean" in waves:
                scoring.start(name, {}, waves)
        scores = scoring.finish(progressbar=True)
    _warn_of_files(broken, cut, rate)
    nothing = dict.fromkeys(metrics, NoScore(BROKEN))
    whole = {
        name: {kind: scores.get(name, {}).get(kind, nothing) for kind in kinds}
        for name in files
    }
    return FolderScores(whole, readable, rate, missing, broken, cut)


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
