"""Scores pairs of waves in worker processes."""

import os

from speechbrain_semamba.evaluation.metrics import score
from speechbrain_semamba.utils.extras import import_extra
from speechbrain_semamba.utils.workers import (
    ONE_THREAD,
    InlineExecutor,
    cores_per_process,
    heed_parent_alone,
)


class ScorePool:
    """Scores pairs of waves in processes that live as long as the pool.

    Arguments
    ---------
    num_workers : int
        Number of processes, at most as many as there are cores for each of
        the training processes on this machine; 0 scores in this process.
    sample_rate : int
        In Hz.

    Raises
    ------
    ImportError
        If a package that it needs is missing; names the extra.

    Example
    -------
    >>> import numpy as np
    >>> wav = np.sin(np.arange(16000.0))
    >>> future = ScorePool().start(wav, 2 * wav + 1, ["si_sdr"])
    >>> future.result().keys()
    dict_keys(['si_sdr'])
    """

    def __init__(self, num_workers=0, sample_rate=16000):
        # now, rather than in the midst of a run
        import_extra("pesq", "Scores")
        import_extra("pystoi", "Scores")
        loky = import_extra("loky", "Scores")
        self.sample_rate = sample_rate
        self.num_workers = min(num_workers, cores_per_process())
        if self.num_workers == 0:
            self._executor = InlineExecutor()
        else:
            # PESQ holds the interpreter's lock, so threads would not help
            self._executor = loky.ProcessPoolExecutor(
                self.num_workers,
                initializer=heed_parent_alone,
                initargs=(None, os.getpid()),
                env=ONE_THREAD,
            )

    def start(self, reference, estimate, metrics=("pesq",)):
        """Starts to score a pair; the caller goes on until it needs them.

        Arguments
        ---------
        reference : numpy.ndarray
            Clean speech [samples].
        estimate : numpy.ndarray
            Noisy or enhanced speech [samples].
        metrics : list of str
            Keys of ``METRICS``.

        Returns
        -------
        concurrent.futures.Future
            Its ``result()`` waits for the scores, a dict by name.
        """
        return self._executor.submit(
            score, reference, estimate, self.sample_rate, metrics
        )

    def close(self):
        """Ends the processes; what they have not scored yet is given up."""
        if self.num_workers:
            self._executor.shutdown(kill_workers=True)
