"""A Brain with an optimizer for each network, to be killed and resumed."""

import logging
import math

import speechbrain as sb
import torch
from speechbrain.utils.distributed import if_main_process
from torch.utils.data import DistributedSampler

from speechbrain_semamba.training.averaging import AveragedGenerator
from speechbrain_semamba.training.distributed import (
    gather_everywhere,
    mean_everywhere,
    rank_and_size,
)
from speechbrain_semamba.training.nonfinite import find_suspects
from speechbrain_semamba.training.running_stats import RunningStats
from speechbrain_semamba.training.seeding import seed_step
from speechbrain_semamba.training.stop_signal import StopSignal
from speechbrain_semamba.utils.workers import heed_parent_alone

logger = logging.getLogger(__name__)


class TrainingStopped(RuntimeError):
    """Training cannot go on; the message says why and what can be done."""


class ResumableBrain(sb.Brain):
    """What a run needs so that it can be left alone.

    Several networks, each with an optimizer and a schedule; files shared out
    over the processes; steps that are skipped on all processes if a loss or a
    gradient is not finite on one; checkpoints from which a run goes on as if
    it had not been interrupted. Subclasses fill ``window`` with the batches
    between two updates, call ``update`` for each network, then
    ``end_window``.

    The hparams give ``seed``, ``epoch_counter``, ``scheduler_class`` and
    ``ema_decay`` (0 for none).

    Arguments
    ---------
    modules : dict
        Networks by name; the average is that of ``generator``.
    opt_class : callable
        Makes an optimizer of parameters.
    hparams : dict
        Hyper-parameters, as in SpeechBrain.
    run_opts : dict
        Run options, as in SpeechBrain.
    checkpointer : speechbrain.utils.checkpoints.Checkpointer
        Gets what is to be saved.
    """

    def __init__(self, modules, opt_class, hparams, run_opts, checkpointer):
        super().__init__(modules, opt_class, hparams, run_opts, checkpointer)
        self.stop, self.stats, self.window = StopSignal(), RunningStats(), []
        checkpointer.add_recoverable("stats", self.stats)
        if self.optimizer_step_limit is not None:
            # the command line has it as text
            self.optimizer_step_limit = int(self.optimizer_step_limit)
        if self.compile and self.compile_module_keys is None:
            # spectral norm changes the discriminator between two passes of
            # one gradient, which only works uncompiled
            self.compile_module_keys = ["generator"]
        self.averaged = None
        if self.hparams.ema_decay:
            self.averaged = AveragedGenerator(
                self.modules.generator, self.hparams.ema_decay
            )
            checkpointer.add_recoverable("generator_ema", self.averaged)

    def init_optimizers(self):
        """One optimizer and one schedule for each network."""
        self.optimizers_dict, self.schedulers = {}, {}
        for name, module in self.modules.items():
            optimizer = self.opt_class(module.parameters())
            scheduler = self.hparams.scheduler_class(optimizer)
            self.optimizers_dict[name] = optimizer
            self.schedulers[name] = scheduler
            self.checkpointer.add_recoverables(
                {f"opt_{name}": optimizer, f"scheduler_{name}": scheduler}
            )

    def make_dataloader(
        self, dataset, stage, ckpt_prefix="dataloader-", **loader_kwargs
    ):
        """Deals the files out to the processes.

        Files to train on in an order that the seed and the epoch decide;
        others each exactly once, none twice to fill a batch.

        Arguments
        ---------
        dataset : Dataset
            The files.
        stage : Stage
            TRAIN, VALID or TEST.
        ckpt_prefix : str
            Begins the name under which the training's place is saved.
        **loader_kwargs : dict
            For the DataLoader, such as batch_size.

        Returns
        -------
        DataLoader
            Of this process's share.

        Raises
        ------
        ValueError
            If there are too few files for one update.
        """
        rank, size = rank_and_size()
        sampler = range(rank, len(dataset), size)
        if stage == sb.Stage.TRAIN:
            batch = loader_kwargs["batch_size"] * self.grad_accumulation_factor
            if len(dataset) < batch * size:
                raise ValueError(
                    "batch_size times accumulation times processes must not "
                    f"exceed the {len(dataset)} training files, but is "
                    f"{batch * size}"
                )
            sampler = self.train_sampler = DistributedSampler(
                dataset,
                size,
                rank,
                shuffle=loader_kwargs.pop("shuffle", True),
                seed=self.hparams.seed,
                drop_last=True,
            )
        loader = sb.dataio.dataloader.make_dataloader(
            dataset,
            sampler=sampler,
            worker_init_fn=heed_parent_alone,
            **loader_kwargs,
        )
        if stage == sb.Stage.TRAIN:
            self.checkpointer.add_recoverable(ckpt_prefix + stage.name, loader)
        return loader

    def raw(self, name):
        """A network without the wrappers of DDP and of compilation.

        Arguments
        ---------
        name : str
            Its key in ``modules``.

        Returns
        -------
        torch.nn.Module
            What the yaml made.
        """
        module = self.modules[name]
        module = getattr(module, "module", module)
        return getattr(module, "_orig_mod", module)

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

    def generator_for(self, stage):
        """The generator that a stage uses: to be trained, or to be judged.

        Arguments
        ---------
        stage : Stage
            TRAIN, VALID or TEST.

        Returns
        -------
        torch.nn.Module
            In training with its wrappers, else the average, if there is one.
        """
        if stage == sb.Stage.TRAIN:
            return self.modules.generator
        return self.averaged or self.raw("generator")

    def on_stage_start(self, stage, epoch=None):
        """Begins with an empty window."""
        self.window = []

    def start_window(self):
        """Seeds what is random in an update: dropout, differently each time
        and on each process, but always as the uninterrupted run does."""
        epoch, (rank, _) = self.hparams.epoch_counter.current, rank_and_size()
        seed_step(self.hparams.seed, epoch, self.step, rank)
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
        norm = torch.nn.utils.get_total_norm([p.grad for p in parameters])
        if self.max_grad_norm > 0:
            torch.nn.utils.clip_grads_with_norm_(
                parameters, self.max_grad_norm, norm
            )
        losses = {**losses, f"{name}_gradient": norm}
        losses = mean_everywhere(losses, self.device)
        if self.scaler.is_enabled():
            # which expects gradients beyond float16, and skips them itself
            finite = all(map(math.isfinite, list(losses.values())[:-1]))
        else:
            finite = all(map(math.isfinite, losses.values()))
        if finite:
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
        self.nonfinite_count += 1
        self.stats.count("skipped", 1)
        what = (
            f"step {self.step}: no update of the {' and '.join(self.skipped)}, "
            f"a loss or gradient is not finite; utterances {', '.join(names)}"
        )
        if if_main_process():
            logger.warning(what)
        if self.nonfinite_count > self.nonfinite_patience:
            raise TrainingStopped(
                f"stopped after {self.nonfinite_count} such steps in an epoch "
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

    def end_training_stage(self):
        """Saves, so that a run killed in its validation repeats only that.

        Returns
        -------
        dict
            Means and counts of the stage, by name.
        """
        self.window = []
        self._save_intra_epoch_ckpt()
        self.stop.check()
        return self.stats.summary()

    def end_epoch(self, meta, max_key):
        """Saves after the validation; keeps the best and the newest.

        Arguments
        ---------
        meta : dict
            What is known of the checkpoint: plain numbers by name.
        max_key : str
            The name in ``meta`` of what the best checkpoint has most of.
        """
        for scheduler in self.schedulers.values():
            scheduler.step()
        self.stats.reset()
        # among numbers a NaN has no place, and the best would be lost
        meta = {
            k: -math.inf if math.isnan(value) else value
            for k, value in meta.items()
        }
        # two of each: should the newest be damaged, there is one before it
        self.checkpointer.save_and_keep_only(
            meta=meta, max_keys=[max_key], num_to_keep=2
        )
        self.stop.check()

    def _should_save_intra_epoch_ckpt(self, *since):
        """Not inside a window: it is not saved."""
        whole = self.step % self.grad_accumulation_factor == 0
        return super()._should_save_intra_epoch_ckpt(*since) and whole
