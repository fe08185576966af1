"""Instance normalisation and PReLU in one pass, for channels_last features."""

from typing import Optional, Tuple

import torch
from torch import Tensor

from speechbrain_semamba.ops import kernels
from speechbrain_semamba.ops.arguments import (
    DATA_TYPES,
    NormArguments,
    NormGradients,
    channels_last,
    channels_last_like,
    check_shape,
    dense,
    positions,
    state_dtype,
)
from speechbrain_semamba.ops.registration import operator

#: Positions whose sums the kernel adds up by themselves, so that the result
#: does not depend on the number of threads; they stay in the cache
PART = 256


@operator
def instance_norm_prelu(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    slope: Tensor,
    seen: Optional[Tensor],
    sizes: Optional[Tensor],
    eps: float,
) -> Tuple[Tensor, Tensor, Tensor]:
    """Normalises, rectifies, and puts the result in front of ``seen``.

    Arguments
    ---------
    x : torch.Tensor
        Features [batch, channels, frames, freq] on the CPU, best in the
        memory format channels_last; float32, float64 or bfloat16.
    weight, bias : torch.Tensor
        Scale and offset of the normalised features [channels].
    slope : torch.Tensor
        Slope of PReLU below zero [channels].
    seen : torch.Tensor
        Features [batch, more, frames, freq] to put behind the result.
    sizes : torch.Tensor
        Valid frames of each item [batch], integers; the result is zero in
        the others.
    eps : float
        Added to the variance.

    Returns
    -------
    y : torch.Tensor
        Features [batch, channels + more, frames, freq], channels_last.
    mean, inverse : torch.Tensor
        Mean, and 1 over the standard deviation [batch, channels].

    Example
    -------
    >>> x = torch.tensor([1.0, 3.0])[None, None, None]
    >>> one = torch.ones(1)
    >>> y, mean, _ = instance_norm_prelu(x, one, 0 * one, one / 4, x, None, 0.0)
    >>> y.flatten().tolist(), mean.item()
    ([-0.25, 1.0, 1.0, 3.0], 2.0)
    """
    y, mean, inverse = _outputs(x, seen)
    arguments = _arguments(
        x, weight, bias, slope, seen, sizes, eps, mean, inverse, y
    )
    kernels.run("norm", arguments)
    return y, mean, inverse


@instance_norm_prelu.fake
def _(x, weight, bias, slope, seen, sizes, eps):
    return _outputs(x, seen)


@operator
def _instance_norm_prelu_backward(
    grad_y: Tensor,
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    slope: Tensor,
    sizes: Optional[Tensor],
    mean: Tensor,
    inverse: Tensor,
    eps: float,
) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
    dtype = mean.dtype
    x = channels_last(x.to(dtype))
    grad_x = torch.empty_like(x, memory_format=torch.channels_last)
    sums = [torch.empty_like(mean) for _ in range(3)]
    arguments = NormGradients(
        forward=_arguments(
            x, weight, bias, slope, None, sizes, eps, mean, inverse
        ),
        y=positions(grad_y.to(dtype)),
        x=positions(grad_x),
        **dict(zip(("weight", "bias", "slope"), sums)),
    )
    kernels.run("norm_backward", arguments)
    return (grad_x, *(total.sum(0) for total in sums))


@_instance_norm_prelu_backward.fake
def _(grad_y, x, weight, bias, slope, sizes, mean, inverse, eps):
    grad_x = torch.empty_like(
        x, dtype=mean.dtype, memory_format=torch.channels_last
    )
    return (grad_x, *(mean.new_empty(mean.shape[1]) for _ in range(3)))


_instance_norm_prelu_backward.no_gradient()


def _save(ctx, inputs, output):
    x, weight, bias, slope, seen, sizes, ctx.eps = inputs
    _, mean, inverse = output
    ctx.mark_non_differentiable(mean, inverse)
    ctx.save_for_backward(x, weight, bias, slope, sizes, mean, inverse)
    ctx.joined = seen is not None


def _backward(ctx, grad_y, *unused):
    x, weight, bias, slope, sizes, mean, inverse = ctx.saved_tensors
    grads = _instance_norm_prelu_backward(
        grad_y, x, weight, bias, slope, sizes, mean, inverse, ctx.eps
    )
    given = (x, weight, bias, slope)
    grads = [grad.to(i.dtype) for grad, i in zip(grads, given)]
    seen = grad_y[:, x.shape[1] :] if ctx.joined else None
    return (*grads, seen, None, None)


instance_norm_prelu.gradient(_backward, _save)


def _outputs(x, seen):
    batch, channels = x.shape[:2]
    y = channels_last_like(x, channels + (0 if seen is None else seen.shape[1]))
    dtype = state_dtype(x.dtype)
    return (
        y,
        x.new_empty(batch, channels, dtype=dtype),
        x.new_empty(batch, channels, dtype=dtype),
    )


def _arguments(x, weight, bias, slope, seen, sizes, eps, mean, inverse, y=None):
    batch, channels, frames, freq = x.shape
    for name, given in (("weight", weight), ("bias", bias), ("slope", slope)):
        check_shape(name, given, (channels,))
    if seen is not None:
        check_shape("seen", seen, (batch, seen.shape[1], frames, freq))
        seen = positions(seen.to(x.dtype))
    check_shape("sizes", sizes, (batch,))
    if sizes is not None:
        sizes = (sizes.to(torch.int64).clamp(0, frames) * freq).contiguous()
    dtype, length = state_dtype(x.dtype), frames * freq
    return NormArguments(
        data_type=DATA_TYPES[x.dtype],
        num_threads=torch.get_num_threads(),
        batch=batch,
        length=length,
        channels=channels,
        seen_channels=0 if seen is None else seen.shape[2],
        part=PART,
        x=positions(x),
        seen=seen,
        y=None if y is None else positions(y),
        weight=dense(weight, dtype),
        bias=dense(bias, dtype),
        slope=dense(slope, dtype),
        sizes=sizes,
        eps=eps,
        mean=mean,
        inverse=inverse,
        partial=mean.new_empty(batch, -(-length // PART), 3, channels),
    )
