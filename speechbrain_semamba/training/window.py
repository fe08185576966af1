"""The batches between two updates, and the updates of the networks."""

import logging
import math

import torch
from speechbrain.utils.distributed import if_main_process

from speechbrain_semamba.training.stop_signal import TrainingStopped
from speechbrain_semamba.utils.distributed import (
    gather_everywhere,
    mean_everywhere,
    rank_and_size,
)
from speechbrain_semamba.utils.seeding import seed_of

logger = logging.getLogger(__name__)


class Window:
    """The batches between two updates, and what became of these updates.

    ``begin``, then for each network ``update`` when its gradients are there,
    then ``end``. An update is skipped on all processes if a loss or a
    gradient is not finite on one.

    Arguments
    ---------
    brain : speechbrain_semamba.training.resumable.ResumableBrain
        Whose networks are updated.
    """

    def __init__(self, brain):
        self.brain = brain
        #: list of EnhancedBatch since the last update
        self.batches = []
        #: floats by name, and names of networks, of the last update
        self.losses, self.skipped = {}, []

    def clear(self):
        """Forgets the batches: those of an epoch's end may fill no window."""
        self.batches = []

    def joined(self, *fields):
        """Tensors of all its batches.

        Arguments
        ---------
        *fields : str
            Tensors of ``EnhancedBatch``.

        Returns
        -------
        list of torch.Tensor
            Each [batches * batch, ...].
        """
        return [
            torch.cat([getattr(batch, field) for batch in self.batches])
            for field in fields
        ]

    def begin(self):
        """Seeds what is random in an update: dropout, differently each time
        and on each process, but always as the uninterrupted run does."""
        brain, (rank, _) = self.brain, rank_and_size()
        seed, epoch = brain.hparams.seed, brain.hparams.epoch_counter.current
        torch.manual_seed(seed_of(seed, epoch, brain.step, rank))
        self.losses, self.skipped = {}, []

    def update(self, name, losses):
        """Steps an optimizer, unless a loss or the gradient is not finite.

        Arguments
        ---------
        name : str
            The network, a key of the Brain's ``modules``.
        losses : dict
            Scalars by name, to decide on and to show.
        """
        brain = self.brain
        optimizer = brain.optimizers_dict[name]
        brain.scaler.unscale_(optimizer)
        norm = clip(brain.modules[name].parameters(), brain.max_grad_norm)
        losses = {**losses, f"{name}_gradient": norm}
        losses = mean_everywhere(losses, brain.device)
        *values, norm = losses.values()
        # a scale that may be too large yet skips the step, and is lowered
        overflow = brain.scaler.is_enabled() and brain.scaler.get_scale() > 1
        if all(map(math.isfinite, values if overflow else [*values, norm])):
            brain.scaler.step(optimizer)
        else:
            self.skipped.append(name)
        optimizer.zero_grad(set_to_none=True)
        brain.stats.update(losses)
        self.losses.update(losses)

    def end(self):
        """Ends the updates: counts, averages, reports, stops if it has to.

        Raises
        ------
        TrainingStopped
            If more updates of this epoch than ``nonfinite_patience`` had to
            be skipped.
        SystemExit
            If this process or another one was told to stop; a checkpoint is
            saved before.
        """
        brain = self.brain
        brain.scaler.update()
        if len(self.skipped) < len(brain.modules):
            brain.optimizer_step += 1
        if brain.averaged is not None and "generator" not in self.skipped:
            brain.averaged.update_parameters(brain.raw("generator"))
        if self.skipped:
            self._report_skipped()
        self.clear()
        stopped = {"stopped": brain.stop.received is not None}
        if any(mean_everywhere(stopped, brain.device).values()):
            brain._save_intra_epoch_ckpt()
            brain.stop.leave()

    def find_suspects(self):
        """Utterances with a value or a gradient that is not finite.

        Returns
        -------
        list of str
            Their ids, of all processes; those of the whole window if the
            fault lies elsewhere.
        """
        rank, _ = rank_and_size()
        finite = {
            key: is_finite
            for batch in self.batches
            for key, is_finite in zip(batch.ids, batch.is_finite())
        }
        ids = gather_everywhere({rank: finite}).values()
        suspects = [k for part in ids for k in part if not part[k]]
        return suspects or [key for part in ids for key in part]

    def _report_skipped(self):
        """Names the step and its suspects; raises when patience ends."""
        brain = self.brain
        brain.stats.count("skipped", 1)
        count = brain.stats.summary()["skipped"]
        what = (
            f"step {brain.step}: no update of the "
            f"{' and '.join(self.skipped)}, a loss or gradient is not finite; "
            f"utterances {', '.join(self.find_suspects())}"
        )
        if if_main_process():
            logger.warning(what)
        if count > brain.nonfinite_patience:
            raise TrainingStopped(
                f"stopped after {count} such steps in an epoch "
                f"(nonfinite_patience is {brain.nonfinite_patience}), the last "
                f"in {what}; look at these files, lower lr or set max_grad_norm"
            )


def clip(parameters, max_norm):
    """The norm of all gradients; clips them if asked to.

    Arguments
    ---------
    parameters : iterable of torch.nn.Parameter
        Whose gradients; those without one do not count.
    max_norm : float
        What the norm may be at most; 0 clips nothing.

    Returns
    -------
    torch.Tensor
        Scalar, before the clipping.

    Example
    -------
    >>> weight = torch.nn.Parameter(torch.zeros(2))
    >>> weight.grad = torch.tensor([3.0, 4.0])
    >>> clip([weight], max_norm=1.0), weight.grad
    (tensor(5.), tensor([0.6000, 0.8000]))
    """
    parameters = [p for p in parameters if p.grad is not None]
    norm = torch.nn.utils.get_total_norm([p.grad for p in parameters])
    if max_norm > 0:
        torch.nn.utils.clip_grads_with_norm_(parameters, max_norm, norm)
    return norm
