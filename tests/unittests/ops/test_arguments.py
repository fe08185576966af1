"""What the kernels are given: sizes that fit, and memory that stays."""

import ctypes
import gc
import weakref

import pytest
import torch
from operator_runs import conv3x3_tensors, conv_tensors, norm_tensors
from operators import needs_kernels, normal, pair_inputs

from speechbrain_semamba.ops.arguments import (
    ConvArguments,
    ConvGradients,
    MixerWeights,
    RmsNormArguments,
    View,
    dense,
    dense_last,
)
from speechbrain_semamba.ops.causal_conv import causal_conv_silu
from speechbrain_semamba.ops.conv3x3 import (
    conv3x3,
    conv3x3_weight,
    joined_conv3x3,
)
from speechbrain_semamba.ops.instance_norm import instance_norm_prelu
from speechbrain_semamba.ops.mamba_mixer import mamba_pair
from speechbrain_semamba.ops.rms_norm import rms_norm


def test_fields_of_tensors():
    x = torch.zeros(2, 3, 10)[..., 5:]
    weight = torch.ones(5)
    arguments = RmsNormArguments(eps=0.5, length=3, x=x, y=None, weight=weight)
    assert arguments.x.data == x.data_ptr()
    assert (arguments.x.batch_stride, arguments.x.time_stride) == (30, 10)
    assert arguments.y.data is None and arguments.batch == 0
    assert arguments.weight == weight.data_ptr()
    assert (arguments.eps, arguments.length) == (0.5, 3)


def test_tensors_live_as_long_as_what_points_to_them():
    """Also those of the forward arguments within those of a gradient."""
    tensors = {"x": torch.ones(2, 3, 5), "weight": torch.ones(5)}
    alive = [weakref.ref(tensor) for tensor in tensors.values()]
    arguments = ConvGradients(forward=ConvArguments(**tensors))
    del tensors
    gc.collect()
    assert all(ref() is not None for ref in alive)
    del arguments
    gc.collect()
    assert all(ref() is None for ref in alive)


def test_unknown_field_is_an_error():
    with pytest.raises(KeyError, match="wieght"):
        RmsNormArguments(wieght=torch.ones(5))


def test_view_is_three_numbers():
    assert ctypes.sizeof(View) == 24


def test_dense():
    x = torch.arange(12.0).view(3, 4)
    assert dense(x, x.dtype) is x and dense_last(x, x.dtype) is x
    assert dense(None, x.dtype) is None and dense_last(None, x.dtype) is None
    rows = x[:, 1:]
    assert dense_last(rows, x.dtype) is rows
    assert dense(rows, x.dtype).is_contiguous()
    assert torch.equal(dense(rows, x.dtype), rows)
    turned = dense_last(x.T, torch.float64)
    assert turned.stride(-1) == 1 and torch.equal(turned, x.T.double())


def wrong_sizes():
    """Operators with one tensor whose size does not fit the others."""
    conv, norm = conv_tensors(grad=False), norm_tensors(grad=False)

    def convolve(*inputs):
        return causal_conv_silu(*inputs, backend="cpu")

    def normalize(*inputs):
        return instance_norm_prelu(*inputs, None, 1e-5)

    def root(x, weight):
        return rms_norm(x, weight, 1e-5)

    pair = pair_inputs()
    for name in ("projection", "bias"):
        wrong = {**pair, name: pair[name][:-1]}
        yield pytest.param(mamba_pair, wrong.values(), id=f"pair-{name}")
    for i, name in enumerate(dict(MixerWeights._fields_)):
        if name != "eps":
            weights = list(pair["backward"])
            weights[i] = weights[i][:-1]
            wrong = {**pair, "backward": weights}
            yield pytest.param(mamba_pair, wrong.values(), id=f"pair-{name}")
    yield mamba_pair, [*pair.values(), torch.tensor([1])]
    yield convolve, [conv[0], conv[1][:-1], conv[2]]
    yield convolve, [conv[0], conv[1], conv[2][:-1]]
    for i, name in enumerate(("weight", "bias", "slope"), 1):
        wrong = [*norm[:i], norm[i][:-1], *norm[i + 1 :]]
        yield pytest.param(normalize, wrong, id=f"norm-{name}")
    seen = norm[4]
    yield normalize, [*norm[:4], seen[:1]]
    yield normalize, [*norm[:4], seen[:, :, :-1]]
    yield normalize, [*norm[:4], seen[..., :-1]]
    conv = conv3x3_tensors(grad=False)
    yield conv3x3, [*conv, 0]
    yield conv3x3, [conv[0][:, 1:], *conv[1:], 1]
    yield conv3x3, [conv[0], conv[1][..., 1:], conv[2], 1]
    yield conv3x3, [*conv[:2], conv[2][1:], 1]
    x, weight, bias = conv3x3_tensors(20, grad=False)
    maps = [x[:, :10], x[:, 10:]]
    yield joined_conv3x3, [maps, weight, bias, 0]
    yield joined_conv3x3, [maps[:1], weight, bias, 1]
    yield joined_conv3x3, [maps, weight[..., 1:], bias, 1]
    yield joined_conv3x3, [maps, weight, bias[1:], 1]
    yield joined_conv3x3, [[x[:, :10], x[:, 11:]], weight, bias, 1]
    yield joined_conv3x3, [[maps[0], maps[1][..., 1:]], weight, bias, 1]
    yield joined_conv3x3, [[maps[0], maps[1].double()], weight, bias, 1]
    yield joined_conv3x3, [[], weight, bias, 1]
    yield conv3x3_weight, [conv[0], conv[0][1:], 1]
    yield conv3x3_weight, [conv[0], conv[0][:, :, 1:], 1]
    yield conv3x3_weight, [conv[0], conv[0][..., 1:], 1]
    yield conv3x3_weight, [conv[0], conv[0], -1]
    yield root, [normal(2, 3, 4), normal(3)]


@needs_kernels
@pytest.mark.parametrize("function, inputs", wrong_sizes())
def test_wrong_size_is_an_error(function, inputs):
    """Not a read beyond the end of a tensor."""
    with pytest.raises((RuntimeError, ValueError)):
        function(*inputs)
