"""A Brain with an optimizer for each network, to be killed and resumed."""

import math

import speechbrain as sb
from torch.utils.data import DataLoader

from speechbrain_semamba.training.averaging import AveragedGenerator
from speechbrain_semamba.training.running_stats import RunningStats
from speechbrain_semamba.training.sharding import shard
from speechbrain_semamba.training.stop_signal import (
    StopSignal,
    TrainingStopped,
)
from speechbrain_semamba.training.trial import check_optimizer
from speechbrain_semamba.training.window import Window
from speechbrain_semamba.utils.checks import check_counts, check_keywords
from speechbrain_semamba.utils.distributed import unwrapped
from speechbrain_semamba.utils.progress import library_bars
from speechbrain_semamba.utils.workers import (
    heed_parent_alone,
    sheltered_context,
)


class ResumableBrain(sb.Brain):
    """What a run needs so that it can be left alone.

    Several networks, each with an optimizer and a schedule; files shared out
    over the processes; checkpoints from which a run goes on as if it had not
    been interrupted.

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
        check_counts(grad_accumulation_factor=self.grad_accumulation_factor)
        check_optimizer(self.opt_class, self.hparams.scheduler_class)
        self.stop, self.stats = StopSignal(), RunningStats()
        self.window = Window(self)
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

    def fit(self, *args, **kwargs):
        """As in SpeechBrain; its bars show more, and spare log files."""
        with library_bars(sb.core, more=self.shown):
            super().fit(*args, **kwargs)

    def evaluate(self, *args, **kwargs):
        """As in SpeechBrain, with the bars of ``fit``."""
        with library_bars(sb.core):
            return super().evaluate(*args, **kwargs)

    def shown(self):
        """Means and counts that the bar shows beside the loss."""
        names = "discriminator", "pesq", "skipped"
        return {k: v for k, v in self.stats.summary().items() if k in names}

    def on_fit_start(self):
        """As in SpeechBrain."""
        super().on_fit_start()
        if self.optimizer_step:  # in a process before this one
            for optimizer in self.optimizers_dict.values():
                # else a schedule's step warns that it comes too early
                optimizer._opt_called = True

    def on_evaluate_start(self, max_key=None, min_key=None):
        """Recovers the best checkpoint; pretrained weights do without one.

        Arguments
        ---------
        max_key : str
            The score that it has most of.
        min_key : str
            The score that it has least of.

        Raises
        ------
        TrainingStopped
            If there is none.
        """
        found = self.checkpointer.recover_if_possible(
            max_key=max_key, min_key=min_key
        )
        pretrainer = getattr(self.hparams, "pretrainer", None)
        pretrained = getattr(pretrainer, "loadables", ())
        if found is None and "generator" not in pretrained:
            raise TrainingStopped(
                f"there is no checkpoint in {self.checkpointer.checkpoints_dir}"
                " to be tested; train for at least one epoch, or score a model"
                " folder with hparams/semamba_finetune.yaml"
            )

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
        """A loader of this process's share of the files, see ``shard``.

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
            Its place in the epoch is saved and recovered, if it trains.
        """
        check_keywords(
            f"{stage.name.lower()}_dataloader_opts", DataLoader, loader_kwargs
        )
        sampler = shard(
            dataset,
            stage,
            loader_kwargs["batch_size"],
            self.grad_accumulation_factor,
            self.hparams.seed,
            loader_kwargs.pop("shuffle", True),
        )
        if loader_kwargs.get("num_workers"):
            loader_kwargs.setdefault(
                "multiprocessing_context", sheltered_context()
            )
        loader = sb.dataio.dataloader.make_dataloader(
            dataset,
            sampler=sampler,
            worker_init_fn=heed_parent_alone,
            **loader_kwargs,
        )
        if stage == sb.Stage.TRAIN:
            self.train_sampler = sampler
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
        return unwrapped(self.modules[name])

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
        self.window.clear()

    def _should_save_intra_epoch_ckpt(self, *since):
        """Not inside a window: its batches are not saved."""
        whole = self.step % self.grad_accumulation_factor == 0
        return super()._should_save_intra_epoch_ckpt(*since) and whole

    def end_training_stage(self):
        """Saves, so that a run killed in its validation repeats only that.

        Returns
        -------
        dict
            Means and counts of the stage, by name.
        """
        self.window.clear()
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
