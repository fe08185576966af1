"""The network that predicts PESQ."""

import pytest
import torch

from speechbrain_semamba.lobes.models.metric_discriminator import (
    MetricDiscriminator,
)


def build(**sizes):
    torch.manual_seed(0)
    return MetricDiscriminator(**{"channels": 4, **sizes})


def settled():
    """In eval, after the power iteration has found the spectral norms."""
    net = build()
    with torch.no_grad():
        for _ in range(5):
            net(*pair(1, frames=16))
    return net.eval()


def pair(batch, frames=33, freq=201):
    generator = torch.Generator().manual_seed(0)
    return torch.rand(2, batch, frames, freq, generator=generator)


@pytest.mark.parametrize("batch, frames, freq", [(1, 32, 201), (3, 81, 101)])
@pytest.mark.parametrize("train", [False, True])
def test_one_score_an_item(batch, frames, freq, train):
    score = settled().train(train)(*pair(batch, frames, freq))
    assert score.shape == (batch,)
    assert ((score > 0) & (score < 1)).all()


def test_scores_of_loud_spectra_stay_between_0_and_1():
    score = settled()(*(1000 * pair(2)))
    assert ((score >= 0) & (score <= 1)).all()


def test_items_do_not_see_each_other():
    net = settled()
    mag, mag_hat = pair(3)
    together = net(mag, mag_hat)
    for i in range(3):
        alone = net(mag[i : i + 1], mag_hat[i : i + 1])
        torch.testing.assert_close(together[i : i + 1], alone)


def test_order_of_the_pair_matters():
    net = settled()
    mag, mag_hat = pair(2)
    assert (net(mag, mag_hat) - net(mag_hat, mag)).abs().min() > 1e-6


def test_kernels_run_over_freq_then_frames():
    net = settled()
    seen = []
    net.layers[0].register_forward_pre_hook(
        lambda layer, given: seen.append(given[0])
    )
    mag, mag_hat = pair(2, frames=40)
    net(mag, mag_hat)
    assert seen[0].shape == (2, 2, 201, 40)
    assert torch.equal(seen[0][:, 0], mag.transpose(1, 2))
    assert torch.equal(seen[0][:, 1], mag_hat.transpose(1, 2))


def test_keys_are_those_of_the_old_spectral_norm():
    """Four convolutions and two linear layers, as in the checkpoints."""
    keys = build().state_dict().keys()
    for part in ("weight_orig", "weight_u", "weight_v"):
        assert sum(key.endswith(part) for key in keys) == 6
    assert not any("parametrizations" in key for key in keys)
    assert "layers.0.weight_orig" in keys
    assert "layers.14.weight_u" in keys


def test_spectral_norm_divides_by_the_largest_singular_value():
    """The first layer runs at its own norm, whatever its weight."""
    net = build()
    with torch.no_grad():
        net.layers[0].weight_orig.mul_(100)
    for _ in range(30):  # each training pass is one power iteration
        net(*pair(1, frames=16))
    weight = net.layers[0].weight.flatten(1)
    largest = torch.linalg.matrix_norm(weight, ord=2)
    assert largest.item() == pytest.approx(1, abs=1e-3)


def test_scoring_does_not_change_the_weights_in_eval():
    net = settled()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    net(*pair(1))
    for key, value in net.state_dict().items():
        assert torch.equal(value, before[key]), key


def test_dropout_in_training_alone():
    mag, mag_hat = pair(1).expand(2, 8, -1, -1)
    net = build(dropout=0.5)
    scores = net(mag, mag_hat)
    assert scores.detach().unique().numel() > 1
    scores = net.eval()(mag, mag_hat)
    torch.testing.assert_close(scores, scores[:1].expand(8))


def test_frozen_for_the_generators_step():
    net = build().requires_grad_(False)
    mag, mag_hat = pair(2)
    mag_hat = mag_hat.requires_grad_()
    (net(mag, mag_hat) - 1).square().mean().backward()
    assert mag_hat.grad.isfinite().all() and mag_hat.grad.any()
    assert all(weight.grad is None for weight in net.parameters())

    net.requires_grad_(True)
    net(mag, mag_hat.detach()).sum().backward()
    for name, weight in net.named_parameters():
        assert weight.grad is not None and weight.grad.isfinite().all(), name
    assert net.layers[0].weight_orig.grad.any()
