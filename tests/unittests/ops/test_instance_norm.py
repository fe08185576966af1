"""Instance normalisation and PReLU in one pass, for every instruction set."""

import functools

import pytest
import torch
from operators import (
    DTYPES,
    TOLERANCES,
    assert_all_rounded,
    assert_equal,
    assert_same,
    cast,
    needs_kernels,
    norm_inputs,
    normal,
    values_and_gradients,
)
from torch.nn.functional import prelu

from speechbrain_semamba.nnet.normalization import InstanceNorm
from speechbrain_semamba.ops.instance_norm import instance_norm_prelu
from speechbrain_semamba.processing.lengths import ValidSizes

pytestmark = [needs_kernels, pytest.mark.usefixtures("instructions")]


def norm(eps=1e-5, **inputs):
    return instance_norm_prelu(**inputs, eps=eps)[0]


def norm_formula(x, weight, bias, slope, seen, sizes):
    valid = None if sizes is None else ValidSizes(sizes, x.shape[2])
    parameters = {"weight": weight, "bias": bias}
    y = torch.func.functional_call(
        InstanceNorm(x.shape[1]), parameters, (x, valid)
    )
    y = prelu(y, slope)
    return y if seen is None else torch.cat([y, seen], dim=1)


#: frames and freq; 256 positions are added up by themselves
NORM_SIZES = ((3, 5), (16, 16), (7, 40), (27, 29))


@functools.lru_cache(maxsize=None)
def norm_case(*sizes):
    inputs = norm_inputs(*sizes)
    return inputs, values_and_gradients(norm_formula, inputs)


@pytest.mark.parametrize("channels", [1, 5, 16, 37])
@pytest.mark.parametrize("more", [0, 3])
@pytest.mark.parametrize("frames, freq", NORM_SIZES)
def test_norm(channels, more, frames, freq):
    for valid in (None, (frames, 1, frames - 1)):
        inputs, expected = norm_case(3, channels, frames, freq, more, valid)
        for dtype, tolerances in TOLERANCES.items():
            ours = values_and_gradients(norm, cast(inputs, dtype))
            assert ours["y"].dtype == dtype
            assert ours["y"].is_contiguous(memory_format=torch.channels_last)
            assert_same(ours, expected, tolerances, (valid, dtype))


@pytest.mark.parametrize("valid", [None, (27, 11)])
@DTYPES
def test_norm_of_any_memory_format(dtype, valid):
    inputs = cast(norm_inputs(2, 21, 27, 29, 3, valid), dtype)
    expected = values_and_gradients(norm, inputs)
    last = dict(inputs)
    for name in ("x", "seen"):
        assert inputs[name].is_contiguous()
        last[name] = inputs[name].contiguous(memory_format=torch.channels_last)
    ours = values_and_gradients(norm, last)
    assert_equal(ours, expected)
    # every other channel of a wider tensor
    wide = inputs["x"].repeat_interleave(2, dim=1)[:, ::2]
    ours = values_and_gradients(norm, {**inputs, "x": wide})
    assert_equal(ours, expected)


def test_norm_of_a_mean_far_above_the_spread():
    inputs = norm_inputs(2, 5, 20, 31)
    inputs["x"] = (normal(2, 5, 20, 31) + 1000).float().double()
    expected = values_and_gradients(norm_formula, inputs)
    ours = values_and_gradients(norm, cast(inputs, torch.float32))
    assert_same(ours, expected, (1e-3, 1e-3))


@pytest.mark.parametrize("valid", [None, (27, 11)])
def test_norm_in_bfloat16(valid):
    half = cast(norm_inputs(2, 21, 27, 29, 3, valid), torch.bfloat16)
    ours = values_and_gradients(norm, half)
    exact = values_and_gradients(norm, cast(half, torch.float32))
    assert_all_rounded(ours, exact, ours)


def test_norm_never_reads_padding():
    inputs = norm_inputs(2, 5, 27, 29, 0, (11, 0))
    clean = values_and_gradients(norm, inputs)
    inputs["x"][0, :, 11:] = torch.nan
    inputs["x"][1] = torch.nan
    ours = values_and_gradients(norm, inputs)
    assert_equal(ours, clean)
    for name in ("x", "y"):
        assert ours[name][0, :, :11].any()
        assert not ours[name][0, :, 11:].any() and not ours[name][1].any()


def test_norm_gives_the_statistics():
    inputs = norm_inputs(2, 5, 27, 29, 0, (27, 11))
    _, mean, inverse = instance_norm_prelu(**inputs, eps=0.5)
    for i, frames in enumerate((27, 11)):
        valid = inputs["x"][i, :, :frames]
        expected = (valid.var(dim=(1, 2), correction=0) + 0.5).rsqrt()
        torch.testing.assert_close(mean[i], valid.mean(dim=(1, 2)))
        torch.testing.assert_close(inverse[i], expected)


def test_nan_stays_in_its_channel():
    inputs = norm_inputs(2, 5, 3, 4, more=0)
    inputs["x"][1, 2, 0, 0] = torch.nan
    found = norm(**inputs).isnan()
    assert found[1, 2].all() and found.sum() == 12


def test_norm_of_silence():
    """All numbers the same, and so zero at the corner of the PReLU."""
    inputs = norm_inputs(2, 5, 3, 4)
    inputs["x"] = torch.ones_like(inputs["x"])
    inputs["bias"] = torch.zeros(5).double()
    expected = values_and_gradients(norm_formula, inputs)
    ours = values_and_gradients(norm, inputs)
    assert_same(ours, expected, TOLERANCES[torch.float64])


@pytest.mark.parametrize("more", [0, 2])
@pytest.mark.parametrize("valid", [None, (3, 2)])
def test_gradcheck_of_the_norm(more, valid):
    inputs = norm_inputs(2, 3, 3, 4, more, valid)
    sizes = inputs.pop("sizes")
    given = [x for x in inputs.values() if x is not None]

    def run(x, weight, bias, slope, seen=None):
        return instance_norm_prelu(x, weight, bias, slope, seen, sizes, 0.1)[0]

    assert torch.autograd.gradcheck(run, [x.requires_grad_() for x in given])
