"""The training step of the recipe's Brain."""

import math
import os
import signal

import pytest
import speechbrain as sb
import torch
import train
from small_brain import (
    WEIGHTS,
    largest_difference,
    make_batches,
    make_brain,
    small_networks,
    state,
    step,
)
from speechbrain.dataio.dataset import DynamicItemDataset

from speechbrain_semamba.nnet import losses
from speechbrain_semamba.training import resumable
from speechbrain_semamba.training.split_backward import part_of
from speechbrain_semamba.training.stop_signal import TrainingStopped
from speechbrain_semamba.utils.workers import heed_parent_alone

LABELS = (0.2, 0.4, 0.9, 0.6, 0.1, 0.8, 0.3, 0.5, 0.7, 0.2, 0.4, 0.6)
DOUBLE = torch.float64


@pytest.fixture
def make(tmp_path):
    def build(labels=LABELS, networks=None, hparams=None, **run_opts):
        networks = networks or small_networks()
        return make_brain(
            tmp_path / "save", networks, labels, hparams, **run_opts
        )

    return build


@pytest.fixture
def batch():
    return make_batches(1, 2)[0]


def gradients_of_a_step(brain, batch):
    """What each optimizer finds when it steps."""
    found = []
    take_step = brain.scaler.step

    def record(optimizer):
        parameters = optimizer.param_groups[0]["params"]
        found.append([p.grad.clone() for p in parameters])
        take_step(optimizer)

    brain.scaler.step = record
    step(brain, batch)
    return found


def same(ours, theirs):
    return all(torch.equal(x, y) for x, y in zip(ours, theirs))


def spoilt(batch, item=1, value=math.inf):
    batch.noisy.data[item, 100] = value
    return batch


def test_both_networks_are_updated_and_no_gradient_stays(make, batch):
    brain = make()
    before = state(brain)
    step(brain, batch)
    after = state(brain)
    for name, module in brain.modules.items():
        for key, parameter in module.named_parameters():
            assert parameter.grad is None and parameter.requires_grad
            # a weight alone: one of a bias may have no gradient
            if key.endswith("weight_orig") or key.endswith("conv.weight"):
                key = f"{name}.{key}"
                assert not torch.equal(before[key], after[key])
    assert brain.optimizer_step == 1
    assert set(WEIGHTS) | {"discriminator", "loss"} < set(brain.window.losses)


def test_discriminator_has_no_gradient_of_the_generator_step(make, batch):
    found = [
        gradients_of_a_step(
            make(hparams={"loss_weights": {**WEIGHTS, "metric": weight}}), batch
        )
        for weight in (0.05, 50.0)
    ]
    (d_small, g_small), (d_large, g_large) = found
    assert same(d_small, d_large)
    assert not same(g_small, g_large)


def test_generator_sees_labels_only_through_the_updated_discriminator(
    make, batch
):
    """With a step size of 0 it does not see them at all."""
    found = []
    for labels in ((0.2, 0.4), (0.9, 0.7)):
        for lr in (0.0, 0.1):
            brain = make(labels)
            # Adam's first step would show the gradient's sign alone
            parameters = brain.modules.discriminator.parameters()
            optimizer = torch.optim.SGD(parameters, lr)
            brain.optimizers_dict["discriminator"] = optimizer
            found.append(gradients_of_a_step(brain, batch)[1])
    assert same(found[0], found[2])
    assert not same(found[1], found[3])


def test_generator_gradient_is_that_of_the_whole_loss(make):
    """Written down once more, with a discriminator that does not move."""
    (batch,) = make_batches(1, 2, dtype=DOUBLE)
    brain = make(networks=small_networks(dtype=DOUBLE))
    parameters = brain.modules.discriminator.parameters()
    brain.optimizers_dict["discriminator"] = torch.optim.SGD(parameters, 0.0)
    _, ours = gradients_of_a_step(brain, batch)

    generator, discriminator = small_networks(dtype=DOUBLE)
    stft = brain.hparams.stft
    clean = batch.clean.data
    mag, phase = stft.analyze(clean)
    mag_hat, phase_hat = generator(*stft.analyze(batch.noisy.data))
    wav_hat = stft.synthesize(mag_hat, phase_hat, clean.shape[1])
    for estimate in (mag, mag_hat.detach()):  # spectral norm counts passes
        discriminator(mag, estimate)
    parts = {
        "metric": losses.metric_loss(discriminator(mag, mag_hat)),
        "magnitude": losses.magnitude_loss(mag_hat, mag),
        "phase": losses.phase_loss(phase_hat, phase),
        "complex": losses.complex_loss(mag_hat, phase_hat, mag, phase),
        "time": losses.time_loss(wav_hat, clean),
        "consistency": losses.consistency_loss(
            mag_hat, phase_hat, wav_hat, stft
        ),
    }
    sum(WEIGHTS[name] * part for name, part in parts.items()).backward()
    for x, parameter in zip(ours, generator.parameters()):
        torch.testing.assert_close(x, parameter.grad, rtol=1e-5, atol=1e-8)


def test_failed_pesq_leaves_its_neighbours_label(make, batch):
    found = {}
    for other in (math.nan, 0.9):
        for label in (0.2, 0.7):
            brain = make((label, other))
            step(brain, batch)
            found[label, str(other)] = brain.window.losses["discriminator"]
            failed = brain.stats.summary().get("pesq_failed", 0)
            assert failed == math.isnan(other)
    assert all(map(math.isfinite, found.values()))
    assert len(set(found.values())) == 4


@pytest.mark.parametrize("factor", [2, 3])
def test_accumulation_equals_the_larger_batch(make, factor):
    """Three updates, with labels of which one failed; in double precision,
    since AdamW's first steps follow the signs of rounding noise."""
    labels = (math.nan, *LABELS, *LABELS)
    whole = make(labels, small_networks(dtype=DOUBLE))
    for one in make_batches(3, 2 * factor, dtype=DOUBLE):
        step(whole, one)
    parts = make(
        labels, small_networks(dtype=DOUBLE), grad_accumulation_factor=factor
    )
    for one in make_batches(3 * factor, 2, dtype=DOUBLE):
        step(parts, one)
    assert parts.optimizer_step == whole.optimizer_step == 3
    assert largest_difference(state(parts), state(whole)) < 1e-9
    for name, value in whole.stats.summary().items():
        assert parts.stats.summary()[name] == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize("limit", [0, 0.01])
def test_scaled_gradients_equal_the_unscaled(make, limit):
    """One GradScaler for both optimizers; its scale is a power of two."""
    plain, scaled = make(max_grad_norm=limit), make(max_grad_norm=limit)
    scaled.scaler = torch.GradScaler("cpu", init_scale=2.0**10)
    for batch in make_batches(3, 2):
        step(plain, batch)
        step(scaled, batch)
    assert largest_difference(state(plain), state(scaled)) == 0
    assert scaled.window.losses == plain.window.losses
    assert scaled.scaler.get_scale() == 2.0**10


def test_scale_that_overflows_is_lowered_and_not_counted(make, batch):
    weights = {name: 1e6 * weight for name, weight in WEIGHTS.items()}
    hparams = {"loss_weights": weights}
    brain = make((1e6, 1e6), hparams=hparams, nonfinite_patience=0)
    brain.scaler = torch.GradScaler("cpu", init_scale=2.0**127)
    before = state(brain)
    step(brain, batch)
    trained = [key for key in before if not key.endswith(("_u", "_v"))]
    assert all(torch.equal(before[k], state(brain)[k]) for k in trained)
    assert brain.scaler.get_scale() == 2.0**126
    assert "skipped" not in brain.stats.summary()


def test_gradient_that_no_scale_can_mend_is_counted(make, batch):
    brain = make(nonfinite_patience=0)
    brain.scaler = torch.GradScaler("cpu", init_scale=4.0)
    next(brain.modules.generator.parameters()).register_hook(
        lambda gradient: gradient * math.nan
    )
    with pytest.raises(TrainingStopped, match="update of the generator"):
        for _ in range(4):
            step(brain, batch)
    assert brain.step == 3


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_losses_stay_in_float32_under_autocast(make, batch, dtype):
    plain, mixed = make(), make()
    mixed.training_ctx = torch.autocast("cpu", dtype=dtype)
    if dtype == torch.float16:
        mixed.scaler = torch.GradScaler("cpu", init_scale=2.0**8)
    enhanced = mixed.compute_forward(batch, sb.Stage.TRAIN)
    assert all(x.dtype == torch.float32 for x in enhanced.estimate)
    step(plain, batch)
    step(mixed, batch)
    for name in (*WEIGHTS, "discriminator"):
        assert mixed.window.losses[name] == pytest.approx(
            plain.window.losses[name], rel=0.05, abs=0.01
        )
    assert mixed.window.losses["phase"] != plain.window.losses["phase"]


def test_loss_that_is_not_finite_changes_no_weight(make, batch, caplog):
    brain = make()
    before = state(brain)
    step(brain, spoilt(make_batches(1, 2)[0]))
    trained = [key for key in before if not key.endswith(("_u", "_v"))]
    assert all(torch.equal(before[k], state(brain)[k]) for k in trained)
    assert "no update of the discriminator and generator" in caplog.text
    assert "utterances utterance 1" in caplog.text
    assert brain.stats.summary()["skipped"] == 1
    step(brain, batch)
    assert brain.optimizer_step == 1
    assert all(x.isfinite().all() for x in state(brain).values())
    assert math.isfinite(brain.stats.summary()["loss"])


def test_gradient_that_is_not_finite_changes_no_weight(make, batch, caplog):
    brain = make()
    before = state(brain)
    next(brain.modules.generator.parameters()).register_hook(
        lambda gradient: gradient * math.nan
    )
    step(brain, batch)
    changed = {
        key.split(".")[0]
        for key, x in state(brain).items()
        if not torch.equal(x, before[key])
    }
    assert changed == {"discriminator"}
    assert "no update of the generator, a loss or gradient" in caplog.text
    assert brain.optimizer_step == 1


def test_spoilt_batch_spoils_its_window_alone(make):
    brain = make(grad_accumulation_factor=2)
    batches = make_batches(4, 2)
    before = state(brain)
    step(brain, batches[0])
    step(brain, spoilt(batches[1], item=0))
    trained = [key for key in before if not key.endswith(("_u", "_v"))]
    assert all(torch.equal(before[k], state(brain)[k]) for k in trained)
    step(brain, batches[2])
    step(brain, batches[3])
    assert brain.optimizer_step == 1
    assert all(x.isfinite().all() for x in state(brain).values())


def test_patience_ends_the_run(make):
    brain = make(nonfinite_patience=2)
    step(brain, spoilt(make_batches(1, 2)[0]))
    step(brain, spoilt(make_batches(1, 2)[0]))
    with pytest.raises(TrainingStopped, match="nonfinite_patience is 2"):
        step(brain, spoilt(make_batches(1, 2)[0]))


@pytest.mark.parametrize("limit", [0, 1e-3])
def test_gradients_are_clipped_only_when_asked(make, batch, limit):
    found = gradients_of_a_step(make(max_grad_norm=limit), batch)
    for gradients in found:
        norm = torch.nn.utils.get_total_norm(gradients).item()
        assert norm == pytest.approx(limit, rel=1e-3) if limit else norm > 0.01


@pytest.mark.parametrize("weight", [None, 0, 0.02])
def test_logarithmic_term_counts_where_it_has_a_weight(make, batch, weight):
    given = {} if weight is None else {"log_mse": weight}
    brain = make(hparams={"loss_weights": {**WEIGHTS, **given}})
    step(brain, batch)
    losses = brain.stats.summary()
    weighed = {name: WEIGHTS[name] * losses[name] for name in WEIGHTS}
    if weight:
        weighed["log_mse"] = weight * losses["log_mse"]
    assert ("log_mse" in losses) == bool(weight)
    assert losses["loss"] == pytest.approx(sum(weighed.values()), rel=1e-5)


def test_without_metric_there_is_no_discriminator(make, batch):
    weights = {**WEIGHTS, "metric": 0}
    brain = make(hparams={"loss_weights": weights})
    step(brain, batch)
    assert set(brain.modules) == {"generator"}
    assert brain.hparams.score_pool.num_started == 0
    assert brain.optimizer_step == 1
    assert (
        "metric" not in brain.window.losses
        and "pesq" not in brain.stats.summary()
    )


def test_average_follows_the_generator_and_validates(make):
    decay = 0.75
    brain = make(hparams={"ema_decay": decay})
    expected = None
    for batch in make_batches(3, 2):
        step(brain, batch)
        now = brain.raw("generator").state_dict()
        if expected is None:
            expected = {k: v.clone() for k, v in now.items()}
        else:
            for key, value in now.items():
                expected[key].lerp_(value, 1 - decay)
    averaged = brain.averaged.module.state_dict()
    for key, value in expected.items():
        torch.testing.assert_close(averaged[key], value)

    one = make_batches(1, 1)[0]
    ours = brain.compute_forward(one, sb.Stage.VALID).mag_hat
    noisy = brain.hparams.stft.analyze(one.noisy.data)
    with torch.no_grad():
        averaged = brain.averaged.module(*noisy)[0]
        latest = brain.raw("generator")(*noisy)[0]
    assert (ours - averaged).abs().max() < 1e-5
    assert (ours - latest).abs().max() > 1e-4


def test_dropout_depends_on_the_step_and_not_on_what_was_drawn(make, batch):
    def losses(number, draw):
        brain = make(networks=small_networks(dropout=0.5))
        brain.step = number
        torch.rand(draw)
        step(brain, batch)
        return brain.window.losses["discriminator"]

    assert losses(3, draw=0) == losses(3, draw=5)
    assert losses(3, draw=0) != losses(4, draw=0)


def test_window_of_many_batches_keeps_no_graph(make):
    brain = make(grad_accumulation_factor=2)
    step(brain, make_batches(1, 2)[0])
    (enhanced,) = brain.window.batches
    assert not any(x.requires_grad for x in enhanced.output[:2])
    assert enhanced.mag_hat.grad is not None


@pytest.mark.parametrize("frozen", ["encoder", "phase_decoder", "blocks"])
def test_frozen_weights_stay(make, batch, frozen):
    networks = small_networks()
    getattr(networks[0], frozen).requires_grad_(False)
    brain = make(networks=networks)
    before = state(brain)
    step(brain, batch)
    after = state(brain)
    for key in before:
        if key.startswith(f"generator.{frozen}."):
            assert torch.equal(before[key], after[key])
    assert brain.optimizer_step == 1


def test_all_but_one_decoder_frozen(make, batch):
    networks = small_networks()
    networks[0].requires_grad_(False)
    networks[0].mask_decoder.requires_grad_(True)
    networks[0].phase_decoder.requires_grad_(True)
    brain = make(networks=networks)
    before = state(brain)
    step(brain, batch)
    after = state(brain)
    key = "generator.{}.dense.layers.0.conv.weight"
    for name in ("mask_decoder", "phase_decoder"):
        assert not torch.equal(
            before[key.format(name)], after[key.format(name)]
        )


def test_gradient_in_two_parts_equals_that_in_one(make, monkeypatch):
    """A compiled network has no parts."""
    (batch,) = make_batches(1, 2, dtype=DOUBLE)
    found = []
    for _ in range(2):
        brain = make(networks=small_networks(dtype=DOUBLE))
        found.append(sum(gradients_of_a_step(brain, batch), []))
        monkeypatch.setattr(
            train.split_backward, "part_of", lambda network, name: None
        )
    for x, y in zip(*found):
        torch.testing.assert_close(x, y, rtol=1e-9, atol=1e-12)


@pytest.mark.filterwarnings("ignore:.*lru_cache:UserWarning")
def test_compiled_generator_trains_in_one_graph(make, batch):
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    plain, compiled = make(), make()
    compiled.modules["generator"] = torch.compile(
        compiled.modules.generator, backend=backend
    )
    for brain in (plain, compiled):
        step(brain, batch)
    assert len(graphs) == 1
    assert part_of(compiled.modules.generator, "phase_decoder") is None
    assert compiled.raw("generator") is not compiled.modules.generator
    for name in WEIGHTS:
        assert compiled.window.losses[name] == pytest.approx(
            plain.window.losses[name], rel=1e-4
        )


def test_compile_leaves_the_discriminator(make):
    assert make(compile=True).compile_module_keys == ["generator"]
    keys = ["discriminator"]
    assert (
        make(compile=True, compile_module_keys=keys).compile_module_keys == keys
    )


def test_precision_of_the_evaluation_is_its_own(make):
    (one,) = make_batches(1, 1)
    plain = make().compute_forward(one, sb.Stage.VALID).mag_hat
    half = make(eval_precision="bf16")
    ours = half.compute_forward(one, sb.Stage.VALID).mag_hat
    assert ours.dtype == torch.float32
    assert 1e-5 < (ours - plain).abs().max() < 0.5
    with torch.no_grad():
        train = half.compute_forward(one, sb.Stage.TRAIN).mag_hat
    torch.testing.assert_close(train, plain, rtol=1e-4, atol=1e-4)


def test_bar_shows_what_the_networks_do(make, batch):
    brain = make()
    step(brain, batch)
    shown = brain.shown()
    assert shown == {
        "discriminator": brain.window.losses["discriminator"],
        "pesq": pytest.approx(1 + 3.5 * (LABELS[0] + LABELS[1]) / 2),
    }


@pytest.mark.parametrize(
    "options, message",
    [
        ({"grad_accumulation_factor": 0}, "from 1 on, found 0"),
        ({"precision": "fp16"}, "fp16"),
    ],
)
def test_options_that_cannot_be(make, options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)


def test_loader_outlives_a_signal_to_all_processes(make, monkeypatch):
    """As torchrun and clusters send it, whatever its workers are about."""

    def signalled_first(worker):
        os.kill(os.getpid(), signal.SIGTERM)
        heed_parent_alone(worker)

    monkeypatch.setattr(resumable, "heed_parent_alone", signalled_first)
    files = {str(i): {"length": 1.0} for i in range(4)}
    dataset = DynamicItemDataset(files, output_keys=["id"])
    loader = make().make_dataloader(
        dataset, sb.Stage.VALID, batch_size=1, num_workers=2
    )
    assert [key for batch in loader for key in batch.id] == list(files)


@pytest.mark.parametrize("stage", [sb.Stage.VALID, sb.Stage.TEST])
def test_padded_batches_are_judged_as_each_file_alone(make, stage):
    rng = torch.Generator().manual_seed(5)
    files = {
        f"file {samples}": {
            "length": samples / 16000,
            "noisy": torch.randn(samples, generator=rng),
            "clean": torch.randn(samples, generator=rng),
        }
        for samples in (2500, 1, 4000, 150, 2499)
    }
    keys = ["id", "noisy", "clean"]
    dataset = DynamicItemDataset(files, output_keys=keys)
    found = []
    for batch_size in (1, 3):
        brain = make(hparams={"num_logged_files": len(files)})
        brain.modules.eval()
        brain.on_stage_start(stage, 1)
        loader = brain.make_dataloader(dataset, stage, batch_size=batch_size)
        sizes = []
        for batch in loader:
            sizes.append(len(batch))
            assert brain.evaluate_batch(batch, stage).isfinite()
        assert sizes == ([1] * 5 if batch_size == 1 else [3, 2])
        found.append((brain.files.kept, brain.files.finish()))
    (alone, scores), (padded, padded_scores) = found
    assert set(padded) == set(alone) == set(files)
    for key, waves in alone.items():
        for kind, wave in waves.items():
            torch.testing.assert_close(
                padded[key][kind], wave, rtol=0, atol=1e-4
            )
        losses, others = (s[key]["losses"] for s in (scores, padded_scores))
        assert losses.keys() == others.keys()
        for name, loss in losses.items():
            assert math.isclose(others[name], loss, rel_tol=1e-3, abs_tol=1e-4)
