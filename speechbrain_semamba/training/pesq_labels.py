"""PESQ of what the generator made, as targets of the discriminator."""

import math

import torch

from speechbrain_semamba.evaluation.pesq_scores import pesq_label
from speechbrain_semamba.utils.distributed import (
    mean_everywhere,
    rank_and_size,
)


class PesqLabels:
    """Has a batch scored while training goes on; counts what fails.

    Arguments
    ---------
    pool : speechbrain_semamba.evaluation.score_pool.ScorePool
        Does the work.
    stats : speechbrain_semamba.training.running_stats.RunningStats
        Gets the mean of PESQ and the number of failures, over all processes.
    device : str
        Where the labels are wanted.

    Example
    -------
    >>> from speechbrain_semamba.training.running_stats import RunningStats
    >>> from speechbrain_semamba.evaluation.score_pool import ScorePool
    >>> stats = RunningStats()
    >>> labels = PesqLabels(ScorePool(), stats)
    >>> silence = torch.zeros(1, 16000)
    >>> labels.wait(labels.start(silence, silence))
    tensor([nan])
    >>> stats.summary()
    {'pesq_failed': 1}
    """

    def __init__(self, pool, stats, device="cpu"):
        self.pool = pool
        self.stats = stats
        self.device = device

    def start(self, clean, estimate):
        """Hands a batch to the scoring processes.

        Arguments
        ---------
        clean : torch.Tensor
            Clean speech [batch, samples].
        estimate : torch.Tensor
            Enhanced speech [batch, samples].

        Returns
        -------
        list of concurrent.futures.Future
            For ``wait``.
        """
        pairs = zip(clean.cpu().numpy(), estimate.detach().cpu().numpy())
        return [self.pool.start(*pair) for pair in pairs]

    def wait(self, futures):
        """Waits for the scores.

        Arguments
        ---------
        futures : list of concurrent.futures.Future
            What ``start`` returned, of one batch or several.

        Returns
        -------
        torch.Tensor
            Labels, (PESQ - 1) / 3.5, NaN where PESQ failed [batch].
        """
        scores = [future.result()["pesq"] for future in futures]
        known = [score for score in scores if math.isfinite(score)]
        means = mean_everywhere(
            {
                "sum": sum(known),
                "known": len(known),
                "failed": len(scores) - len(known),
            },
            self.device,
        )
        if means["known"]:
            mean = means["sum"] / means["known"]
            self.stats.update({"pesq": mean}, weight=means["known"])
        _, size = rank_and_size()
        self.stats.count("pesq_failed", round(means["failed"] * size))
        labels = [pesq_label(score) for score in scores]
        return torch.tensor(labels, device=self.device)
