"""The selective scan in Triton; ``ops/README.md`` has its formulas."""

import triton
import triton.language as tl

from speechbrain_semamba.ops.arguments import (
    check_shape,
    dense,
    dense_last,
    state_dtype,
)
from speechbrain_semamba.ops.triton.arithmetic import sigmoid, softplus
from speechbrain_semamba.ops.triton.tiles import (
    CHANNELS,
    advance,
    grid_of,
    place_of,
    read,
    steps_of,
    warps_of,
)


def run(arguments, y, initial, final, states):
    """Fills in what the scan returns.

    Arguments
    ---------
    arguments : dict
        Of ``scan_arguments``.
    y : torch.Tensor
        Output [batch, length, dim], contiguous.
    initial : torch.Tensor
        State before the first step [batch, state, dim], or None.
    final : torch.Tensor
        State after the last step [batch, state, dim].
    states : torch.Tensor
        State before every chunk [batch, chunks, state, dim], or None.
    """
    check_shape("initial_state", initial, final.shape)
    scan_kernel[grid_of(y)](
        **arguments,
        y=y,
        initial=dense(initial, final.dtype),
        final=final,
        kept=states,
        num_warps=warps_of(arguments),
    )


def scan_arguments(u, delta, A, B, C, D, z, delta_bias, sizes, reverse, chunk):
    """What the scan and its gradient are given, by name.

    Arguments
    ---------
    u, delta, A, B, C, D, z, delta_bias, sizes, reverse
        As ``ops.scan.cpu.selective_scan``.
    chunk : int
        Steps between two states that are kept.

    Returns
    -------
    dict
        Tensors whose last axis is dense, their strides, and sizes.
    """
    dtype = state_dtype(u.dtype)
    if sizes is not None:
        sizes = sizes.clamp(0, u.shape[1]).int().contiguous()
    arguments = {
        "rate": dense(A.T, dtype),
        "D": dense(D, dtype),
        "bias": dense(delta_bias, dtype),
        "sizes": sizes,
        "length": u.shape[1],
        "dim": u.shape[2],
        "state": A.shape[1],
        "REVERSE": reverse,
        "CHUNK": chunk,
        "STATES": triton.next_power_of_2(A.shape[1]),
        "CHANNELS": CHANNELS,
    }
    for name, x in {"u": u, "delta": delta, "z": z, "B": B, "C": C}.items():
        arguments.update(view(name, x))
    return arguments


def view(name, x):
    """A tensor [batch, length, features] with its strides; None has none."""
    if x is None:
        return {name: None, f"{name}_item": 0, f"{name}_time": 0}
    x = dense_last(x, x.dtype)
    return {name: x, f"{name}_item": x.stride(0), f"{name}_time": x.stride(1)}


@triton.jit
def scan_kernel(
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
    initial,
    final,
    kept,
    REVERSE: tl.constexpr,
    CHUNK: tl.constexpr,
    STATES: tl.constexpr,
    CHANNELS: tl.constexpr,
):
    """One program for some channels of one item, serial over its steps."""
    item = tl.program_id(0).to(tl.int64)
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
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
    y += item * length * dim + channel
    final += item * size + tile
    if z is not None:
        z += item * z_item + channel
    if D is not None:
        D += channel
    if bias is not None:
        bias += channel
    if initial is not None:
        initial += item * size + tile
    if kept is not None:
        kept += item * tl.cdiv(length, CHUNK) * size + tile

    rates = read(rate + tile, inside_tile, dtype)
    skip = read(D, inside, dtype)
    shift = read(bias, inside, dtype)
    h = read(initial, inside_tile, dtype)
    count = steps_of(sizes, item, length)
    for i in range(count):
        if kept is not None:
            if i % CHUNK == 0:
                tl.store(kept + i // CHUNK * size, h, mask=inside_tile)
        t = place_of(i, count, REVERSE)
        x = read(u + t * u_time, inside, dtype)
        step = softplus(read(delta + t * delta_time, inside, dtype) + shift)
        b = read(B + t * B_time, real, dtype)
        c = read(C + t * C_time, real, dtype)
        h, decay = advance(h, step, rates, x, b)
        out = tl.sum(c[:, None] * h, axis=0) + skip * x
        if z is not None:
            gate = read(z + t * z_time, inside, dtype)
            out *= gate * sigmoid(gate)
        tl.store(y + t * dim, out, mask=inside)
    # padding, so that the result is the same every time
    for t in range(count, length):
        tl.store(y + t * dim, tl.zeros([CHANNELS], dtype), mask=inside)
    if kept is not None:
        for chunk in range(tl.cdiv(count, CHUNK), tl.cdiv(length, CHUNK)):
            tl.store(kept + chunk * size, h, mask=inside_tile)
    tl.store(final, h, mask=inside_tile)
