"""Scores pairs of waves in worker processes."""

import logging
import os
from concurrent.futures.process import BrokenProcessPool

from speechbrain_semamba.evaluation.metrics import score
from speechbrain_semamba.evaluation.pesq_scores import check_pesq_rate
from speechbrain_semamba.evaluation.unscorable import NoScore
from speechbrain_semamba.utils.extras import import_extra
from speechbrain_semamba.utils.workers import (
    ONE_THREAD,
    InlineExecutor,
    cores_per_process,
    heed_parent_alone,
)

logger = logging.getLogger(__name__)

#: The C code of pesq holds 50 utterances, each at least 0.2 s long and as far
#: from the next, and writes beyond its memory if there are more.
SAFE_SECONDS = 20


class ScorePool:
    """Scores pairs of waves in processes that live as long as the pool.

    A process that dies costs one score, which is NaN, and a warning. Pairs
    longer than ``SAFE_SECONDS`` have a process of their own even where this
    process scores all others.

    Arguments
    ---------
    num_workers : int
        Number of processes, at most as many as there are cores for each of
        the training processes on this machine; 0 scores in this process.
    sample_rate : int
        In Hz; 16000, or 8000 for narrow-band PESQ.

    Raises
    ------
    ImportError
        If a package that it needs is missing; names the extra.
    ValueError
        If PESQ is not defined at this rate.

    Example
    -------
    >>> import numpy as np
    >>> wav = np.sin(np.arange(16000.0))
    >>> scores = ScorePool().start(wav, 2 * wav + 1, ["si_sdr"])
    >>> scores.result().keys()
    dict_keys(['si_sdr'])
    """

    def __init__(self, num_workers=0, sample_rate=16000):
        # now, rather than in the midst of a run
        check_pesq_rate(sample_rate)
        import_extra("pesq", "Scores", "eval")
        import_extra("pystoi", "Scores", "eval")
        import_extra("loky", "Scores", "eval")
        self.sample_rate = sample_rate
        self.num_workers = min(num_workers, cores_per_process())
        #: for pairs that may be a process's death
        self._single = None
        self._executor = InlineExecutor()
        if self.num_workers:
            self._executor = _make_executor(self.num_workers)

    def start(self, reference, estimate, metrics=("pesq",), name="a pair"):
        """Starts to score a pair; the caller goes on until it needs them.

        Arguments
        ---------
        reference : numpy.ndarray
            Clean speech [samples]; None if no metric needs it.
        estimate : numpy.ndarray
            Noisy or enhanced speech [samples].
        metrics : list of str
            Keys of ``METRICS`` and ``NO_REFERENCE``.
        name : str
            What to call the pair in a warning.

        Returns
        -------
        PendingScores
            Its ``result()`` waits for the scores, a dict by name.
        """
        job = score, reference, estimate, self.sample_rate, metrics
        if len(estimate) > SAFE_SECONDS * self.sample_rate:
            if not self.num_workers:
                return PendingScores(self, None, job, name)
        try:
            future = self._executor.submit(*job)
        except BrokenProcessPool:  # which happened to an earlier pair
            self._executor = _make_executor(self.num_workers)
            future = self._executor.submit(*job)
        return PendingScores(self, future, job, name)

    def score_alone(self, job, name):
        """Waits for a process that has nothing else to do.

        Arguments
        ---------
        job : tuple
            ``score`` and its arguments.
        name : str
            What to call the pair in a warning.

        Returns
        -------
        dict
            Score by name, NaN if the process died.
        """
        self._single = self._single or _make_executor(1)
        try:
            return self._single.submit(*job).result()
        except BrokenProcessPool:
            self._single = None
            logger.warning(
                "%s: the process that scored it died, so it has no score", name
            )
            *_, metrics = job
            return dict.fromkeys(metrics, NoScore("its process died"))

    def close(self):
        """Ends the processes; what they have not scored yet is given up."""
        if self.num_workers:
            self._executor.shutdown(kill_workers=True)
        if self._single is not None:
            self._single.shutdown(kill_workers=True)


class PendingScores:
    """Scores that are being computed.

    Arguments
    ---------
    pool : ScorePool
        Scores once more what a dying process took with it.
    future : concurrent.futures.Future
        The scores; None leaves them to a process of their own.
    job : tuple
        ``score`` and its arguments.
    name : str
        What to call the pair in a warning.
    """

    def __init__(self, pool, future, job, name):
        self._pool, self._future = pool, future
        self._job, self._name = job, name

    def result(self):
        """Waits for the scores.

        Returns
        -------
        dict
            Score by name, NaN where there is none.
        """
        if self._future is not None:
            try:
                return self._future.result()
            except BrokenProcessPool:
                self._future = None  # it died, perhaps of another pair
        return self._pool.score_alone(self._job, self._name)


def _make_executor(num_workers):
    """PESQ holds the interpreter's lock, so threads would not help."""
    return import_extra("loky", "Scores", "eval").ProcessPoolExecutor(
        num_workers,
        initializer=heed_parent_alone,
        initargs=(None, os.getpid()),
        env=ONE_THREAD,
    )
