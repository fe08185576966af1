"""The pair of Mambas as one kernel against its layers, for every instruction
set; ``nnet/test_tf_mamba.py`` has when it is used."""

import copy
import functools
import itertools
import random

import pytest
import torch
from layers import build, valid_frames
from operators import assert_rounded, needs_kernels, normal, pair_inputs

from speechbrain_semamba.nnet.tf_mamba import BidirectionalMamba
from speechbrain_semamba.ops.mamba_mixer import mamba_pair

pytestmark = [needs_kernels, pytest.mark.usefixtures("instructions")]

#: Largest error over the largest magnitude
TOLERANCE = 1e-5

SIZES = [
    {"channels": 64},
    {"channels": 16, "d_state": 8, "expand": 2},
    {"channels": 3, "d_state": 1, "d_conv": 2, "expand": 1},
    {"channels": 5, "d_state": 5, "d_conv": 3, "expand": 5},
    {"channels": 37, "d_state": 13, "expand": 3, "d_conv": 1},
]


def cases():
    draw = random.Random(0).choice
    for length, sizes in itertools.product((1, 2, 3, 17, 63, 100, 321), SIZES):
        # the layers take long for many steps of many channels
        batch = 1 if length * sizes["channels"] > 3000 else draw((1, 4))
        yield length, sizes, batch, draw((False, True))


@functools.lru_cache(maxsize=None)
def case(length, sizes, batch, ragged):
    """The layers in float32, inputs, and what they make of them in float64."""
    net = build(BidirectionalMamba, **dict(sizes), backend="cpu").float()
    x = normal(batch, length, net.projection.out_features)
    valid = None
    if ragged:
        counts = [-(-length * part // 10) for part in (6, 10, 1, 4)][:batch]
        valid = valid_frames(counts, length)
        x = x * valid.mask[..., None]
    expected = copy.deepcopy(net).double()(x, valid)
    if ragged:
        expected = expected * valid.mask[..., None]
    return net, x.float(), valid, expected


def assert_near(y, expected):
    assert not y.isnan().any()
    error = (y.double() - expected).abs().max()
    assert error < TOLERANCE * expected.abs().max()


@torch.no_grad()
@pytest.mark.parametrize("length, sizes, batch, ragged", cases(), ids=str)
def test_pair(length, sizes, batch, ragged):
    sizes = tuple(sizes.items())
    net, x, valid, expected = case(length, sizes, batch, ragged)
    # as well as the same sequences of each item twice
    y = net.run_kernel(torch.stack([x, x], dim=1), valid)
    assert y.shape == (batch, 2, length, x.shape[2])
    assert torch.equal(y[:, 0], y[:, 1])
    assert_near(y[:, 0], expected)


def test_no_batch_no_sequences_no_steps():
    for shape in ((0, 2, 7), (2, 0, 7), (2, 2, 0)):
        inputs = pair_inputs()
        inputs["x"] = inputs["x"].new_empty(*shape, 5)
        assert mamba_pair(**inputs).shape == (*shape, 5)


@pytest.mark.parametrize("channels", [1, 5, 33])
def test_strides(channels):
    """Any of the input, and the result has them too."""
    inputs = pair_inputs(channels)
    x, expected = inputs["x"], mamba_pair(**inputs)
    around = torch.full_like(x, torch.nan)
    joined = torch.cat([around, x, around], dim=-1)
    for turned in (
        x.transpose(0, 2).contiguous().transpose(0, 2),
        x.transpose(1, 2).contiguous().transpose(1, 2),
        x.transpose(2, 3).contiguous().transpose(2, 3),
        joined[..., channels : 2 * channels],
        x[:1].expand(2, -1, -1, -1),
    ):
        inputs["x"] = turned
        y = mamba_pair(**inputs)
        if turned.stride(0) == 0:
            assert torch.equal(y, expected[:1].expand_as(y))
        else:
            assert torch.equal(y, expected)


@pytest.mark.parametrize("sizes", [None, torch.tensor([20, 7])])
def test_bfloat16_is_float32_rounded(sizes):
    inputs = pair_inputs(channels=21)
    inputs["x"] = inputs["x"].bfloat16()
    half = mamba_pair(**inputs, sizes=sizes)
    inputs["x"] = inputs["x"].float()
    assert_rounded(half, mamba_pair(**inputs, sizes=sizes))


def test_weights_of_other_types():
    inputs = pair_inputs()
    expected = mamba_pair(**inputs)
    for name in ("forward", "backward"):
        inputs[name] = [weight.double() for weight in inputs[name]]
    assert torch.equal(mamba_pair(**inputs), expected)


def test_padding_is_never_read():
    inputs, sizes = pair_inputs(), torch.tensor([7, 20])
    expected = mamba_pair(**inputs, sizes=sizes)
    inputs["x"][0, :, 7:] = torch.nan
    y = mamba_pair(**inputs, sizes=sizes)
    assert torch.equal(y, expected)
    assert not y[0, :, 7:].any() and y[0, :, :7].any()


def test_item_without_a_step():
    y = mamba_pair(**pair_inputs(), sizes=torch.tensor([0, 20]))
    assert not y[0].any() and y[1].any()


def test_nan_stays_in_its_sequence():
    inputs = pair_inputs(length=101)
    expected = mamba_pair(**inputs)
    inputs["x"][1, 2, 60, 3] = torch.nan
    y = mamba_pair(**inputs)
    assert y[1, 2].isnan().all()
    y[1, 2] = expected[1, 2]
    assert torch.equal(y, expected)


def test_extreme_numbers():
    """Steps of 0 and 100, decays of e^-500, gates far from zero."""
    net = build(BidirectionalMamba, channels=5, backend="cpu").float()
    with torch.no_grad():
        for block in (net.forward_block, net.backward_block):
            block.mixer.dt_proj.bias[::3] = 100.0
            block.mixer.dt_proj.bias[1::3] = -100.0
            block.mixer.in_proj.weight[-5:] *= 100
        x = normal(2, 24, 5)
        expected = copy.deepcopy(net).double()(x)
        assert_near(net.run_kernel(x.float()[:, None])[:, 0], expected)
