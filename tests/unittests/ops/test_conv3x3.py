"""The dense block's convolution, its gradients, and that of joined maps."""

import functools

import pytest
import torch
from operators import (
    TOLERANCES,
    assert_equal,
    assert_same,
    cast,
    conv3x3_inputs,
    joined_inputs,
    needs_kernels,
    normal,
    values_and_gradients,
)
from torch.nn.functional import conv2d

from speechbrain_semamba.ops.conv3x3 import (
    GROUPS,
    conv3x3,
    conv3x3_weight,
    joined_conv3x3,
)

pytestmark = [needs_kernels, pytest.mark.usefixtures("instructions")]

#: frames, freq and dilation: fewer frames than the taps are apart, none left
#: over for a part of the sum, and more
SIZES = ((1, 1, 1), (2, 3, 1), (5, 7, 8), (9, 201, 2), (40, 5, 4))


def padded_conv(x, weight, bias, dilation):
    padding = (dilation, 1)
    return conv2d(x, weight, bias, padding=padding, dilation=padding)


@functools.lru_cache(maxsize=None)
def case(*sizes, dilation):
    inputs = conv3x3_inputs(*sizes)
    function = functools.partial(padded_conv, dilation=dilation)
    return inputs, values_and_gradients(function, inputs)


@pytest.mark.parametrize(
    "channels, outputs", [(1, 1), (5, 9), (24, 24), (37, 4)]
)
@pytest.mark.parametrize("frames, freq, dilation", SIZES)
def test_conv3x3(channels, outputs, frames, freq, dilation):
    sizes = (3, channels, outputs, frames, freq)
    inputs, expected = case(*sizes, dilation=dilation)
    function = functools.partial(conv3x3, dilation=dilation)
    for dtype, tolerances in TOLERANCES.items():
        ours = values_and_gradients(function, cast(inputs, dtype))
        assert ours["y"].dtype == dtype
        assert ours["y"].is_contiguous(memory_format=torch.channels_last)
        assert_same(ours, expected, tolerances, dtype)


def test_bfloat16():
    """Read as they are, summed in float32, rounded once."""
    inputs = cast(conv3x3_inputs(2, 24, 24, 9, 13), torch.bfloat16)
    function = functools.partial(conv3x3, dilation=2)
    ours = values_and_gradients(function, inputs)
    wide = values_and_gradients(function, cast(inputs, torch.float32))
    for name, tensor in ours.items():
        assert tensor.dtype == torch.bfloat16
        difference = (tensor.float() - wide[name]).norm() / wide[name].norm()
        # of y and x, PyTorch's arithmetic
        assert difference < 0.01, name
    for name in ("weight", "bias"):
        rounded = wide[name].to(torch.bfloat16)
        assert torch.equal(ours[name], rounded), name


def test_conv3x3_of_any_memory_format():
    inputs = conv3x3_inputs(2, 6, 5, 7, 11)
    function = functools.partial(conv3x3, dilation=2)
    expected = values_and_gradients(function, inputs)
    for x in (
        inputs["x"].contiguous(memory_format=torch.channels_last),
        # every other channel of a wider tensor
        inputs["x"].repeat_interleave(2, dim=1)[:, ::2],
        inputs["x"].mT.contiguous().mT,
    ):
        assert_equal(
            values_and_gradients(function, {**inputs, "x": x}), expected
        )


@pytest.mark.parametrize(
    "item, frame, freq, tap",
    [
        (0, 8, 6, (1, 1)),
        (0, 6, 5, (0, 0)),
        (0, 8, 5, (1, 0)),
        (0, 7, 6, None),  # between two taps in time
        (1, 0, 6, None),  # the next frames in memory, of another item
        (1, 1, 6, None),
        (0, 8, 0, None),
    ],
)
def test_which_tap_joins_two_positions(item, frame, freq, tap):
    x, grad_y = torch.zeros(2, 3, 9, 7), torch.zeros(2, 2, 9, 7)
    x[item, 2, frame, freq] = 3
    grad_y[0, 1, 8, 6] = 5
    weight, bias = conv3x3_weight(grad_y, x, 2)
    assert bias.tolist() == [0, 5]
    expected = torch.zeros(2, 3, 3, 3)
    if tap is not None:
        expected[1, 2][tap] = 15
    assert torch.equal(weight, expected)


def test_sums_in_parts():
    """Of more frames than parts, the first and the last count as all do."""
    x, grad_y = (normal(2, 3, GROUPS + 5, 4, seed=i) for i in (1, 2))
    whole, _ = conv3x3_weight(grad_y, x, 3)
    for one in range(0, GROUPS + 5, 9):
        part = torch.zeros_like(grad_y)
        part[:, :, one] = grad_y[:, :, one]
        whole = whole - conv3x3_weight(part, x, 3)[0]
        grad_y = grad_y - part
    rest, _ = conv3x3_weight(grad_y, x, 3)
    torch.testing.assert_close(whole, rest)


@pytest.mark.parametrize("frozen", ["x", "weight", "bias"])
def test_gradients_of_some(frozen):
    inputs = conv3x3_inputs(2, 3, 4, 5, 6)
    expected = values_and_gradients(
        functools.partial(conv3x3, dilation=2), inputs
    )
    for name, tensor in inputs.items():
        tensor.requires_grad_(name != frozen)
    y = conv3x3(**inputs, dilation=2)
    weight = torch.cos(torch.arange(y.numel())).view(y.shape)
    (y * weight.bfloat16().to(y.dtype)).sum().backward()
    for name, tensor in inputs.items():
        if name == frozen:
            assert tensor.grad is None
        else:
            assert torch.equal(tensor.grad, expected[name])


def test_gradcheck():
    inputs = conv3x3_inputs(2, 3, 2, 4, 5)
    tensors = [x.requires_grad_() for x in inputs.values()]
    assert torch.autograd.gradcheck(lambda *x: conv3x3(*x, 2), tensors)


# ---- of joined maps, without a gradient


def in_float32(inputs):
    maps = [x.float() for x in inputs["maps"]]
    return {**cast({**inputs, "maps": None}, torch.float32), "maps": maps}


def joined_formula(maps, weight, bias, dilation):
    return padded_conv(torch.cat(maps, dim=1), weight, bias, dilation)


@pytest.mark.parametrize("maps", [1, 2, 4])
@pytest.mark.parametrize(
    "channels, outputs", [(1, 1), (5, 9), (24, 24), (33, 40)]
)
@pytest.mark.parametrize(
    "frames, freq, dilation",
    [(1, 1, 1), (2, 3, 1), (23, 4, 2), (24, 5, 30), (49, 31, 8)],
)
def test_joined(maps, channels, outputs, frames, freq, dilation):
    inputs = joined_inputs(maps, channels, outputs, frames, freq)
    expected = joined_formula(**inputs, dilation=dilation)
    ours = joined_conv3x3(**in_float32(inputs), dilation=dilation)
    assert ours.dtype == torch.float32
    assert ours.is_contiguous(memory_format=torch.channels_last)
    scale = expected.abs().max()
    assert (ours - expected).abs().max() < 3e-6 * scale


@pytest.mark.parametrize("freq", [1, 2, 4, 5, 6, 7, 8, 201])
def test_each_tap_of_each_map_has_its_place(freq):
    """One input of 1, so the filters are seen, turned about, and no more."""
    inputs = in_float32(joined_inputs(2, 3, 4, 7, freq, batch=1))
    inputs["bias"].zero_()
    for map, channel, frame, at in ((0, 0, 0, 0), (1, 2, 3, freq // 2)):
        maps = [torch.zeros_like(x) for x in inputs["maps"]]
        maps[map][0, channel, frame, at] = 1
        y = joined_conv3x3(maps, inputs["weight"], inputs["bias"], 2)[0]
        expected = torch.zeros(4, 7 + 4, freq + 2)
        taps = inputs["weight"][:, 3 * map + channel].flip(1, 2)
        expected[:, frame : frame + 5 : 2, at : at + 3] = taps
        torch.testing.assert_close(
            y, expected[:, 2:-2, 1:-1], rtol=0, atol=2e-6
        )


def test_joined_of_any_memory_format():
    inputs = in_float32(joined_inputs(2, 6, 5, 7, 11))
    expected = joined_conv3x3(**inputs, dilation=2)
    for change in (
        lambda x: x.contiguous(memory_format=torch.channels_last),
        lambda x: x.repeat_interleave(2, dim=1)[:, ::2],
        lambda x: x.mT.contiguous().mT,
    ):
        changed = {
            name: [change(x) for x in value]
            if name == "maps"
            else (change(value) if value.dim() == 4 else value)
            for name, value in inputs.items()
        }
        assert torch.equal(joined_conv3x3(**changed, dilation=2), expected)


def test_items_of_a_batch_do_not_see_each_other():
    """Nor does a place in it change the numbers, nor a NaN elsewhere."""
    inputs = in_float32(joined_inputs(2, 5, 7, 30, 9, batch=3))
    inputs["maps"][1][1] = torch.nan
    y = joined_conv3x3(**inputs, dilation=4)
    assert y[1].isnan().all()
    for i in (0, 2):
        alone = {**inputs, "maps": [x[i : i + 1] for x in inputs["maps"]]}
        assert torch.equal(joined_conv3x3(**alone, dilation=4)[0], y[i])
