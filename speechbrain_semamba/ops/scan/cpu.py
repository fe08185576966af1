"""The compiled selective scan as a PyTorch operator, with its gradient."""

from typing import List, Optional, Tuple

import torch
from torch import Tensor

from speechbrain_semamba.ops import kernels
from speechbrain_semamba.ops.arguments import (
    DATA_TYPES,
    GROUPS,
    ScanArguments,
    ScanGradients,
    check_shape,
    dense,
    dense_last,
    state_dtype,
)
from speechbrain_semamba.ops.registration import operator

#: Steps between two states that the forward scan keeps for the backward one
CHUNK = 16


def why_not(device_type):
    """Why ``scan`` cannot run on a device, or None if it can.

    Arguments
    ---------
    device_type : str
        "cuda", "cpu", ...

    Returns
    -------
    str or None
        The reason in one line, with the way out.

    Example
    -------
    >>> why_not("cuda")
    'the kernel is for tensors on the CPU'
    """
    if device_type != "cpu":
        return "the kernel is for tensors on the CPU"
    return kernels.why_not()


def scan(u, delta, A, B, C, D, z, delta_bias, valid, reverse):
    """Arguments as ``ops.backends.Backend`` says."""
    sizes = None if valid is None else valid.sizes
    inputs = (u, delta, A, B, C, D, z, delta_bias)
    keep = torch.is_grad_enabled() and any(
        x is not None and x.requires_grad for x in inputs
    )
    y, _, _ = selective_scan(*inputs, sizes, None, reverse, keep)
    return y


@operator
def selective_scan(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Optional[Tensor],
    z: Optional[Tensor],
    delta_bias: Optional[Tensor],
    sizes: Optional[Tensor],
    initial_state: Optional[Tensor],
    reverse: bool,
    keep_states: bool,
) -> Tuple[Tensor, Tensor, Tensor]:
    """The scan of ``ops.selective_scan``, and its states.

    Arguments
    ---------
    u, delta, z : torch.Tensor
        [batch, length, dim], float32, float64 or bfloat16.
    A : torch.Tensor
        [dim, state].
    B, C : torch.Tensor
        [batch, length, state].
    D, delta_bias : torch.Tensor
        [dim].
    sizes : torch.Tensor
        Valid steps of each item [batch], integers.
    initial_state : torch.Tensor
        State before the first step [batch, state, dim]; has no gradient.
    reverse : bool
        Scan from the last step to the first.
    keep_states : bool
        Whether the gradient will be asked for.

    Returns
    -------
    y : torch.Tensor
        Output [batch, length, dim].
    final_state : torch.Tensor
        State after the last step [batch, state, dim].
    states : torch.Tensor
        State before every ``CHUNK``-th step [batch, chunks, state, dim];
        empty unless ``keep_states``.
    """
    y, final, states = outputs(u, A, keep_states)
    check_shape("initial_state", initial_state, final.shape)
    arguments = _arguments(
        *(u, delta, A, B, C, D, z, delta_bias, sizes, reverse),
        y=y,
        initial=dense(initial_state, final.dtype),
        final=final,
        checkpoints=states if keep_states else None,
    )
    kernels.run("scan", arguments)
    return y, final, states


@selective_scan.fake
def _(u, delta, A, B, C, D, z, delta_bias, sizes, initial_state, reverse, keep):
    return outputs(u, A, keep)


@operator
def selective_scan_backward(
    grad_y: Tensor,
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Optional[Tensor],
    z: Optional[Tensor],
    delta_bias: Optional[Tensor],
    sizes: Optional[Tensor],
    states: Tensor,
    reverse: bool,
) -> List[Tensor]:
    """Gradients of u, delta, A, B, C, D, z and delta_bias, in this order.

    Those of D, z and delta_bias are there whether or not the input is; that
    of z is then empty. Computed in the type of ``states``; those of u, delta
    and z have the type of u.
    """
    half, dtype = u.dtype, states.dtype
    u, delta = u.to(dtype), delta.to(dtype)
    z = None if z is None else z.to(dtype)
    batch, _, dim = u.shape
    groups = min(batch, GROUPS)
    grads = {
        "u": u.new_empty(u.shape),
        "delta": u.new_empty(u.shape),
        "z": u.new_empty(0 if z is None else u.shape),
        "B": u.new_empty(B.shape),
        "C": u.new_empty(C.shape),
        "rate": u.new_empty(groups, A.shape[1], dim),
        "D": u.new_empty(groups, dim),
        "bias": u.new_empty(groups, dim),
    }
    forward = _arguments(
        *(u, delta, A, B, C, D, z, delta_bias, sizes, reverse),
        checkpoints=states,
    )
    given = {**grads, "z": None if z is None else grads["z"]}
    arguments = ScanGradients(
        forward=forward, y=dense_last(grad_y, dtype), groups=groups, **given
    )
    kernels.run("scan_backward", arguments)
    rate, skip, bias = (grads[name].sum(0) for name in ("rate", "D", "bias"))
    return [
        grads["u"].to(half),
        grads["delta"].to(half),
        rate.T.contiguous(),
        grads["B"],
        grads["C"],
        skip,
        grads["z"].to(half),
        bias,
    ]


@selective_scan_backward.fake
def _(grad_y, u, delta, A, B, C, D, z, delta_bias, sizes, states, reverse):
    dim = u.shape[2:]
    return [
        u.new_empty(u.shape),
        u.new_empty(u.shape),
        *(states.new_empty(x.shape) for x in (A, B, C)),
        states.new_empty(dim),
        u.new_empty(0 if z is None else u.shape),
        states.new_empty(dim),
    ]


selective_scan_backward.no_gradient()


def _save(ctx, inputs, output):
    *tensors, sizes, initial_state, ctx.reverse, keep = inputs
    if initial_state is not None and initial_state.requires_grad:
        raise RuntimeError("the scan has no gradient for its initial state")
    if not keep:
        raise RuntimeError("the scan needs keep_states for its gradient")
    _, final, states = output
    ctx.mark_non_differentiable(final, states)
    ctx.save_for_backward(*tensors, sizes, states)


def _backward(ctx, grad_y, *unused):
    *tensors, sizes, states = ctx.saved_tensors
    grads = selective_scan_backward(
        grad_y, *tensors, sizes, states, ctx.reverse
    )
    grads = [
        None if x is None else grad.to(x.dtype)
        for x, grad in zip(tensors, grads)
    ]
    return (*grads, None, None, None, None)


selective_scan.gradient(_backward, _save)


def outputs(u, A, keep_states):
    """Memory for what ``selective_scan`` returns."""
    batch, length, dim = u.shape
    dtype = state_dtype(u.dtype)
    chunks = -(-length // CHUNK) if keep_states else 0
    return (
        u.new_empty(batch, length, dim),
        u.new_empty(batch, A.shape[1], dim, dtype=dtype),
        u.new_empty(batch, chunks, A.shape[1], dim, dtype=dtype),
    )


def _arguments(u, delta, A, B, C, D, z, delta_bias, sizes, reverse, **outputs):
    batch, length, dim = u.shape
    dtype = state_dtype(u.dtype)
    if sizes is not None:
        sizes = sizes.to(torch.int64).clamp(0, length).contiguous()
    return ScanArguments(
        data_type=DATA_TYPES[u.dtype],
        num_threads=torch.get_num_threads(),
        batch=batch,
        length=length,
        dim=dim,
        state=A.shape[1],
        reverse=reverse,
        chunk=CHUNK,
        u=dense_last(u, u.dtype),
        delta=dense_last(delta, u.dtype),
        z=dense_last(z, u.dtype),
        B=dense_last(B, dtype),
        C=dense_last(C, dtype),
        rate=dense(A.T, dtype),
        D=dense(D, dtype),
        bias=dense(delta_bias, dtype),
        sizes=sizes,
        **outputs,
    )
