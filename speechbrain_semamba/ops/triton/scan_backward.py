"""The gradient of the selective scan in Triton; formulas: ``ops/README.md``."""

import torch
import triton
import triton.language as tl

from speechbrain_semamba.ops.triton.arithmetic import (
    sigmoid,
    silu_slope,
    softplus,
)
from speechbrain_semamba.ops.triton.scan import view
from speechbrain_semamba.ops.triton.tiles import (
    advance,
    grid_of,
    place_of,
    read,
    steps_of,
    warps_of,
)

#: Steps whose states a thread holds in its registers; divides the chunk
SPAN = 4


def run(arguments, grad_y, states):
    """Gradients of u, delta, z, B, C, rate (A transposed), D and bias, by name.

    Arguments
    ---------
    arguments : dict
        Of ``scan.scan_arguments``.
    grad_y : torch.Tensor
        Gradient of the output [batch, length, dim].
    states : torch.Tensor
        State before every chunk [batch, chunks, state, dim].

    Returns
    -------
    dict
        Those of u, delta and z in the type of u, the others in that of
        ``states``. Where several programs have a part of a gradient, each
        writes its own, and the sum is always the same.
    """
    u, z, state = arguments["u"], arguments["z"], arguments["state"]
    batch, length, dim = u.shape
    grid = grid_of(u)
    # what lies beyond an item's end is not written
    new = torch.empty if arguments["sizes"] is None else torch.zeros
    half = {"dtype": u.dtype, "device": u.device}
    full = {"dtype": states.dtype, "device": u.device}
    grads = {
        "u": new(u.shape, **half),
        "delta": new(u.shape, **half),
        "z": new(0 if z is None else u.shape, **half),
        "B": new(grid[1], batch, length, state, **full),
        "C": new(grid[1], batch, length, state, **full),
        "rate": states.new_empty(batch, state, dim),
        "D": states.new_empty(batch, dim),
        "bias": states.new_empty(batch, dim),
    }
    scan_backward_kernel[grid](
        **arguments,
        **view("y", grad_y),
        kept=states,
        **{f"grad_{name}": grad for name, grad in grads.items()},
        SPAN=SPAN,
        num_warps=warps_of(arguments),
    )
    shared = ("B", "C", "rate", "D", "bias")
    return {**grads, **{name: grads[name].sum(0) for name in shared}}


@triton.jit
def scan_backward_kernel(
    u,
    u_item,
    u_time,
    delta,
    delta_item,
    delta_time,
    z,
    z_item,
    z_time,
    B,
    B_item,
    B_time,
    C,
    C_item,
    C_time,
    rate,
    D,
    bias,
    sizes,
    length,
    dim,
    state,
    y,
    y_item,
    y_time,
    kept,
    grad_u,
    grad_delta,
    grad_z,
    grad_B,
    grad_C,
    grad_rate,
    grad_D,
    grad_bias,
    REVERSE: tl.constexpr,
    CHUNK: tl.constexpr,
    STATES: tl.constexpr,
    CHANNELS: tl.constexpr,
    SPAN: tl.constexpr,
):
    """One program for some channels of one item, from its last step back.

    The states of a span of steps are computed again from the last one that was
    kept; ``y`` is the gradient of the output.
    """
    item, block = tl.program_id(0).to(tl.int64), tl.program_id(1)
    channel = block * CHANNELS + tl.arange(0, CHANNELS)
    n = tl.arange(0, STATES)
    inside, real = channel < dim, n < state
    tile = n[:, None] * dim + channel[None, :]
    inside_tile = real[:, None] & inside[None, :]
    size = state * dim
    dtype: tl.constexpr = rate.dtype.element_ty
    u += item * u_item + channel
    delta += item * delta_item + channel
    B += item * B_item + n
    C += item * C_item + n
    y += item * y_item + channel
    kept += item * tl.cdiv(length, CHUNK) * size + tile
    grad_u += item * length * dim + channel
    grad_delta += item * length * dim + channel
    row = block * tl.num_programs(0) + item
    grad_B += row * length * state + n
    grad_C += row * length * state + n
    if z is not None:
        z += item * z_item + channel
        grad_z += item * length * dim + channel
    if D is not None:
        D += channel
    if bias is not None:
        bias += channel

    rates = read(rate + tile, inside_tile, dtype)
    skip = read(D, inside, dtype)
    shift = read(bias, inside, dtype)
    sum_rate = tl.zeros([STATES, CHANNELS], dtype)
    sum_D = tl.zeros([CHANNELS], dtype)
    sum_bias = tl.zeros([CHANNELS], dtype)
    # the gradient of a state through the steps that follow it
    later = tl.zeros([STATES, CHANNELS], dtype)
    count = steps_of(sizes, item, length)
    spans = tl.cdiv(count, SPAN)
    for k in range(spans):
        begin = (spans - 1 - k) * SPAN
        chunk = begin // CHUNK
        h = read(kept + chunk * size, inside_tile, dtype)
        for i in range(chunk * CHUNK, begin):
            t = place_of(i, count, REVERSE)
            x = read(u + t * u_time, inside, dtype)
            pre = read(delta + t * delta_time, inside, dtype) + shift
            b = read(B + t * B_time, real, dtype)
            h, decay = advance(h, softplus(pre), rates, x, b)
        span = (h,)
        for i in tl.static_range(1, SPAN):
            # beyond the end it does not matter what comes out
            t = place_of(tl.minimum(begin + i, count) - 1, count, REVERSE)
            x = read(u + t * u_time, inside, dtype)
            pre = read(delta + t * delta_time, inside, dtype) + shift
            b = read(B + t * B_time, real, dtype)
            h, decay = advance(h, softplus(pre), rates, x, b)
            span = span + (h,)
        for i in tl.static_range(SPAN - 1, -1, -1):
            if begin + i < count:
                t = place_of(begin + i, count, REVERSE)
                x = read(u + t * u_time, inside, dtype)
                pre = read(delta + t * delta_time, inside, dtype) + shift
                b = read(B + t * B_time, real, dtype)
                c = read(C + t * C_time, real, dtype)
                g_out = read(y + t * y_time, inside, dtype)
                step = softplus(pre)
                h, decay = advance(span[i], step, rates, x, b)
                if z is not None:
                    gate = read(z + t * z_time, inside, dtype)
                    opened = sigmoid(gate)
                    out = tl.sum(c[:, None] * h, axis=0) + skip * x
                    g_gate = g_out * out * silu_slope(gate, opened)
                    tl.store(grad_z + t * dim, g_gate, mask=inside)
                    g_out *= gate * opened
                g = later + c[:, None] * g_out[None, :]
                g_c = tl.sum(h * g_out[None, :], axis=1)
                g_b = tl.sum(g * (step * x)[None, :], axis=1)
                tl.store(grad_C + t * state, g_c, mask=real)
                tl.store(grad_B + t * state, g_b, mask=real)
                g_drive = tl.sum(g * b[:, None], axis=0)
                later = g * decay
                g_exponent = later * span[i]
                sum_rate += g_exponent * step[None, :]
                g_step = tl.sum(g_exponent * rates, axis=0) + g_drive * x
                g_pre = g_step * sigmoid(pre)
                g_x = g_drive * step + g_out * skip
                tl.store(grad_delta + t * dim, g_pre, mask=inside)
                tl.store(grad_u + t * dim, g_x, mask=inside)
                sum_bias += g_pre
                sum_D += g_out * x

    tl.store(grad_rate + item * size + tile, sum_rate, mask=inside_tile)
    tl.store(grad_D + item * dim + channel, sum_D, mask=inside)
    tl.store(grad_bias + item * dim + channel, sum_bias, mask=inside)
