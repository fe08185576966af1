#!/usr/bin/env python3
"""Recipe for training SEMamba on VoiceBank-DEMAND.

> python train.py hparams/semamba.yaml --data_folder=/path/to/VoiceBank
> torchrun --nproc_per_node=4 train.py hparams/semamba.yaml --data_folder=...

A generator enhances, a discriminator learns to predict the PESQ of what it
makes. Both are updated on every batch, the discriminator first.
"""

# ruff: noqa: E402
import signal

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # the imports take seconds, in which Ctrl-C has nothing to put in order
    if __name__ == "__main__":
        signal.signal(signal.SIGINT, signal.SIG_DFL)

import contextlib
import sys
from functools import partial

import speechbrain as sb
import torch

from speechbrain_semamba.checkpoints.checkpoint_reader import UnfitCheckpoint
from speechbrain_semamba.checkpoints.export import export_run
from speechbrain_semamba.dataio.pair_reader import make_datasets
from speechbrain_semamba.dataio.recorded_pairs import UnusableFile
from speechbrain_semamba.evaluation import reports
from speechbrain_semamba.evaluation.file_scores import FileScores, means_by_kind
from speechbrain_semamba.evaluation.metrics import METRICS
from speechbrain_semamba.nnet import losses, objective
from speechbrain_semamba.processing.precision import (
    at_least_float32,
    settle_precisions,
)
from speechbrain_semamba.training import split_backward
from speechbrain_semamba.training.command_line import read_command
from speechbrain_semamba.training.enhanced_batch import EnhancedBatch
from speechbrain_semamba.training.pesq_labels import PesqLabels
from speechbrain_semamba.training.resumable import ResumableBrain
from speechbrain_semamba.training.run_folder import check_outputs, run_folder
from speechbrain_semamba.training.stop_signal import TrainingStopped
from speechbrain_semamba.training.trial import check_generator
from speechbrain_semamba.utils.distributed import call_on_main, leave_group
from speechbrain_semamba.utils.mistakes import MISTAKES, mistakes_in_one_line

MISHAPS = OSError, TrainingStopped, UnfitCheckpoint, UnusableFile
IF_SHORT = "lower batch_size or segment_seconds"
in_one_line = partial(mistakes_in_one_line, "train.py", if_short=IF_SHORT)
#: Whose gradient need not wait for the discriminator
PART = "phase_decoder"
TRAIN, VALID, TEST = sb.Stage.TRAIN, sb.Stage.VALID, sb.Stage.TEST


class SEMambaBrain(ResumableBrain):
    """Alternates discriminator and generator steps.

    The batches between two updates are a window. The discriminator sees a
    window as one batch, and the generator the updated discriminator: so
    ``grad_accumulation_factor`` K is the same as batches K times larger.
    """

    def __init__(self, modules, opt_class, hparams, run_opts, checkpointer):
        if not hparams["loss_weights"]["metric"]:
            modules = {"generator": modules["generator"]}
            checkpointer.recoverables.pop("discriminator", None)
        super().__init__(modules, opt_class, hparams, run_opts, checkpointer)
        self.labels = PesqLabels(hparams["score_pool"], self.stats, self.device)

    def fit_batch(self, batch):
        """Adds a batch to the window, whose last one updates the networks."""
        enhanced = self.compute_forward(batch.to(self.device), TRAIN)
        if "discriminator" in self.modules:
            pairs = enhanced.clean, enhanced.wav_hat
            enhanced.scores = self.labels.start(*pairs)
        parts = self.compute_objectives(enhanced, batch, TRAIN)
        enhanced.losses = {k: v.detach() for k, v in parts.items()}
        loss = self.weigh(parts)
        share = loss / self.grad_accumulation_factor
        self.scaler.scale(share).backward()  # as far as the spectrum
        if self.grad_accumulation_factor == 1:
            self.backward_phase(enhanced)
        self.window.batches.append(enhanced)
        if self.step % self.grad_accumulation_factor == 0:
            self.fit_window()
        return loss.detach()

    def backward_phase(self, enhanced):
        """Sends the phase's gradient through its decoder.

        The discriminator has no part in it: there is time to compute PESQ.
        """
        _, phase_hat, seam = enhanced.output
        decoder = split_backward.part_of(self.modules.generator, PART)
        gradient = enhanced.phase_hat.grad
        enhanced.pending = split_backward.backward_part(
            phase_hat, gradient, seam, decoder
        )

    def generate(self, noisy, stage, lengths=None):
        """The generator's spectrum of a noisy one, and the seam in its graph."""
        context = self.training_ctx if stage == TRAIN else self.evaluation_ctx
        decoder = split_backward.part_of(self.modules.generator, PART)
        with context, split_backward.seam_before(decoder) as seam:
            return *self.generator_for(stage)(*noisy, lengths), seam

    def compute_forward(self, batch, stage):
        """Enhances a batch of waves whose level is already set.

        With more than one batch in a window the generator runs again when
        its gradient is wanted, rather than keep all that this needs.
        """
        stft, is_train = self.hparams.stft, stage == TRAIN
        wavs, lengths = batch.noisy
        lengths = None if is_train or len(wavs) == 1 else lengths
        noisy = stft.analyze(wavs, lengths)
        frames = stft.frame_lengths(lengths, wavs.shape[1])
        at_once = is_train and self.grad_accumulation_factor == 1
        with torch.set_grad_enabled(at_once):
            output = self.generate(noisy, stage, frames)
        return EnhancedBatch.of(batch, noisy, output, stft, is_train)

    def compute_objectives(self, predictions, batch, stage):
        """The generator's losses by name, all but that of the discriminator."""
        return objective.generator_losses(
            predictions.estimate,
            predictions.target,
            self.hparams.stft,
            self.hparams.loss_weights,
        )

    def weigh(self, parts):
        """The weighted sum of losses."""
        return objective.weighted_sum(parts, self.hparams.loss_weights)

    def fit_window(self):
        """One step of each network, in the order of the official code."""
        window, batches = self.window, self.window.batches
        window.begin()
        parts = {
            name: sum(batch.losses[name] for batch in batches) / len(batches)
            for name in batches[0].losses
        }
        if "discriminator" in self.modules:
            loss = self.discriminator_loss()
            self.scaler.scale(loss).backward()
            window.update("discriminator", {"discriminator": loss})
            parts["metric"] = self.metric_loss()
        parts["loss"] = self.weigh(parts)
        for batch in batches:
            with self.no_sync(batch is not batches[-1]):
                self.backward_rest(batch)
        window.update("generator", parts)
        window.end()

    def backward_rest(self, batch):
        """Sends what gradients are left through the generator."""
        if self.grad_accumulation_factor > 1:
            batch.output = self.generate(batch.noisy, TRAIN)
            self.backward_phase(batch)
        pending, gradient = batch.pending
        torch.autograd.backward(
            [batch.output[0], pending], [batch.mag_hat.grad, gradient]
        )

    def discriminator_loss(self):
        """How well the discriminator predicts the window's PESQ."""
        discriminator, window = self.modules.discriminator, self.window
        mag, mag_hat = (x.detach() for x in window.joined("mag", "mag_hat"))
        with self.training_ctx:
            score_clean = at_least_float32(discriminator(mag, mag))
            score_hat = at_least_float32(discriminator(mag, mag_hat))
        scores = sum((batch.scores for batch in window.batches), [])
        labels = self.labels.wait(scores)
        return losses.discriminator_loss(score_clean, score_hat, labels)

    def metric_loss(self):
        """What the updated discriminator thinks; adds to the gradients."""
        discriminator, window = self.raw("discriminator"), self.window
        with self.training_ctx:
            score = discriminator(*window.joined("mag", "mag_hat"))
        loss = losses.metric_loss(at_least_float32(score))
        share = self.hparams.loss_weights["metric"] * loss
        self.scaler.scale(share).backward(
            inputs=[batch.mag_hat for batch in window.batches]
        )
        return loss.detach()

    @torch.no_grad()
    def evaluate_batch(self, batch, stage):
        """Enhances whole utterances; while they are scored, others follow."""
        self.stop.check()
        enhanced = self.compute_forward(batch.to(self.device), stage)
        items = enhanced.utterances(batch.noisy.lengths, self.hparams.stft)
        sources = getattr(batch, "noisy_wav", [None] * len(batch))
        losses = [self.judge(*both, stage) for both in zip(items, sources)]
        return torch.stack(losses).mean()

    def judge(self, enhanced, source, stage):
        """Starts the scores of one utterance and returns its loss."""
        parts = self.compute_objectives(enhanced, None, stage)
        loss, key, waves = self.weigh(parts), enhanced.ids[0], enhanced.waves
        self.files.start(key, {"loss": loss, **parts}, waves)
        if stage == TEST:
            self.hparams.enhanced_files.write(key, waves["enhanced"], source)
        return loss

    def on_stage_start(self, stage, epoch=None):
        """Gets ready to score files."""
        super().on_stage_start(stage, epoch)
        metrics, kinds = ["pesq", "stoi"], ["enhanced"]
        if stage == TEST:
            metrics, kinds = list(METRICS), ["noisy", "enhanced"]
        pool, num_kept = self.hparams.score_pool, self.hparams.num_logged_files
        self.files = FileScores(pool, metrics, kinds, num_kept)

    def on_stage_end(self, stage, stage_loss, epoch=None):
        """Logs, and saves the checkpoint."""
        if stage == TRAIN:
            self.train_stats = self.end_training_stage()
            return
        scores = self.files.finish(not self.noprogressbar, self.stop.check)
        means = means_by_kind(scores)
        if stage == VALID:
            self.report_epoch(means, epoch)
        else:
            self.report_test(means, scores)

    def report_epoch(self, means, epoch):
        """After validation: logs, learning rate, checkpoint."""
        stats = {**means["losses"], **means["enhanced"]}
        lr = self.schedulers["generator"].get_last_lr()[0]
        parts = {"train_stats": self.train_stats, "valid_stats": stats}
        meta = {"epoch": epoch, "lr": lr}
        reports.log_stats(self.hparams.train_logger, meta, **parts)
        train, files = {"lr": lr, **self.train_stats}, self.files.kept
        self.hparams.tensorboard.log_epoch(epoch, train, stats, files)
        self.end_epoch({"epoch": epoch, "pesq": stats["pesq"]}, max_key="pesq")

    def report_test(self, means, scores):
        """Logs the test, beside the scores of the noisy files."""
        noisy = {f"noisy_{k}": v for k, v in means["noisy"].items()}
        reports.log_stats(
            self.hparams.train_logger,
            {"epoch loaded": self.hparams.epoch_counter.current},
            test_stats={**means["losses"], **means["enhanced"], **noisy},
        )
        reports.publish(self.hparams.test_scores, scores)


def set_up(command):
    """Reads the hyper-parameters, makes the Brain, prepares the data."""
    hparams = command.load()
    call_on_main(check_outputs, hparams)
    sb.create_experiment_directory(
        hparams["output_folder"], command.hparams_file, command.overrides
    )
    if "pretrainer" in hparams:
        hparams["pretrainer"].collect_files()
        hparams["pretrainer"].load_collected()
    run_opts = settle_precisions(command.run_opts, hparams)
    made = (hparams[key] for key in ("modules", "opt_class", "checkpointer"))
    modules, opt_class, checkpointer = made
    brain = SEMambaBrain(modules, opt_class, hparams, run_opts, checkpointer)
    stft = hparams["stft"].to(brain.device)
    check_generator(brain.raw("generator"), stft, brain.device)
    datasets = make_datasets(hparams, call_on_main(hparams["prepare"]))
    loaders = [
        brain.make_dataloader(
            datasets[name], stage, **hparams[f"{name}_dataloader_opts"]
        )
        for name, stage in (("train", TRAIN), ("valid", VALID), ("test", TEST))
    ]
    return hparams, brain, loaders


def main():
    """Trains, tests, exports."""
    with contextlib.ExitStack() as held:
        with in_one_line(*MISTAKES):
            command = read_command(sys.argv[1:])
            sb.utils.distributed.ddp_init_group(command.run_opts)
            held.callback(leave_group)
            record = held.enter_context(run_folder(command))
            hparams, brain, (train, valid, test) = set_up(command)
            held.callback(hparams["score_pool"].close)
        with in_one_line(*MISHAPS), brain.stop:
            if not brain.debug:  # which keeps no checkpoint
                call_on_main(record.write)
            brain.fit(hparams["epoch_counter"], train, valid)
            brain.evaluate(test, max_key="pesq")
        if brain.debug or not hparams["epoch_counter"].current:
            return
        with in_one_line(*MISTAKES):
            folders = hparams["output_folder"], hparams["model_folder"]
            call_on_main(export_run, *folders, "pesq", True)


if __name__ == "__main__":
    main()
