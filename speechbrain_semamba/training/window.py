"""Updates of several networks, a window of batches at a time."""

import logging
import math

import torch
from speechbrain.utils.distributed import if_main_process

from speechbrain_semamba.training.nonfinite import find_suspects
from speechbrain_semamba.training.resumable import (
    ResumableBrain,
    TrainingStopped,
)
from speechbrain_semamba.utils.distributed import (
    gather_everywhere,
    mean_everywhere,
    rank_and_size,
)
from speechbrain_semamba.utils.seeding import seed_of

logger = logging.getLogger(__name__)


class WindowedBrain(ResumableBrain):
    """Updates several networks, a window of batches at a time.

    A subclass puts the batches between two updates into ``window``, calls
    ``start_window``, for each network ``backward`` of its losses and
    ``update``, and then ``end_window``. A step is skipped on all processes if
    a loss or a gradient is not finite on one.

    Arguments
    ---------
    *args
        As for ``ResumableBrain``.
    """

    def part(self, name):
        """A part of the generator, for a gradient of its own.

        Arguments
        ---------
        name : str
            The part's name in the generator.

        Returns
        -------
        torch.nn.Module
            None if the generator is compiled, and so all of a piece.
        """
        module = self.modules.generator
        if hasattr(getattr(module, "module", module), "_orig_mod"):
            return None
        return getattr(self.raw("generator"), name)

    def start_window(self):
        """Seeds what is random in an update: dropout, differently each time
        and on each process, but always as the uninterrupted run does."""
        epoch, (rank, _) = self.hparams.epoch_counter.current, rank_and_size()
        torch.manual_seed(seed_of(self.hparams.seed, epoch, self.step, rank))
        self.losses, self.skipped = {}, []

    def update(self, name, losses):
        """Steps an optimizer, unless a loss or the gradient is not finite.

        Arguments
        ---------
        name : str
            The network, a key of ``modules``.
        losses : dict
            Scalars by name, to decide on and to show.
        """
        optimizer = self.optimizers_dict[name]
        parameters = list(self.modules[name].parameters())
        self.scaler.unscale_(optimizer)
        gradients = [p.grad for p in parameters if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        if self.max_grad_norm > 0:
            torch.nn.utils.clip_grads_with_norm_(
                parameters, self.max_grad_norm, norm
            )
        losses = {**losses, f"{name}_gradient": norm}
        losses = mean_everywhere(losses, self.device)
        *values, norm = losses.values()
        # a scale that may be too large yet skips the step, and is lowered
        overflow = self.scaler.is_enabled() and self.scaler.get_scale() > 1
        if all(map(math.isfinite, values if overflow else [*values, norm])):
            self.scaler.step(optimizer)
        else:
            self.skipped.append(name)
        optimizer.zero_grad(set_to_none=True)
        self.stats.update(losses)
        self.losses.update(losses)

    def end_window(self):
        """Ends an update: averages, reports, and stops if it has to.

        Raises
        ------
        TrainingStopped
            If more updates of this epoch than ``nonfinite_patience`` had to
            be skipped.
        SystemExit
            If this process or another one was told to stop; a checkpoint is
            saved before.
        """
        self.scaler.update()
        if len(self.skipped) < len(self.modules):
            self.optimizer_step += 1
        if self.averaged is not None and "generator" not in self.skipped:
            self.averaged.update_parameters(self.raw("generator"))
        if self.skipped:
            self._report_skipped()
        self.window = []
        told = {"stop": self.stop.received is not None}
        if any(mean_everywhere(told, self.device).values()):
            self._save_intra_epoch_ckpt()
            self.stop.leave()

    def _report_skipped(self):
        """Names the step and its suspects; raises when patience ends."""
        rank, _ = rank_and_size()
        suspects = gather_everywhere({rank: find_suspects(self.window)})
        names = sum(suspects.values(), [])
        if not names:  # the fault lies elsewhere
            ids = [key for batch in self.window for key in batch["ids"]]
            names = sum(gather_everywhere({rank: ids}).values(), [])
        self.stats.count("skipped", 1)
        count = self.stats.summary()["skipped"]
        what = (
            f"step {self.step}: no update of the {' and '.join(self.skipped)}, "
            f"a loss or gradient is not finite; utterances {', '.join(names)}"
        )
        if if_main_process():
            logger.warning(what)
        if count > self.nonfinite_patience:
            raise TrainingStopped(
                f"stopped after {count} such steps in an epoch "
                f"(nonfinite_patience is {self.nonfinite_patience}), the last "
                f"in {what}; look at these files, lower lr or set max_grad_norm"
            )

    def update_average(self, loss, avg_loss):
        """The running means, as text: SpeechBrain hands it to the progress
        bar, and the stages have better ones than a float."""
        shown = self.stats.summary()
        others = "".join(
            f", {name}={shown[name]:.3g}"
            for name in ("discriminator", "pesq", "skipped")
            if name in shown
        )
        return f"{shown.get('loss', math.nan):.3f}{others}"

    def _should_save_intra_epoch_ckpt(self, *since):
        """Not inside a window: it is not saved."""
        whole = self.step % self.grad_accumulation_factor == 0
        return super()._should_save_intra_epoch_ckpt(*since) and whole
