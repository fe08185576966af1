"""The training step of the recipe's Brain."""

import sys
from pathlib import Path

import pytest
import speechbrain as sb
import torch
from speechbrain.dataio.batch import PaddedBatch
from speechbrain.utils.checkpoints import Checkpointer

from speechbrain_semamba.lobes.models.metric_discriminator import (
    MetricDiscriminator,
)
from speechbrain_semamba.lobes.models.semamba import SEMamba
from speechbrain_semamba.processing.spectral import MagPhaseSTFT

sys.path.insert(
    0,
    str(Path(__file__).parents[2] / "recipes" / "VoicebankDEMAND" / "SEMamba"),
)
from train import SEMambaBrain  # noqa: E402

WEIGHTS = {
    "metric": 0.05,
    "magnitude": 0.9,
    "phase": 0.3,
    "complex": 0.1,
    "time": 0.2,
    "consistency": 0.1,
}


class GivenScores:
    """In place of the pool: PESQ as the test has it."""

    def __init__(self, labels):
        self.scores = [{"pesq": 1 + 3.5 * float(x)} for x in labels]

    def start(self, references, estimates, metrics=("pesq",)):
        assert len(references) == len(estimates) == len(self.scores)
        return iter(self.scores)


def make_brain(folder, generator, discriminator, labels, **run_opts):
    """A Brain that is ready for ``fit_batch``."""
    brain = SEMambaBrain(
        modules={"generator": generator, "discriminator": discriminator},
        opt_class=lambda p: torch.optim.AdamW(p, 5e-4, (0.8, 0.99)),
        hparams={
            "stft": MagPhaseSTFT(),
            "scheduler_class": lambda o: torch.optim.lr_scheduler.ExponentialLR(
                o, 0.99
            ),
            "loss_weights": WEIGHTS,
            "score_pool": GivenScores(labels),
        },
        run_opts={"device": "cpu", "max_grad_norm": 0, **run_opts},
        checkpointer=Checkpointer(folder),
    )
    brain.init_optimizers()
    brain.on_stage_start(sb.Stage.TRAIN)
    brain.modules.train()
    brain.nonfinite_count = 0  # as fit does
    return brain


def make_batch(noisy, clean):
    pairs = zip(noisy, clean)
    return PaddedBatch(
        [
            {"id": str(i), "noisy": n, "clean": c}
            for i, (n, c) in enumerate(pairs)
        ]
    )


def step(brain, batch):
    brain.step += 1
    return brain.fit_batch(batch)


def weights(module):
    return [p.detach().clone() for p in module.parameters()]


def same(before, module):
    return all(torch.equal(x, y) for x, y in zip(before, module.parameters()))


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    clean = torch.randn(2, 8000, generator=generator)
    noise = torch.randn(2, 8000, generator=generator)
    return make_batch(clean + 0.5 * noise, clean)


@pytest.fixture
def make(tmp_path):
    def build(labels=(0.2, 0.4), **run_opts):
        torch.manual_seed(0)
        return make_brain(
            tmp_path / "save",
            SEMamba(channels=4, num_blocks=1, d_state=2, expand=2),
            MetricDiscriminator(channels=4, dropout=0.0),
            labels,
            **run_opts,
        )

    return build


def test_both_networks_are_updated_and_no_gradient_stays(make, batch):
    brain = make()
    before = {n: weights(m) for n, m in brain.modules.items()}
    step(brain, batch)
    for name, module in brain.modules.items():
        assert not same(before[name], module)
        assert all(p.grad is None for p in module.parameters())
        assert all(p.requires_grad for p in module.parameters())
    assert brain.optimizer_step == 1
    assert set(brain.parts[0]) == {*WEIGHTS, "discriminator"}


def test_discriminator_has_no_gradient_of_the_generator_step(make, batch):
    """Within an accumulation window gradients stay to be looked at."""
    gradients = {}
    for metric_weight in (0.05, 50.0):
        brain = make(grad_accumulation_factor=2)
        brain.hparams.loss_weights = {**WEIGHTS, "metric": metric_weight}
        step(brain, batch)
        gradients[metric_weight] = [
            [p.grad.clone() for p in brain.modules[name].parameters()]
            for name in ("discriminator", "generator")
        ]
    (d_small, g_small), (d_large, g_large) = gradients.values()
    assert all(torch.equal(x, y) for x, y in zip(d_small, d_large))
    assert not all(torch.equal(x, y) for x, y in zip(g_small, g_large))


def test_generator_has_no_gradient_of_the_discriminator_step(make, batch):
    gradients = []
    for labels in ((0.2, 0.4), (0.9, 0.7)):
        brain = make(labels, grad_accumulation_factor=2)
        step(brain, batch)
        gradients.append([p.grad for p in brain.modules.generator.parameters()])
    assert all(torch.equal(x, y) for x, y in zip(*gradients))


def test_failed_pesq_leaves_its_neighbours_label(make, batch):
    nan = float("nan")
    masked, other = make((0.2, nan)), make((0.2, 0.9))
    for brain in (masked, other):
        step(brain, batch)
    losses = [b.parts[0]["discriminator"] for b in (masked, other)]
    assert losses[0].isfinite() and losses[0] != losses[1]


def test_loss_that_is_not_finite_changes_no_weight(make, batch, caplog):
    brain = make()
    before = {n: weights(m) for n, m in brain.modules.items()}
    bad = make_batch(batch.noisy.data * float("inf"), batch.clean.data)
    step(brain, bad)
    for name, module in brain.modules.items():
        assert same(before[name], module)
    assert "no update of the generator: loss not finite" in caplog.text
    step(brain, batch)
    assert brain.optimizer_step == 1
    assert all(p.isfinite().all() for p in brain.modules.parameters())


def test_no_end_to_a_run_of_losses_that_are_not_finite(make, batch):
    brain = make(nonfinite_patience=2)
    bad = make_batch(batch.noisy.data * float("inf"), batch.clean.data)
    with pytest.raises(ValueError, match="patience is exhausted"):
        for _ in range(3):
            step(brain, bad)


@pytest.mark.parametrize("limit", [0, 1e-3])
def test_gradients_are_clipped_only_when_asked(make, batch, limit, monkeypatch):
    norms = []
    clip = torch.nn.utils.clip_grad_norm_
    monkeypatch.setattr(
        torch.nn.utils,
        "clip_grad_norm_",
        lambda *args: norms.append(args[1]) or clip(*args),
    )
    step(make(max_grad_norm=limit), batch)
    assert norms == ([limit] * 2 if limit else [])
