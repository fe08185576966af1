"""Mamba's causal depthwise convolution with its SiLU."""

from functools import partial
from typing import Tuple

import torch
from torch import Tensor
from torch.nn.functional import conv1d, pad, silu

from speechbrain_semamba.ops import kernels
from speechbrain_semamba.ops.arguments import (
    DATA_TYPES,
    GROUPS,
    MAX_WIDTH,
    ConvArguments,
    ConvGradients,
    check_shape,
    dense,
    dense_last,
    state_dtype,
)
from speechbrain_semamba.ops.backends import use_operators
from speechbrain_semamba.ops.registration import operator


def causal_conv_silu(
    x, weight, bias, reverse=False, backend="auto", layer=None
):
    """Depthwise convolution that sees the past alone, and SiLU.

    Arguments
    ---------
    x : torch.Tensor
        Input [batch, length, dim].
    weight : torch.Tensor
        One filter for each dim, the oldest step first [dim, width].
    bias : torch.Tensor
        Added before the SiLU [dim].
    reverse : bool
        See the future alone, as if time ran backwards.
    backend : str
        As in ``ops.selective_scan``.
    layer : torch.nn.Conv1d
        The layer of this weight and bias. It is called where no compiled
        kernel is, so that its hooks see it.

    Returns
    -------
    torch.Tensor
        Output [batch, length, dim].

    Example
    -------
    >>> x = torch.tensor([0.0, 1.0, 0.0])[None, :, None]
    >>> weight, bias = torch.tensor([[30.0, 20.0]]), torch.zeros(1)
    >>> causal_conv_silu(x, weight, bias).flatten()
    tensor([ 0., 20., 30.])
    >>> causal_conv_silu(x, weight, bias, reverse=True).flatten()
    tensor([30., 20.,  0.])
    """
    width = weight.shape[1]
    if 2 <= width <= MAX_WIDTH and use_operators(x, backend):
        return _causal_conv_silu(x, weight, bias, reverse)
    if layer is None:
        groups = weight.shape[0]
        layer = partial(
            conv1d, weight=weight[:, None], bias=bias, groups=groups
        )
    x = x.flip(1) if reverse else x
    y = silu(layer(pad(x.transpose(1, 2), (width - 1, 0))).transpose(1, 2))
    return y.flip(1) if reverse else y


@operator
def _causal_conv_silu(
    x: Tensor, weight: Tensor, bias: Tensor, reverse: bool
) -> Tensor:
    y = x.new_empty(x.shape)
    kernels.run("conv", _arguments(x, weight, bias, reverse, y))
    return y


@_causal_conv_silu.fake
def _(x, weight, bias, reverse):
    return x.new_empty(x.shape)


@operator
def _causal_conv_silu_backward(
    grad_y: Tensor, x: Tensor, weight: Tensor, bias: Tensor, reverse: bool
) -> Tuple[Tensor, Tensor, Tensor]:
    dtype = state_dtype(x.dtype)
    grad_y = dense_last(grad_y, dtype)
    batch, _, dim = x.shape
    groups = min(batch, GROUPS)
    grad_x = grad_y.new_empty(x.shape)
    grad_weight = grad_y.new_empty(groups, weight.shape[1], dim)
    grad_bias = grad_y.new_empty(groups, dim)
    arguments = ConvGradients(
        forward=_arguments(x.to(dtype), weight, bias, reverse),
        y=grad_y,
        x=grad_x,
        groups=groups,
        weight=grad_weight,
        bias=grad_bias,
    )
    kernels.run("conv_backward", arguments)
    grad_weight = grad_weight.sum(0).T.contiguous()
    return grad_x.to(x.dtype), grad_weight, grad_bias.sum(0)


@_causal_conv_silu_backward.fake
def _(grad_y, x, weight, bias, reverse):
    dtype = state_dtype(x.dtype)
    weights = (x.new_empty(w.shape, dtype=dtype) for w in (weight, bias))
    return (x.new_empty(x.shape), *weights)


_causal_conv_silu_backward.no_gradient()


def run_triton(x, weight, bias, reverse):
    """The convolution of CUDA tensors."""
    from speechbrain_semamba.ops.triton import conv

    y = x.new_empty(x.shape)
    conv.run(x, weight, bias, reverse, y)
    return y


def run_triton_backward(grad_y, x, weight, bias, reverse):
    """Its gradients."""
    from speechbrain_semamba.ops.triton import conv

    return conv.run_backward(grad_y, x, weight, bias, reverse)


_causal_conv_silu.on("CUDA", run_triton)
_causal_conv_silu_backward.on("CUDA", run_triton_backward)


def _save(ctx, inputs, output):
    *tensors, ctx.reverse = inputs
    ctx.save_for_backward(*tensors)


def _backward(ctx, grad_y):
    tensors = ctx.saved_tensors
    grads = _causal_conv_silu_backward(grad_y, *tensors, ctx.reverse)
    return (*(g.to(x.dtype) for g, x in zip(grads, tensors)), None)


_causal_conv_silu.gradient(_backward, _save)


def _arguments(x, weight, bias, reverse, y=None):
    batch, length, dim = x.shape
    width = weight.shape[1]
    check_shape("weight", weight, (dim, width))
    check_shape("bias", bias, (dim,))
    dtype = state_dtype(x.dtype)
    return ConvArguments(
        data_type=DATA_TYPES[x.dtype],
        num_threads=torch.get_num_threads(),
        batch=batch,
        length=length,
        dim=dim,
        width=width,
        reverse=reverse,
        x=dense_last(x, x.dtype),
        y=y,
        weight=dense(weight.T, dtype),
        bias=dense(bias, dtype),
    )
