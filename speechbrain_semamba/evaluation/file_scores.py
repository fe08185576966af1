"""Scores of the files of a validation or a test, over all processes."""

from speechbrain.utils.distributed import if_main_process

from speechbrain_semamba.evaluation.distortion import snr
from speechbrain_semamba.evaluation.metrics import mean_scores
from speechbrain_semamba.utils.distributed import gather_everywhere
from speechbrain_semamba.utils.progress import progress_bar


class FileScores:
    """Scores files while others are being enhanced, then gathers the scores.

    Arguments
    ---------
    pool : speechbrain_semamba.evaluation.score_pool.ScorePool
        Does the work.
    metrics : list of str
        What to compute.
    kinds : list of str
        Which waves to score, such as noisy and enhanced.
    num_kept : int
        Of how many files to keep the waves, to be looked at.
    max_pending : int
        How many files may wait for their scores, and their waves in memory,
        before ``start`` waits as well; None for any number.

    Example
    -------
    >>> import torch
    >>> from speechbrain_semamba.evaluation.score_pool import ScorePool
    >>> files = FileScores(ScorePool(), ["si_sdr"])
    >>> clean, noise = torch.sin(torch.arange(16000.0)), 0.1 * torch.ones(16000)
    >>> files.start("a", {"loss": 0.5}, {"clean": clean, "enhanced": clean + noise})
    >>> files.finish()["a"].keys()
    dict_keys(['losses', 'enhanced'])
    """

    def __init__(
        self, pool, metrics, kinds=("enhanced",), num_kept=0, max_pending=None
    ):
        self.pool = pool
        self.metrics = metrics
        self.kinds = kinds
        self.num_kept = num_kept
        self.max_pending = max_pending
        self.kept = {}
        self._pending, self._scores = {}, {}

    def start(self, key, losses, waves):
        """Starts to score a file.

        Arguments
        ---------
        key : str
            The file's id.
        losses : dict
            Its losses, scalars by name, to go with the scores.
        waves : dict
            Waves [samples] by kind, among them "clean" if a metric needs it.
            A kind that is not among them has no scores. Noisy ones are also
            told their SNR.
        """
        while len(self._pending) == self.max_pending:
            self._settle(next(iter(self._pending)))
        clean = waves["clean"].numpy() if "clean" in waves else None
        futures = {
            kind: self.pool.start(
                clean, waves[kind].numpy(), self.metrics, f"{key} ({kind})"
            )
            for kind in self.kinds
            if kind in waves
        }
        scores = {"losses": {k: float(loss) for k, loss in losses.items()}}
        if "noisy" in futures and clean is not None:
            noisy, rate = waves["noisy"].numpy(), self.pool.sample_rate
            scores["noisy"] = {"snr": snr(clean, noisy, rate)}
        self._pending[key] = scores, futures
        if len(self.kept) < self.num_kept:
            self.kept[key] = waves

    def finish(self, progressbar=False, check=lambda: None):
        """Waits for the scores of the files of all processes.

        Arguments
        ---------
        progressbar : bool
            Whether to show one, if it takes more than a second.
        check : callable
            Called before each file; what it raises ends the waiting.

        Returns
        -------
        dict
            For each file's id, in order, its scores by kind and its losses;
            the same on every process.
        """
        for key in progress_bar(
            list(self._pending),
            "scoring",
            disable=not (progressbar and if_main_process()),
            delay=1,
        ):
            check()
            self._settle(key)
        return gather_everywhere(self._scores)

    def _settle(self, key):
        """Waits for a file's scores and lets go of its waves."""
        scores, futures = self._pending.pop(key)
        for kind, future in futures.items():
            scores[kind] = {**future.result(), **scores.get(kind, {})}
        self._scores[key] = scores


def means_by_kind(scores):
    """Means over files.

    Arguments
    ---------
    scores : dict
        For each file its scores by kind, as ``FileScores.finish`` returns.

    Returns
    -------
    dict
        For each kind what ``mean_scores`` says.

    Example
    -------
    >>> means_by_kind({"a": {"noisy": {"pesq": 1.0}}, "b": {"noisy": {"pesq": 2.0}}})
    {'noisy': {'pesq': 1.5}}
    """
    kinds = next(iter(scores.values()), {})
    return {
        kind: mean_scores([file[kind] for file in scores.values()])
        for kind in kinds
    }
