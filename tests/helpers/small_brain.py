"""A small Brain of the recipe, ready for ``fit_batch``, and its batches."""

import sys
from concurrent.futures import Future
from types import SimpleNamespace

import speechbrain as sb
import torch
from places import RECIPE
from speechbrain.dataio.batch import PaddedBatch
from speechbrain.utils.checkpoints import Checkpointer

from speechbrain_semamba.evaluation.enhanced_files import EnhancedFiles
from speechbrain_semamba.lobes.models.metric_discriminator import (
    MetricDiscriminator,
)
from speechbrain_semamba.lobes.models.semamba import SEMamba
from speechbrain_semamba.processing.spectral import MagPhaseSTFT
from speechbrain_semamba.utils.settings import read_settings

sys.path.insert(0, str(RECIPE))
from train import SEMambaBrain  # noqa: E402

YAML = read_settings(RECIPE / "hparams" / "semamba.yaml", {"data_folder": "."})
WEIGHTS = dict(YAML["loss_weights"])


class GivenScores:
    """In place of the pool: labels, (PESQ - 1) / 3.5, in turn."""

    sample_rate = 16000

    sample_rate = 16000

    def __init__(self, labels):
        self.labels = list(labels)
        self.num_started = 0

    def start(self, reference, estimate, metrics=("pesq",), name=""):
        label = float(self.labels[self.num_started % len(self.labels)])
        self.num_started += 1
        future = Future()
        future.set_result({"pesq": 1 + 3.5 * label})
        return future


def make_batch(noisy, clean, first=0):
    """A batch whose utterances are numbered."""
    return PaddedBatch(
        [
            {"id": f"utterance {number}", "noisy": x, "clean": y}
            for number, (x, y) in enumerate(zip(noisy, clean), start=first)
        ]
    )


def make_batches(num_batches, batch_size, samples=4000, dtype=torch.float32):
    """The same pairs of noise, in batches of one size or another."""
    rng = torch.Generator().manual_seed(0)
    count = num_batches * batch_size
    clean, noise = torch.randn(2, count, samples, generator=rng).to(dtype)
    noisy = clean + 0.5 * noise
    return [
        make_batch(noisy[i : i + batch_size], clean[i : i + batch_size], i)
        for i in range(0, count, batch_size)
    ]


def small_networks(dropout=0.0, dtype=torch.float32):
    """The same two networks each time."""
    torch.manual_seed(0)
    generator = SEMamba(channels=4, num_blocks=1, d_state=2, expand=2)
    discriminator = MetricDiscriminator(channels=4, dropout=dropout)
    return generator.to(dtype), discriminator.to(dtype)


def make_brain(folder, networks, labels, hparams=None, **run_opts):
    """A Brain that is ready for ``fit_batch``."""
    generator, discriminator = networks
    opt_class = lambda p: torch.optim.AdamW(p, 5e-4, (0.8, 0.99))
    scheduler_class = lambda o: torch.optim.lr_scheduler.ExponentialLR(o, 0.99)
    brain = SEMambaBrain(
        modules={"generator": generator, "discriminator": discriminator},
        opt_class=opt_class,
        hparams={
            "seed": 1234,
            "epoch_counter": SimpleNamespace(current=1),
            "stft": MagPhaseSTFT().to(next(generator.parameters()).dtype),
            "scheduler_class": scheduler_class,
            "loss_weights": WEIGHTS,
            "ema_decay": 0,
            "score_pool": GivenScores(labels),
            "num_logged_files": 0,
            "enhanced_files": EnhancedFiles(folder, enabled=False),
            **(hparams or {}),
        },
        run_opts={"device": "cpu", "max_grad_norm": 0, **run_opts},
        checkpointer=Checkpointer(folder),
    )
    brain._wrap_distributed()
    brain.init_optimizers()
    brain.on_stage_start(sb.Stage.TRAIN)
    brain.modules.train()
    return brain


def step(brain, batch):
    """One training step, as ``fit`` calls it."""
    brain.step += 1
    return brain.fit_batch(batch)


def state(brain):
    """All weights and buffers, copied."""
    return {
        f"{name}.{key}": x.detach().clone()
        for name in brain.modules
        for key, x in brain.raw(name).state_dict().items()
    }


def largest_difference(one, other):
    """Over all tensors of two states."""
    assert one.keys() == other.keys()
    return max((one[k] - other[k]).abs().max().item() for k in one)
