"""Mamba in both directions, along time and along frequency."""

import pytest
import torch
from layers import build, features, valid_frames, zeroed
from operators import needs_kernels

from speechbrain_semamba.nnet import tf_mamba as module
from speechbrain_semamba.nnet.tf_mamba import BidirectionalMamba, TFMamba


def test_pair_joins_both_directions():
    net = build(BidirectionalMamba, channels=5)
    x = features(2, 7, 5)
    forward = net.forward_block(x)
    backward = net.backward_block(x.flip(1)).flip(1)
    weight, bias = net.projection.weight, net.projection.bias
    expected = x + forward @ weight[:, :5].T + backward @ weight[:, 5:].T + bias
    torch.testing.assert_close(net(x), expected)


def test_tf_mamba_runs_along_time_then_frequency():
    """Each column of time by itself, then each row of frequency."""
    net = build(TFMamba, channels=3)
    x = features(2, 3, 4, 6)
    y = torch.empty_like(x)
    for b in range(2):
        for f in range(6):
            y[b, :, :, f] = net.time(x[b, :, :, f].T[None])[0].T
    expected = torch.empty_like(x)
    for b in range(2):
        for t in range(4):
            expected[b, :, t] = net.freq(y[b, :, t].T[None])[0].T
    torch.testing.assert_close(net(x), expected)


def test_tf_mamba_ragged_equals_alone():
    net = build(TFMamba, channels=3)
    sizes = (10, 6, 1)
    x = features(3, 3, 10, 4)
    for item, size in zip(x, sizes):
        item[:, size:] = 0
    y = net(x, valid_frames(sizes, 10))
    assert y.shape == x.shape
    for i, size in enumerate(sizes):
        alone = net(x[i : i + 1, :, :size])[0]
        torch.testing.assert_close(y[i, :, :size], alone)


def test_fused_knows_both_directions_of_a_pair(fused):
    BidirectionalMamba(3, backend="pytorch")(torch.randn(2, 5, 3))
    assert [reverse for *_, reverse in fused] == [False, True]


def test_every_parameter_gets_a_gradient():
    net = build(BidirectionalMamba, channels=3, d_state=2)
    net(features(2, 6, 3)).square().sum().backward()
    for name, weight in net.named_parameters():
        assert weight.grad is not None and weight.grad.any(), name


def test_sizes_reach_the_mixer():
    sizes = {"d_state": 2, "d_conv": 3, "expand": 5, "backend": "reference"}
    net = TFMamba(channels=4, **sizes)
    for pair in (net.time, net.freq):
        for block in (pair.forward_block, pair.backward_block):
            assert block.mixer.A_log.shape == (20, 2)
            assert block.mixer.conv1d.weight.shape == (20, 1, 3)
            assert block.mixer.backend == "reference"


@needs_kernels
@pytest.mark.parametrize(
    "batch, ragged, width",
    [(1, False, 4), (1, True, 4), (3, False, 5), (3, True, 4)],
)
def test_slices_of_tf_mamba(monkeypatch, batch, ragged, width):
    """A few sequences at a time, and a rest; all at once with gradients.

    A width of 5 is one that the compiled convolution does not have.
    """
    ours, plain = (
        build(TFMamba, 3, d_state=4, d_conv=width, backend=backend)
        for backend in ("cpu", "pytorch")
    )
    x, valid = features(batch, 3, 7, 5), None
    if ragged:
        valid = valid_frames((5, 7, 1)[:batch], 7)
        x = zeroed(x, valid)
    expected = plain(x, valid)
    torch.testing.assert_close(ours(x, valid), expected)
    calls = []
    ours.time.register_forward_hook(lambda *call: calls.append(call))
    bytes_of_two = 2 * 7 * (4 * 3) * 8
    for size, count in ((1, 5), (bytes_of_two, 3)):
        monkeypatch.setattr(module, "SLICE", size)
        calls.clear()
        for mode in (torch.inference_mode, torch.no_grad):
            with mode():
                torch.testing.assert_close(ours(x, valid), expected)
        assert len(calls) == 2 * batch * count
