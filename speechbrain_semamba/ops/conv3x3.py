"""3x3 convolution, dilated in time: one to train, one of joined maps."""

from typing import List, Tuple

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from speechbrain_semamba.ops import kernels
from speechbrain_semamba.ops.arguments import (
    DATA_TYPES,
    Conv3x3Arguments,
    Conv3x3Gradients,
    channels_last,
    channels_last_like,
    check_shape,
    dense,
    positions,
    state_dtype,
)
from speechbrain_semamba.ops.registration import operator

#: Parts of all frames of a batch whose gradients are added up by themselves,
#: so that the sums are the same for any number of threads
GROUPS = 32


@operator
def conv3x3(x: Tensor, weight: Tensor, bias: Tensor, dilation: int) -> Tensor:
    """A convolution that keeps frames and frequencies, made to be trained.

    Values and the gradient of the input are PyTorch's. The gradient of the
    weight is the compiled kernel's.

    Arguments
    ---------
    x : torch.Tensor
        Features [batch, channels, frames, freq] on the CPU, best in the
        memory format channels_last; float32, float64 or bfloat16, whose
        weight's gradient is summed in float32.
    weight : torch.Tensor
        Filters [outputs, channels, 3, 3].
    bias : torch.Tensor
        Added to the result [outputs].
    dilation : int
        Frames between two taps in time.

    Returns
    -------
    torch.Tensor
        Features [batch, outputs, frames, freq], channels_last.

    Example
    -------
    >>> x = torch.tensor([1.0, 10.0, 100.0, 1000.0]).view(1, 1, 4, 1)
    >>> conv3x3(x, torch.ones(1, 1, 3, 3), torch.zeros(1), 2).flatten()
    tensor([ 101., 1010.,  101., 1010.])
    """
    check_shape("weight", weight, (len(bias), x.shape[1], 3, 3))
    return channels_last(
        conv2d(
            channels_last(x),
            weight,
            bias,
            padding=(dilation, 1),
            dilation=(dilation, 1),
        )
    )


@conv3x3.fake
def _(x, weight, bias, dilation):
    return channels_last_like(x, len(bias))


@operator
def conv3x3_weight(
    grad_y: Tensor, x: Tensor, dilation: int
) -> Tuple[Tensor, Tensor]:
    """Gradients of weight and bias."""
    batch, inputs, frames, freq = x.shape
    outputs = grad_y.shape[1]
    check_shape("grad_y", grad_y, (batch, outputs, frames, freq))
    _check_dilation(dilation)
    x = x.to(state_dtype(x.dtype))
    groups = min(batch * frames, GROUPS)
    weight = x.new_zeros(groups, 3, 3, outputs, inputs)
    bias = x.new_zeros(groups, outputs)
    arguments = Conv3x3Gradients(
        data_type=DATA_TYPES[x.dtype],
        num_threads=torch.get_num_threads(),
        batch=batch,
        frames=frames,
        freq=freq,
        channels=outputs,
        seen_channels=inputs,
        dilation=dilation,
        x=positions(x),
        y=positions(grad_y.to(x.dtype)),
        groups=groups,
        weight=weight,
        bias=bias,
    )
    kernels.run("conv3x3_weight", arguments)
    return weight.sum(0).permute(2, 3, 0, 1).contiguous(), bias.sum(0)


@conv3x3_weight.fake
def _(grad_y, x, dilation):
    x, outputs = x.to(state_dtype(x.dtype)), grad_y.shape[1]
    return x.new_empty(outputs, x.shape[1], 3, 3), x.new_empty(outputs)


conv3x3_weight.no_gradient()


def _save(ctx, inputs, output):
    x, weight, _, ctx.dilation = inputs
    ctx.save_for_backward(x, weight)


def _backward(ctx, grad_y):
    x, weight = ctx.saved_tensors
    grad_x = grad_weight = grad_bias = None
    if ctx.needs_input_grad[0]:
        # the same convolution with the filters turned about
        turned = weight.transpose(0, 1).flip(2, 3)
        zeros = weight.new_zeros(weight.shape[1])
        grad_x = conv3x3(grad_y, turned, zeros, ctx.dilation)
    if any(ctx.needs_input_grad[1:3]):
        grads = conv3x3_weight(grad_y, x, ctx.dilation)
        grad_weight, grad_bias = (grad.to(weight.dtype) for grad in grads)
    return grad_x, grad_weight, grad_bias, None


conv3x3.gradient(_backward, _save)


@operator
def joined_conv3x3(
    maps: List[Tensor], weight: Tensor, bias: Tensor, dilation: int
) -> Tensor:
    """The same convolution of maps that are joined, without a gradient.

    By Winograd's F(4, 3) along frequency, with half of the products. The maps
    are read where they are; the filters are transformed at each call, so
    nothing that is kept can be out of date.

    Arguments
    ---------
    maps : list of torch.Tensor
        Features [batch, channels, frames, freq] each, on the CPU, best in the
        memory format channels_last; float32.
    weight : torch.Tensor
        Filters [outputs, maps * channels, 3, 3].
    bias : torch.Tensor
        Added to the result [outputs].
    dilation : int
        Frames between two taps in time.

    Returns
    -------
    torch.Tensor
        Features [batch, outputs, frames, freq], channels_last.

    Raises
    ------
    ValueError
        If a shape or a type does not fit.

    Example
    -------
    >>> x = torch.tensor([1.0, 10.0, 100.0, 1000.0]).view(1, 1, 4, 1)
    >>> weight, bias = torch.ones(1, 2, 3, 3), torch.zeros(1)
    >>> joined_conv3x3([x, 2 * x], weight, bias, 2).flatten().round()
    tensor([ 303., 3030.,  303., 3030.])
    """
    if not maps:
        raise ValueError("there must be one map or more, found none")
    for x in maps:
        check_shape("each map", x, maps[0].shape)
        if x.dtype != torch.float32:
            raise ValueError(f"each map must be float32, not {x.dtype}")
    batch, channels, frames, freq = maps[0].shape
    inputs, outputs = len(maps) * channels, len(bias)
    check_shape("weight", weight, (outputs, inputs, 3, 3))
    _check_dilation(dilation)
    maps = [channels_last(x) for x in maps]
    y = channels_last_like(maps[0], outputs)
    arguments = Conv3x3Arguments(
        num_threads=torch.get_num_threads(),
        batch=batch,
        frames=frames,
        freq=freq,
        maps=len(maps),
        channels=channels,
        outputs=outputs,
        dilation=dilation,
        x=torch.tensor([x.data_ptr() for x in maps]),
        weight=dense(weight, torch.float32),
        bias=dense(bias, torch.float32),
        y=positions(y),
    )
    kernels.run("conv3x3", arguments)
    return y


@joined_conv3x3.fake
def _(maps, weight, bias, dilation):
    return channels_last_like(maps[0], len(bias))


joined_conv3x3.no_gradient()


def _check_dilation(dilation):
    if dilation < 1:
        raise ValueError(f"dilation must be 1 or more, not {dilation}")
