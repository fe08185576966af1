"""The dense block: shapes, reach in time, padding, compiled kernels."""

import copy
import pickle

import pytest
import torch
from layers import build, features, valid_frames, zeroed
from operator_runs import with_gradients
from operators import needs_kernels
from torch import nn

from speechbrain_semamba.nnet import dense as module
from speechbrain_semamba.nnet.dense import ConvBlock, DenseBlock
from speechbrain_semamba.ops.conv3x3 import joined_conv3x3


@pytest.mark.parametrize("depth", [1, 2, 4])
@pytest.mark.parametrize("frames", [1, 3, 40])
def test_shape(depth, frames):
    x = features(2, 4, frames, 6)
    assert build(DenseBlock, 4, depth)(x).shape == x.shape


@pytest.mark.parametrize(
    "conv, freq",
    [
        (nn.Conv2d(2, 8, (1, 3), stride=(1, 2)), 100),
        (nn.ConvTranspose2d(2, 8, (1, 3), stride=(1, 2)), 403),
        (nn.Conv2d(2, 8, 1), 201),
    ],
)
def test_conv_block_shape(conv, freq):
    block = ConvBlock(conv).double()
    assert block(features(1, 2, 5, 201)).shape == (1, 8, 5, freq)


def test_conv_block_is_conv_norm_prelu():
    block = build(ConvBlock, nn.Conv2d(2, 3, 1))
    with torch.no_grad():
        block.activation.weight.copy_(torch.tensor([0.1, 0.2, 0.3]))
    x = features(2, 2, 5, 4)
    weight, bias = block.conv.weight[:, :, 0, 0], block.conv.bias
    y = torch.einsum("oc,bctf->botf", weight, x) + bias[:, None, None]
    y = y - y.mean(dim=(2, 3), keepdim=True)
    y = y / (y.square().mean(dim=(2, 3), keepdim=True) + 1e-5).sqrt()
    scale, offset = block.norm.weight, block.norm.bias
    y = y * scale[:, None, None] + offset[:, None, None]
    slope = torch.tensor([0.1, 0.2, 0.3]).double()[:, None, None]
    torch.testing.assert_close(
        block(x), y.clamp(min=0) + slope * y.clamp(max=0)
    )


def test_each_convolution_sees_all_before_it():
    """Input first in the last place, the newest output in front."""
    block = build(DenseBlock, 3, 3)
    x = features(1, 3, 9, 4)
    first = block.layers[0](x)
    second = block.layers[1](torch.cat([first, x], dim=1))
    third = block.layers[2](torch.cat([second, first, x], dim=1))
    torch.testing.assert_close(block(x), third)
    seen = [layer.conv.in_channels for layer in block.layers]
    assert seen == [3, 6, 9]


@pytest.mark.parametrize("depth, reach", [(1, 1), (2, 3), (3, 7), (4, 15)])
def test_reach_doubles_in_time_alone(depth, reach):
    """Without the norm, which sees all, a step reaches 1 + 2 + 4 + ..."""
    block = build(DenseBlock, 2, depth, backend="pytorch")
    for layer in block.layers:
        layer.norm = Unmoved()
    x = features(1, 2, 41, 21).requires_grad_()
    (grad,) = torch.autograd.grad(block(x)[0, :, 20, 10].sum(), x)
    touched = grad[0].abs().sum(dim=0) > 0
    in_time, in_freq = touched.any(dim=1), touched.any(dim=0)
    assert in_time.nonzero().flatten().tolist() == list(
        range(20 - reach, 20 + reach + 1)
    )
    assert in_freq.nonzero().flatten().tolist() == list(
        range(10 - depth, 10 + depth + 1)
    )


class Unmoved(nn.Module):
    """In the place of the normalisation."""

    def forward(self, x, valid=None):
        return x


def test_ragged_equals_alone():
    block = build(DenseBlock, 4)
    sizes = (30, 17, 3, 1)
    valid = valid_frames(sizes, 30)
    x = zeroed(features(4, 4, 30, 5), valid)
    y = block(x, valid)
    for i, size in enumerate(sizes):
        alone = block(x[i : i + 1, :, :size])[0]
        torch.testing.assert_close(y[i, :, :size], alone)
        assert not y[i, :, size:].any()


def padded(sizes, channels, freq):
    """Features of 9 frames, and which frames count."""
    x = features(3, channels, 9, freq)
    if sizes is None:
        return x, None
    valid = valid_frames(sizes, 9)
    return zeroed(x, valid), valid


@needs_kernels
@pytest.mark.parametrize("valid", [None, (9, 4, 1)])
def test_dense_block_on_the_kernels(monkeypatch, valid):
    ours, plain = (
        build(DenseBlock, 5, 3, backend=x) for x in ("cpu", "pytorch")
    )
    x, valid = padded(valid, 5, 6)
    results = []
    for net in (ours, plain):
        inputs = [x.clone().requires_grad_(), *net.parameters()]
        results.append(with_gradients(net(inputs[0], valid), inputs))
    for found, expected in zip(*results):
        torch.testing.assert_close(found, expected)
    for tile in (1, 4, 64):
        monkeypatch.setattr(module, "TILE", tile, raising=False)
        with torch.inference_mode():
            torch.testing.assert_close(ours(x, valid), results[1][0])


@pytest.fixture
def joined_calls(monkeypatch):
    """How often the kernel of joined maps was called, as a list of Nones."""
    calls = []

    def counted(*args):
        calls.append(None)
        return joined_conv3x3(*args)

    monkeypatch.setattr(module, "joined_conv3x3", counted)
    return calls


@needs_kernels
@pytest.mark.parametrize("valid", [None, (9, 4, 1)])
def test_joined_maps_without_a_gradient(valid, joined_calls):
    block = build(DenseBlock, 5, 4, backend="cpu")
    x, valid = padded(valid, 5, 6)
    expected = block(x, valid)
    block = block.float()
    with torch.no_grad():
        y = block(x.float(), valid)
    assert len(joined_calls) == 4
    torch.testing.assert_close(y.double(), expected, rtol=0, atol=2e-5)


@needs_kernels
def test_joined_maps_follow_the_weights(joined_calls):
    """Whatever changes them: an optimizer, loading, copies, pickles."""
    block = build(DenseBlock, 3, 2, backend="cpu").float()
    x = features(1, 3, 9, 7).float()

    def both_ways(block):
        with torch.no_grad():
            ours = block(x)
        return ours, block(x).detach()

    before = block.state_dict()
    before = {name: value.clone() for name, value in before.items()}
    first, expected = both_ways(block)
    torch.testing.assert_close(first, expected, rtol=0, atol=2e-5)
    optimizer = torch.optim.Adam(block.parameters(), lr=0.1)
    block(x).square().sum().backward()
    optimizer.step()
    stepped, expected = both_ways(block)
    torch.testing.assert_close(stepped, expected, rtol=0, atol=2e-5)
    assert not torch.allclose(stepped, first, atol=0.01)
    copies = copy.deepcopy(block), pickle.loads(pickle.dumps(block))
    block.load_state_dict(before)
    assert torch.equal(both_ways(block)[0], first)
    for other in copies:
        assert torch.equal(both_ways(other)[0], stepped)
    assert len(joined_calls) == 2 * 5


@needs_kernels
def test_watched_convolutions_are_called(joined_calls):
    block = build(DenseBlock, 4, 3, backend="cpu").float()
    x, seen = features(1, 4, 9, 7).float(), []
    with torch.no_grad():
        expected = block(x)
        assert len(joined_calls) == 3
        handle = block.layers[1].conv.register_forward_hook(
            lambda module, given, result: seen.append(module)
        )
        torch.testing.assert_close(block(x), expected, rtol=0, atol=2e-5)
        assert seen == [block.layers[1].conv] and len(joined_calls) == 3
        handle.remove()
        assert torch.equal(block(x), expected)
    assert len(seen) == 1


@needs_kernels
def test_autocast_and_float64_keep_their_types(joined_calls):
    block = build(DenseBlock, 4, 2, backend="cpu")
    x = features(1, 4, 9, 7)
    with torch.no_grad():
        assert block(x).dtype == torch.float64
        with torch.autocast("cpu", torch.bfloat16):
            half = block.float()(x.bfloat16())
    assert half.dtype == torch.bfloat16
    assert not joined_calls


@needs_kernels
@pytest.mark.parametrize("gradient", [False, True])
def test_compiled_dense_block_is_the_same(gradient):
    block = build(DenseBlock, 3, 2, backend="cpu").float()
    x = features(1, 3, 9, 7).float()
    torch._dynamo.reset()
    fast = torch.compile(block, fullgraph=True, backend="aot_eager")
    inputs = [x.requires_grad_(gradient), *block.parameters()]
    with torch.set_grad_enabled(gradient):
        ours, expected = fast(x), block(x)
    torch.testing.assert_close(ours, expected)
    if gradient:
        for found, wanted in zip(
            with_gradients(ours, inputs), with_gradients(expected, inputs)
        ):
            torch.testing.assert_close(found, wanted)


@needs_kernels
@pytest.mark.parametrize(
    "conv",
    [
        lambda: nn.Conv2d(4, 6, 1),
        lambda: nn.Conv2d(4, 6, (1, 3), stride=(1, 2)),
        lambda: nn.ConvTranspose2d(4, 6, (1, 3), stride=(1, 2)),
        lambda: nn.Conv2d(4, 1, 1),
    ],
    ids=["joined", "down", "up", "to one"],
)
@pytest.mark.parametrize("valid", [None, (9, 4, 1)])
def test_conv_block_on_the_kernels(conv, valid):
    x, valid = padded(valid, 4, 7)
    results = []
    for backend in ("cpu", "pytorch"):
        torch.manual_seed(1)
        net = build(ConvBlock, conv(), backend)
        inputs = [x.clone().requires_grad_(), *net.parameters()]
        y = net(inputs[0], valid, join=net.conv.stride == (1, 1))
        results.append(with_gradients(y, inputs))
    for found, expected in zip(*results):
        torch.testing.assert_close(found, expected)
