"""Mamba's causal depthwise convolution with its SiLU, and its gradient."""

import triton
import triton.language as tl

from speechbrain_semamba.ops.arguments import check_shape, dense, state_dtype
from speechbrain_semamba.ops.triton.arithmetic import sigmoid, silu_slope
from speechbrain_semamba.ops.triton.scan import view
from speechbrain_semamba.ops.triton.tiles import read

#: Steps and channels of a program
TILE = {"STEPS": 16, "CHANNELS": 32}


def run(x, weight, bias, reverse, y):
    """Fills in the output.

    Arguments
    ---------
    x : torch.Tensor
        Input [batch, length, dim].
    weight : torch.Tensor
        Filters, the oldest step first [dim, width].
    bias : torch.Tensor
        Added before the SiLU [dim].
    reverse : bool
        See the future alone.
    y : torch.Tensor
        Output [batch, length, dim], contiguous.
    """
    conv_kernel[_grid_of(x)](**_arguments(x, weight, bias, reverse), y=y)


def run_backward(grad_y, x, weight, bias, reverse):
    """Gradients of x, weight and bias.

    Arguments
    ---------
    grad_y : torch.Tensor
        Gradient of the output [batch, length, dim].
    x, weight, bias, reverse
        As those of ``run``.

    Returns
    -------
    tuple of torch.Tensor
        That of x in its type, the others, sums of one part a program, in
        float32 or float64.
    """
    batch, _, dim = x.shape
    grid = _grid_of(x)
    dtype = state_dtype(x.dtype)
    grad_x = x.new_empty(x.shape)
    grad_weight = x.new_empty(*grid[:2], weight.shape[1], dim, dtype=dtype)
    grad_bias = x.new_empty(*grid[:2], dim, dtype=dtype)
    conv_backward_kernel[grid](
        **_arguments(x, weight, bias, reverse),
        **view("y", grad_y),
        grad_x=grad_x,
        grad_weight=grad_weight,
        grad_bias=grad_bias,
    )
    grad_weight = grad_weight.sum((0, 1)).T.contiguous()
    return grad_x, grad_weight, grad_bias.sum((0, 1))


def _grid_of(x):
    batch, length, dim = x.shape
    blocks = triton.cdiv(length, TILE["STEPS"])
    return batch, blocks, triton.cdiv(dim, TILE["CHANNELS"])


def _arguments(x, weight, bias, reverse):
    _, length, dim = x.shape
    width = weight.shape[1]
    check_shape("weight", weight, (dim, width))
    check_shape("bias", bias, (dim,))
    dtype = state_dtype(x.dtype)
    return {
        **view("x", x),
        "weight": dense(weight.T, dtype),
        "bias": dense(bias, dtype),
        "length": length,
        "dim": dim,
        # from an output's step to those of its other inputs
        "BACK": 1 if reverse else -1,
        "WIDTH": width,
        **TILE,
        "num_warps": 4,
    }


@triton.jit
def read_rows(x, t, time, length, inside, dtype: tl.constexpr):
    """Steps of a tensor [step, channel]; zero outside it."""
    mask = ((t >= 0) & (t < length))[:, None] & inside[None, :]
    return read(x + t[:, None] * time, mask, dtype)


@triton.jit
def convolve(
    x, x_time, weight, shift, t, length, dim, inside,
    BACK: tl.constexpr, WIDTH: tl.constexpr, dtype: tl.constexpr,
):  # fmt: skip
    """The convolution at some steps before its SiLU [step, channel]."""
    pre = tl.zeros([t.shape[0], inside.shape[0]], dtype) + shift[None, :]
    for k in tl.static_range(WIDTH):
        w = read(weight + k * dim, inside, dtype)
        place = t + BACK * (WIDTH - 1 - k)
        seen = read_rows(x, place, x_time, length, inside, dtype)
        pre += w[None, :] * seen
    return pre


@triton.jit
def conv_kernel(
    x,
    x_item,
    x_time,
    weight,
    bias,
    length,
    dim,
    y,
    BACK: tl.constexpr,
    WIDTH: tl.constexpr,
    STEPS: tl.constexpr,
    CHANNELS: tl.constexpr,
):
    """One program for some steps and channels of one item."""
    item = tl.program_id(0).to(tl.int64)
    t = tl.program_id(1) * STEPS + tl.arange(0, STEPS)
    channel = tl.program_id(2) * CHANNELS + tl.arange(0, CHANNELS)
    inside = channel < dim
    dtype: tl.constexpr = weight.dtype.element_ty
    x += item * x_item + channel[None, :]
    shift = read(bias + channel, inside, dtype)
    pre = convolve(
        *(x, x_time, weight + channel, shift, t, length, dim, inside),
        *(BACK, WIDTH, dtype),
    )
    y += item * length * dim + channel[None, :]
    mask = (t < length)[:, None] & inside[None, :]
    tl.store(y + t[:, None] * dim, pre * sigmoid(pre), mask=mask)


@triton.jit
def conv_backward_kernel(
    x,
    x_item,
    x_time,
    weight,
    bias,
    length,
    dim,
    y,
    y_item,
    y_time,
    grad_x,
    grad_weight,
    grad_bias,
    BACK: tl.constexpr,
    WIDTH: tl.constexpr,
    STEPS: tl.constexpr,
    CHANNELS: tl.constexpr,
):
    """The same; ``y`` is the gradient of the output.

    An input is seen by WIDTH outputs, whose convolutions are computed again:
    they read what this program has in its cache.
    """
    item, block = tl.program_id(0).to(tl.int64), tl.program_id(1)
    t = block * STEPS + tl.arange(0, STEPS)
    channel = tl.program_id(2) * CHANNELS + tl.arange(0, CHANNELS)
    inside = channel < dim
    dtype: tl.constexpr = weight.dtype.element_ty
    x += item * x_item + channel[None, :]
    y += item * y_item + channel[None, :]
    weight += channel
    part = item * tl.num_programs(1) + block
    grad_weight += part * WIDTH * dim + channel
    shift = read(bias + channel, inside, dtype)
    g_x = tl.zeros([STEPS, CHANNELS], dtype)
    for k in tl.static_range(WIDTH):
        place = t - BACK * (WIDTH - 1 - k)  # of the output
        pre = convolve(
            *(x, x_time, weight, shift, place, length, dim, inside),
            *(BACK, WIDTH, dtype),
        )
        g_y = read_rows(y, place, y_time, length, inside, dtype)
        g_pre = g_y * silu_slope(pre, sigmoid(pre))
        g_x += read(weight + k * dim, inside, dtype)[None, :] * g_pre
        seen = read_rows(x, t, x_time, length, inside, dtype)
        g_weight = tl.sum(g_pre * seen, axis=0)
        tl.store(grad_weight + k * dim, g_weight, mask=inside)
        if k == WIDTH - 1:  # where the output is at the input's own step
            g_bias = tl.sum(g_pre, axis=0)
            tl.store(grad_bias + part * dim + channel, g_bias, mask=inside)
    grad_x += item * length * dim + channel[None, :]
    mask = (t < length)[:, None] & inside[None, :]
    tl.store(grad_x + t[:, None] * dim, g_x, mask=mask)
