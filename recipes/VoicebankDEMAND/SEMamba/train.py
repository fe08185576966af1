#!/usr/bin/env python3
"""Recipe for training SEMamba on VoiceBank-DEMAND.

> python train.py hparams/semamba.yaml --data_folder=/path/to/VoiceBank
> torchrun --nproc_per_node=4 train.py hparams/semamba.yaml --data_folder=...

A generator enhances, a discriminator learns to predict the PESQ of what it
makes. Both are updated on every batch, the discriminator first.
"""

import sys

import speechbrain as sb
import torch
from hyperpyyaml import load_hyperpyyaml
from ruamel.yaml.error import YAMLError
from speechbrain.utils.distributed import run_on_main

from speechbrain_semamba.checkpoints.checkpointer import UnfitCheckpoint
from speechbrain_semamba.checkpoints.model_folder import export_run
from speechbrain_semamba.dataio.pair_reader import PairReader
from speechbrain_semamba.dataio.recorded_pairs import UnusableFile
from speechbrain_semamba.evaluation import reports
from speechbrain_semamba.evaluation.file_scores import FileScores, means_by_kind
from speechbrain_semamba.evaluation.metrics import METRICS
from speechbrain_semamba.nnet import losses
from speechbrain_semamba.processing.precision import (
    at_least_float32,
    settle_precisions,
)
from speechbrain_semamba.training.pesq_labels import PesqLabels
from speechbrain_semamba.training.split_backward import backward_part
from speechbrain_semamba.training.window import TrainingStopped, WindowedBrain

MISTAKES = ImportError, KeyError, OSError, RuntimeError, ValueError, YAMLError
TRAIN, VALID, TEST = sb.Stage.TRAIN, sb.Stage.VALID, sb.Stage.TEST


class SEMambaBrain(WindowedBrain):
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
        out = self.compute_forward(batch.to(self.device), TRAIN)
        if "discriminator" in self.modules:
            out["scores"] = self.labels.start(out["clean"], out["wav_hat"])
        loss = self.compute_objectives(out, batch, TRAIN)
        share = loss / self.grad_accumulation_factor
        self.scaler.scale(share).backward()  # as far as the spectrum
        if self.grad_accumulation_factor == 1:
            self.backward_phase(out)
        self.window.append(out)
        if self.step % self.grad_accumulation_factor == 0:
            self.fit_window()
        return loss.detach()

    def backward_phase(self, out):
        """Sends the phase's gradient through its decoder.

        The discriminator has no part in it: there is time to compute PESQ.
        """
        _, phase_hat, features = out["graph"]
        decoder, gradient = self.part("phase_decoder"), out["phase_hat"].grad
        out["rest"] = backward_part(phase_hat, gradient, features, decoder)

    def generate(self, noisy, stage):
        """The generator's spectrum of a noisy one, and what its decoders got."""
        context = self.training_ctx if stage == TRAIN else self.evaluation_ctx
        with context:
            return self.generator_for(stage)(*noisy, return_features=True)

    def compute_forward(self, batch, stage):
        """Enhances a batch of waves whose level is already set.

        The spectrum that the losses get is a leaf: their gradient stays there
        until the window is whole, then it goes through the generator. With
        more than one batch in a window the generator runs again for that,
        rather than keep all that a gradient needs.
        """
        stft, is_train = self.hparams.stft, stage == TRAIN
        out = {"ids": batch.id, "clean": batch.clean.data}
        out["mag"], out["phase"] = stft.analyze(out["clean"])
        out["noisy"] = stft.analyze(batch.noisy.data)
        at_once = is_train and self.grad_accumulation_factor == 1
        with torch.set_grad_enabled(at_once):
            out["graph"] = self.generate(out["noisy"], stage)
        out["mag_hat"], out["phase_hat"] = (
            x.detach().requires_grad_(is_train) for x in out["graph"][:2]
        )
        out["wav_hat"] = stft.synthesize(
            out["mag_hat"], out["phase_hat"], out["clean"].shape[1]
        )
        return out

    def compute_objectives(self, out, batch, stage):
        """The generator's losses, all but that of the discriminator."""
        mag, mag_hat = out["mag"], out["mag_hat"]
        phase, phase_hat = out["phase"], out["phase_hat"]
        parts = {
            "magnitude": losses.magnitude_loss(mag_hat, mag),
            "phase": losses.phase_loss(phase_hat, phase),
            "complex": losses.complex_loss(mag_hat, phase_hat, mag, phase),
            "time": losses.time_loss(out["wav_hat"], out["clean"]),
            "consistency": losses.consistency_loss(
                mag_hat, phase_hat, out["wav_hat"], self.hparams.stft
            ),
        }
        out["parts"] = {name: part.detach() for name, part in parts.items()}
        return self.weigh(parts)

    def weigh(self, parts):
        """The weighted sum of losses."""
        weights = self.hparams.loss_weights
        return sum(weights[name] * part for name, part in parts.items())

    def fit_window(self):
        """One step of each network, in the order of the official code."""
        self.start_window()
        parts = [out["parts"] for out in self.window]
        parts = {k: sum(p[k] for p in parts) / len(parts) for k in parts[0]}
        if "discriminator" in self.modules:
            loss = self.discriminator_loss()
            self.scaler.scale(loss).backward()
            self.update("discriminator", {"discriminator": loss})
            parts["metric"] = self.metric_loss()
        parts["loss"] = self.weigh(parts)
        for out in self.window:
            with self.no_sync(out is not self.window[-1]):
                if self.grad_accumulation_factor > 1:
                    out["graph"] = self.generate(out["noisy"], TRAIN)
                    self.backward_phase(out)
                rest, gradient = out["rest"]
                torch.autograd.backward(
                    [out["graph"][0], rest], [out["mag_hat"].grad, gradient]
                )
        self.update("generator", parts)
        self.end_window()

    def discriminator_loss(self):
        """How well the discriminator predicts the window's PESQ."""
        discriminator = self.modules.discriminator
        mag, mag_hat = self.cat("mag"), self.cat("mag_hat").detach()
        with self.training_ctx:
            score_clean = at_least_float32(discriminator(mag, mag))
            score_hat = at_least_float32(discriminator(mag, mag_hat))
        labels = self.labels.wait(sum((o["scores"] for o in self.window), []))
        return losses.discriminator_loss(score_clean, score_hat, labels)

    def cat(self, key):
        """A tensor of the whole window."""
        return torch.cat([out[key] for out in self.window])

    def metric_loss(self):
        """What the updated discriminator thinks; adds to the gradients."""
        discriminator = self.raw("discriminator")
        with self.training_ctx:
            score = discriminator(self.cat("mag"), self.cat("mag_hat"))
        loss = losses.metric_loss(at_least_float32(score))
        share = self.hparams.loss_weights["metric"] * loss
        self.scaler.scale(share).backward(
            inputs=[out["mag_hat"] for out in self.window]
        )
        return loss.detach()

    @torch.no_grad()
    def evaluate_batch(self, batch, stage):
        """Enhances a whole utterance; while it is scored, others follow."""
        self.stop.check()
        out = self.compute_forward(batch.to(self.device), stage)
        loss = self.compute_objectives(out, batch, stage)
        parts = {
            k: v.item() for k, v in (("loss", loss), *out["parts"].items())
        }
        waves = batch.noisy.data, out["wav_hat"], out["clean"]
        waves = (wav[0].cpu() for wav in waves)
        kinds = "noisy", "enhanced", "clean"
        self.files.start(batch.id[0], parts, dict(zip(kinds, waves)))
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
        if stage == VALID:
            self.report_epoch(means_by_kind(scores), epoch)
        else:
            self.report_test(means_by_kind(scores), scores)

    def report_epoch(self, means, epoch):
        """After validation: logs, learning rate, checkpoint."""
        stats = {**means["losses"], **means["enhanced"]}
        lr = self.schedulers["generator"].get_last_lr()[0]
        log, meta = self.hparams.train_logger, {"epoch": epoch, "lr": lr}
        reports.log_stats(
            log, meta, train_stats=self.train_stats, valid_stats=stats
        )
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
        reports.publish(self.hparams.test_scores, means, scores)


def dataio_prep(hparams, data_root):
    """Datasets of pairs, which the yaml says how to make."""
    datasets = {}
    for name, pairs in hparams["pairs"].items():
        counter = hparams["epoch_counter"] if name == "train" else None
        datasets[name] = sb.dataio.dataset.DynamicItemDataset.from_json(
            hparams[f"{name}_json"], replacements={"data_root": data_root}
        )
        datasets[name].add_dynamic_item(
            PairReader(pairs, counter), [*pairs.takes, "id"], ["noisy", "clean"]
        )
        datasets[name].set_output_keys(["id", "noisy", "clean"])
    return datasets


def set_up():
    """Reads the hyper-parameters, prepares the data, makes the Brain."""
    hparams_file, run_opts, overrides = sb.parse_arguments(sys.argv[1:])
    sb.utils.distributed.ddp_init_group(run_opts)
    with open(hparams_file, encoding="utf-8") as file:
        hparams = load_hyperpyyaml(file, overrides)
    sb.create_experiment_directory(
        experiment_directory=hparams["output_folder"],
        hyperparams_to_save=hparams_file,
        overrides=overrides,
    )
    datasets = dataio_prep(hparams, run_on_main(hparams["prepare"]))
    if "pretrainer" in hparams:
        hparams["pretrainer"].collect_files()
        hparams["pretrainer"].load_collected()
    precisions = "precision", "eval_precision"
    run_opts = settle_precisions(run_opts, hparams, precisions)
    brain = SEMambaBrain(
        modules=hparams["modules"],
        opt_class=hparams["opt_class"],
        hparams=hparams,
        run_opts=run_opts,
        checkpointer=hparams["checkpointer"],
    )
    brain.hparams.stft.to(brain.device)
    loaders = [
        brain.make_dataloader(
            datasets[name], stage, **hparams[f"{name}_dataloader_opts"]
        )
        for name, stage in (("train", TRAIN), ("valid", VALID), ("test", TEST))
    ]
    return hparams, brain, loaders


def main():
    """Trains, tests, exports."""
    try:
        hparams, brain, (train, valid, test) = set_up()
    except MISTAKES as error:
        sys.exit(f"train.py: error: {getattr(error, 'problem', error)}")
    try:
        with brain.stop:
            brain.fit(hparams["epoch_counter"], train, valid)
            brain.evaluate(test, max_key="pesq")
        if not brain.debug:  # which keeps no checkpoint
            folders = [hparams["output_folder"], hparams["model_folder"]]
            run_on_main(export_run, folders, {"overwrite": True})
    except (OSError, TrainingStopped, UnfitCheckpoint, UnusableFile) as error:
        # of what a DataLoader's worker raised, the last line is the message
        sys.exit(f"train.py: {str(error).strip().splitlines()[-1]}")
    finally:
        hparams["score_pool"].close()


if __name__ == "__main__":
    main()
