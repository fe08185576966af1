#!/usr/bin/env python3
"""Recipe for training SEMamba on VoiceBank-DEMAND.

> python train.py hparams/semamba.yaml --data_folder=/path/to/VoiceBank
> torchrun --nproc_per_node=4 train.py hparams/semamba.yaml --data_folder=...

A generator enhances, a discriminator learns to predict the PESQ of what it
makes. Both are updated on every batch, the discriminator first.
"""

import logging
import sys

import speechbrain as sb
import torch
from hyperpyyaml import load_hyperpyyaml
from speechbrain.utils.distributed import if_main_process, run_on_main
from voicebank_prepare import prepare_voicebank

from speechbrain_semamba.nnet import losses
from speechbrain_semamba.processing.segments import crop_pair, read_pair
from speechbrain_semamba.utils import reports
from speechbrain_semamba.utils.distributed import finite_everywhere
from speechbrain_semamba.utils.metrics import METRICS, mean_scores, pesq_label
from speechbrain_semamba.utils.model_folder import export_run

logger = logging.getLogger(__name__)


class SEMambaBrain(sb.Brain):
    """Alternates discriminator and generator steps."""

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

    def raw(self, name):
        """A network without the wrapper of DistributedDataParallel."""
        module = self.modules[name]
        return getattr(module, "module", module)

    def fit_batch(self, batch):
        """One training step, in the order of the official code."""
        should_step = self.step % self.grad_accumulation_factor == 0
        batch = batch.to(self.device)
        with self.no_sync(not should_step):
            with self.training_ctx:
                out = self.compute_forward(batch, sb.Stage.TRAIN)
            scores = self.start_pesq(out)
            with self.training_ctx:
                d_loss = self.discriminator_loss(out, scores)
            stepped = self.update("discriminator", d_loss, should_step)

            discriminator = self.raw("discriminator").requires_grad_(False)
            with self.training_ctx:
                loss = self.compute_objectives(out, batch, sb.Stage.TRAIN)
            discriminator.requires_grad_(True)
            stepped = self.update("generator", loss, should_step) or stepped
        if stepped:
            self.scaler.update()
            self.optimizer_step += 1
        self.check_loss_isfinite(loss.detach() + d_loss.detach())
        self.parts.append({**out["parts"], "discriminator": d_loss.detach()})
        return loss.detach()

    def compute_forward(self, batch, stage):
        """Enhances a batch of waves whose level is already set."""
        stft = self.hparams.stft
        out = {"clean": batch.clean.data, "noisy": batch.noisy.data}
        out["mag"], out["phase"] = stft.analyze(out["clean"])
        generator = self.modules.generator
        if stage != sb.Stage.TRAIN:
            generator = self.raw("generator")
        noisy = stft.analyze(out["noisy"])
        out["mag_hat"], out["phase_hat"] = generator(*noisy)
        out["wav_hat"] = stft.synthesize(
            out["mag_hat"], out["phase_hat"], out["clean"].shape[1]
        )
        return out

    def start_pesq(self, out):
        """Hands the batch to the scoring processes."""
        clean, wav_hat = (
            list(out[key].detach().cpu().numpy())
            for key in ("clean", "wav_hat")
        )
        return self.hparams.score_pool.start(clean, wav_hat)

    def discriminator_loss(self, out, scores):
        """How well the discriminator predicts PESQ."""
        discriminator, mag = self.modules.discriminator, out["mag"]
        score_clean = discriminator(mag, mag).float()
        score_hat = discriminator(mag, out["mag_hat"].detach()).float()
        labels = [pesq_label(score["pesq"]) for score in scores]
        labels = torch.tensor(labels, device=self.device)
        return losses.discriminator_loss(score_clean, score_hat, labels)

    def compute_objectives(self, out, batch, stage):
        """The generator's loss; the metric term is for training alone."""
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
        if stage == sb.Stage.TRAIN:
            score = self.raw("discriminator")(mag, mag_hat).float()
            parts["metric"] = losses.metric_loss(score)
        weights = self.hparams.loss_weights
        out["parts"] = {name: part.detach() for name, part in parts.items()}
        return sum(weights[name] * part for name, part in parts.items())

    def update(self, name, loss, should_step):
        """Backward and, if it is time, a step; whether there was a step."""
        optimizer = self.optimizers_dict[name]
        if not finite_everywhere(loss):
            logger.warning("no update of the %s: loss not finite", name)
            optimizer.zero_grad(set_to_none=True)
            return False
        self.scaler.scale(loss / self.grad_accumulation_factor).backward()
        if not should_step:
            return False
        if self.max_grad_norm > 0:
            self.scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(
                self.modules[name].parameters(), self.max_grad_norm
            )
        self.scaler.step(optimizer)
        optimizer.zero_grad(set_to_none=True)
        return True

    def _should_save_intra_epoch_ckpt(self, *since):
        """Not inside an accumulation window: gradients are not saved."""
        whole = self.step % self.grad_accumulation_factor == 0
        return super()._should_save_intra_epoch_ckpt(*since) and whole

    @torch.no_grad()
    def evaluate_batch(self, batch, stage):
        """Enhances whole utterances and keeps them to be scored."""
        batch = batch.to(self.device)
        with self.evaluation_ctx:
            out = self.compute_forward(batch, stage)
            loss = self.compute_objectives(out, batch, stage)
        self.parts.append(out["parts"])
        kinds = {"noisy": "noisy", "enhanced": "wav_hat", "clean": "clean"}
        for i, name in enumerate(batch.id):
            self.waves[name] = {k: out[v][i].cpu() for k, v in kinds.items()}
        return loss.cpu()

    def on_stage_start(self, stage, epoch=None):
        """Forgets what the stage before has gathered."""
        self.parts, self.waves = [], {}

    def on_stage_end(self, stage, stage_loss, epoch=None):
        """Scores, logs, and saves the checkpoint."""
        stats = {"loss": float(stage_loss), **reports.mean_losses(self.parts)}
        if stage == sb.Stage.TRAIN:
            self.train_stats = stats
            return
        metrics = ["pesq"] if stage == sb.Stage.VALID else list(METRICS)
        scores = self.score("enhanced", metrics)
        stats.update(mean_scores(list(scores.values())))
        if stage == sb.Stage.VALID:
            self.end_epoch(stats, epoch)
        else:
            self.report_test(stats, scores)

    def score(self, kind, metrics):
        """Scores the stage's waves of a kind, by utterance."""
        clean, estimate = (
            [waves[key].numpy() for waves in self.waves.values()]
            for key in ("clean", kind)
        )
        shown = if_main_process() and not self.noprogressbar
        bar = f"scoring {kind}" if shown else None
        scores = self.hparams.score_pool.run(clean, estimate, metrics, bar)
        return dict(zip(self.waves, scores))

    def end_epoch(self, stats, epoch):
        """After validation: learning rate, logs, checkpoint."""
        lr = self.schedulers["generator"].get_last_lr()[0]
        for scheduler in self.schedulers.values():
            scheduler.step()
        self.hparams.train_logger.log_stats(
            {"epoch": epoch, "lr": lr}, self.train_stats, stats
        )
        if self.hparams.use_tensorboard:
            board, files = self.hparams.tensorboard, list(self.waves.items())
            board.log_scalars(
                epoch, train=self.train_stats, valid=stats, rate={"lr": lr}
            )
            board.log_files(epoch, dict(files[: self.hparams.num_logged_files]))
        self.checkpointer.save_and_keep_only(
            meta={"epoch": epoch, "pesq": stats["pesq"]}, max_keys=["pesq"]
        )

    def report_test(self, stats, scores):
        """Logs the test, beside the scores of the noisy files."""
        noisy = self.score("noisy", list(METRICS))
        before = mean_scores(list(noisy.values()))
        self.hparams.train_logger.log_stats(
            {"epoch loaded": self.hparams.epoch_counter.current},
            test_stats={
                **stats,
                **{f"noisy_{k}": v for k, v in before.items()},
            },
        )
        if if_main_process():
            path = self.hparams.test_scores
            reports.write_scores(path, noisy=noisy, enhanced=scores)
            print(reports.score_table(noisy=before, enhanced=stats))


def dataio_prep(hparams, data_root):
    """Datasets of pairs: segments for training, whole utterances else."""
    segment = int(hparams["segment_seconds"] * hparams["sample_rate"])

    def read_segment(utterance, noisy_wav, clean_wav):
        pair = read_pair(noisy_wav, clean_wav)
        epoch = hparams["epoch_counter"].current
        return crop_pair(pair, segment, hparams["seed"], epoch, utterance)

    def make(name, pipeline):
        return sb.dataio.dataset.DynamicItemDataset.from_json(
            hparams[f"{name}_json"],
            replacements={"data_root": data_root},
            dynamic_items=[{**pipeline, "provides": ["noisy", "clean"]}],
            output_keys=["id", "noisy", "clean"],
        )

    crop = {"func": read_segment, "takes": ["id", "noisy_wav", "clean_wav"]}
    whole = {"func": read_pair, "takes": ["noisy_wav", "clean_wav"]}
    pipelines = {"train": crop, "valid": whole, "test": whole}
    datasets = {name: make(name, item) for name, item in pipelines.items()}
    if (count := len(datasets["train"])) < hparams["batch_size"]:
        raise ValueError(f"batch_size exceeds the {count} training files")
    return datasets


def main():
    """Prepares, trains, tests, exports."""
    hparams_file, run_opts, overrides = sb.parse_arguments(sys.argv[1:])
    sb.utils.distributed.ddp_init_group(run_opts)
    try:
        with open(hparams_file, encoding="utf-8") as file:
            hparams = load_hyperpyyaml(file, overrides)
        sb.create_experiment_directory(
            experiment_directory=hparams["output_folder"],
            hyperparams_to_save=hparams_file,
            overrides=overrides,
        )
        data_root = run_on_main(prepare_voicebank, kwargs=hparams["prepare"])
        datasets = dataio_prep(hparams, data_root)
    except (ImportError, KeyError, OSError, ValueError) as error:
        sys.exit(f"train.py: error: {error}")

    brain = SEMambaBrain(
        modules=hparams["modules"],
        opt_class=hparams["opt_class"],
        hparams=hparams,
        run_opts=run_opts,
        checkpointer=hparams["checkpointer"],
    )
    brain.hparams.stft.to(brain.device)
    brain.fit(
        hparams["epoch_counter"],
        datasets["train"],
        datasets["valid"],
        train_loader_kwargs=hparams["train_dataloader_opts"],
        valid_loader_kwargs=hparams["valid_dataloader_opts"],
    )
    brain.evaluate(
        datasets["test"],
        max_key="pesq",
        test_loader_kwargs=hparams["test_dataloader_opts"],
    )
    if not brain.debug:  # which keeps no checkpoint
        run_on_main(
            export_run,
            args=[hparams["output_folder"], hparams["model_folder"]],
            kwargs={"overwrite": True},
        )


if __name__ == "__main__":
    main()
