"""The causal convolution against its formula, for every instruction set."""

import functools
import itertools

import pytest
import torch
from operators import (
    DIMS,
    DTYPES,
    REVERSE,
    TOLERANCES,
    assert_all_rounded,
    assert_equal,
    assert_same,
    cast,
    conv_inputs,
    needs_kernels,
    strided,
    values_and_gradients,
)

from speechbrain_semamba.ops.arguments import GROUPS
from speechbrain_semamba.ops.causal_conv import causal_conv_silu

pytestmark = [needs_kernels, pytest.mark.usefixtures("instructions")]


def conv(backend="cpu", reverse=False):
    return functools.partial(causal_conv_silu, reverse=reverse, backend=backend)


@functools.lru_cache(maxsize=None)
def conv_reference(sizes, reverse):
    inputs = conv_inputs(*sizes)
    return values_and_gradients(conv("pytorch", reverse), inputs)


@REVERSE
@pytest.mark.parametrize("width", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("length", [1, 2, 3, 17, 100])
def test_conv(length, width, reverse):
    """Also widths that the kernel does not have."""
    for dim, batch in itertools.product(DIMS, (1, 5)):
        sizes = (length, dim, width, batch)
        expected = conv_reference(sizes, reverse)
        inputs = conv_inputs(*sizes)
        for dtype, tolerances in TOLERANCES.items():
            ours = values_and_gradients(
                conv(reverse=reverse), cast(inputs, dtype)
            )
            assert ours["y"].dtype == dtype
            assert_same(ours, expected, tolerances, (sizes, dtype))


def test_conv_of_more_items_than_groups():
    sizes = (3, 5, 4, GROUPS + 6)
    ours = values_and_gradients(conv(), conv_inputs(*sizes))
    expected = conv_reference(sizes, False)
    assert_same(ours, expected, TOLERANCES[torch.float64])


@REVERSE
@DTYPES
def test_conv_of_strided_inputs(dtype, reverse):
    inputs = cast(conv_inputs(19, 21, 4, 2), dtype)
    expected = values_and_gradients(conv(reverse=reverse), inputs)
    turned = {
        "x": torch.cat([inputs["x"] + 1, inputs["x"]], dim=-1)[..., 21:],
        "weight": inputs["weight"].T.contiguous().T,
        "bias": strided("bias", inputs["bias"]),
    }
    assert not any(v.is_contiguous() for v in turned.values())
    assert_equal(values_and_gradients(conv(reverse=reverse), turned), expected)
    turned["x"] = strided("", inputs["x"])
    assert turned["x"].stride(-1) != 1
    assert_equal(values_and_gradients(conv(reverse=reverse), turned), expected)


def test_conv_of_an_expanded_gradient():
    inputs = conv_inputs(19, 6, 4, 2)
    ours = values_and_gradients(conv(), inputs, weigh=False)
    expected = values_and_gradients(conv("pytorch"), inputs, weigh=False)
    assert_same(ours, expected, TOLERANCES[torch.float64])


@REVERSE
def test_conv_in_bfloat16(reverse):
    half = cast(conv_inputs(50, 37, 4, 2), torch.bfloat16)
    ours = values_and_gradients(conv(reverse=reverse), half)
    exact = values_and_gradients(
        conv(reverse=reverse), cast(half, torch.float32)
    )
    assert_all_rounded(ours, exact, ours)


def test_conv_of_extreme_numbers():
    inputs = conv_inputs(20, 5, 4, 1)
    inputs["x"][:, ::2, 1] = 200.0
    inputs["x"][:, ::2, 2] = -200.0
    expected = values_and_gradients(conv("pytorch"), inputs)
    ours = values_and_gradients(conv(), cast(inputs, torch.float32))
    assert_same(ours, expected, TOLERANCES[torch.float32])


@REVERSE
def test_nan_stays_in_its_window(reverse):
    inputs = cast(conv_inputs(20, 5, 3, 2), torch.float32)
    inputs["x"][1, 9, 4] = torch.nan
    found = conv(reverse=reverse)(**inputs).isnan().nonzero().tolist()
    steps = (7, 8, 9) if reverse else (9, 10, 11)
    assert found == [[1, t, 4] for t in steps]


@REVERSE
@pytest.mark.parametrize("width", [2, 3, 4])
def test_gradcheck_of_the_conv(width, reverse):
    inputs = conv_inputs(6, 3, width, 2)
    inputs = [x.requires_grad_() for x in inputs.values()]
    assert torch.autograd.gradcheck(conv(reverse=reverse), inputs)
