"""Scores of the files of a validation or a test, over all processes."""

from speechbrain.utils.distributed import if_main_process

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

    def __init__(self, pool, metrics, kinds=("enhanced",), num_kept=0):
        self.pool = pool
        self.metrics = metrics
        self.kinds = kinds
        self.num_kept = num_kept
        self.kept = {}
        self._files = {}

    def start(self, key, losses, waves):
        """Starts to score a file.

        Arguments
        ---------
        key : str
            The file's id.
        losses : dict
            Its losses, scalars by name, to go with the scores.
        waves : dict
            Waves by kind, among them "clean" [samples].
        """
        clean = waves["clean"].numpy()
        futures = {
            kind: self.pool.start(
                clean, waves[kind].numpy(), self.metrics, f"{key} ({kind})"
            )
            for kind in self.kinds
        }
        numbers = {name: float(loss) for name, loss in losses.items()}
        self._files[key] = numbers, futures
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
        scores = {}
        for key, (losses, futures) in progress_bar(
            self._files.items(),
            "scoring",
            disable=not (progressbar and if_main_process()),
            delay=1,
        ):
            check()
            kinds = {kind: future.result() for kind, future in futures.items()}
            scores[key] = {"losses": losses, **kinds}
        return gather_everywhere(scores)


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
