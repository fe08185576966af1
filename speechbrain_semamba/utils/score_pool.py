"""Scores pairs of waves in worker processes."""

from tqdm import tqdm

from speechbrain_semamba.utils.extras import import_extra
from speechbrain_semamba.utils.metrics import score


class ScorePool:
    """Scores pairs of waves in processes that live as long as the pool.

    Arguments
    ---------
    num_workers : int
        Number of processes; 0 or 1 scores in this process.
    sample_rate : int
        In Hz.

    Example
    -------
    >>> import numpy as np
    >>> wav = np.sin(np.arange(16000.0))
    >>> list(ScorePool().start([wav], [2 * wav + 1], ["si_sdr"]))[0].keys()
    dict_keys(['si_sdr'])
    """

    def __init__(self, num_workers=0, sample_rate=16000):
        # now, rather than in the midst of a run
        import_extra("pesq", "Scores")
        import_extra("pystoi", "Scores")
        joblib = import_extra("joblib", "Scores")
        self.sample_rate = sample_rate
        self._delayed = joblib.delayed
        options = {"n_jobs": 1}
        if num_workers > 1:
            # PESQ holds the interpreter's lock, so threads would not help
            options = {"n_jobs": num_workers, "backend": "loky"}
        self._parallel = joblib.Parallel(return_as="generator", **options)

    def start(self, references, estimates, metrics=("pesq",)):
        """Starts to score; the caller can go on until it needs the result.

        Arguments
        ---------
        references : list of numpy.ndarray
            Clean speech [samples] each.
        estimates : list of numpy.ndarray
            Noisy or enhanced speech [samples] each.
        metrics : list of str
            Keys of ``METRICS``.

        Returns
        -------
        iterator of dict
            For each pair in order its scores by name.
        """
        return self._parallel(
            self._delayed(score)(ref, est, self.sample_rate, metrics)
            for ref, est in zip(references, estimates)
        )

    def run(self, references, estimates, metrics=("pesq",), bar=None):
        """Scores, and waits for the result.

        Arguments
        ---------
        references : list of numpy.ndarray
            Clean speech [samples] each.
        estimates : list of numpy.ndarray
            Noisy or enhanced speech [samples] each.
        metrics : list of str
            Keys of ``METRICS``.
        bar : str
            Title of a progress bar; none is shown without it.

        Returns
        -------
        list of dict
            For each pair in order its scores by name.
        """
        scores = self.start(references, estimates, metrics)
        count = len(references)
        return list(tqdm(scores, bar, count, disable=bar is None))
