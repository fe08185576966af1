"""Instance normalisation and PReLU in one pass, for channels_last features."""

from typing import Optional, Tuple

import torch
from torch import Tensor

from speechbrain_semamba.ops import kernels
from speechbrain_semamba.ops.registration import operator

#: Positions that the kernel adds up by themselves, kPart in csrc/norm.h
PART = 256


@operator
def instance_norm_prelu(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    slope: Tensor,
    seen: Optional[Tensor],
    frames: Optional[Tensor],
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
    frames : torch.Tensor
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
    inputs = _prepare(x, weight, bias, slope, seen, frames)
    arguments, partial = _arguments(inputs, eps, mean, inverse)
    arguments.y = kernels.view(_positions(y))
    kernels.run("norm", arguments)
    del partial  # it had to outlive the call
    return y, mean, inverse


@instance_norm_prelu.fake
def _(x, weight, bias, slope, seen, frames, eps):
    return _outputs(x, seen)


@operator
def _instance_norm_prelu_backward(
    grad_y: Tensor,
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    slope: Tensor,
    frames: Optional[Tensor],
    mean: Tensor,
    inverse: Tensor,
    eps: float,
) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
    dtype = mean.dtype
    inputs = _prepare(x.to(dtype), weight, bias, slope, None, frames)
    grad_y = _channels_last(grad_y.to(dtype))
    grad_x = torch.empty_like(inputs["x"], memory_format=torch.channels_last)
    sums = [torch.empty_like(mean) for _ in range(3)]
    arguments, partial = _arguments(inputs, eps, mean, inverse)
    kernels.run(
        "norm_backward",
        kernels.NormGradients(
            forward=arguments,
            y=kernels.view(_positions(grad_y)),
            x=kernels.view(_positions(grad_x)),
            **{
                name: kernels.pointer(total)
                for name, total in zip(("weight", "bias", "slope"), sums)
            },
        ),
    )
    del partial  # it had to outlive the call
    return (grad_x, *(total.sum(0) for total in sums))


@_instance_norm_prelu_backward.fake
def _(grad_y, x, weight, bias, slope, frames, mean, inverse, eps):
    grad_x = torch.empty_like(
        x, dtype=mean.dtype, memory_format=torch.channels_last
    )
    return (grad_x, *(mean.new_empty(mean.shape[1]) for _ in range(3)))


_instance_norm_prelu_backward.no_gradient()


def _save(ctx, inputs, output):
    x, weight, bias, slope, seen, frames, ctx.eps = inputs
    _, mean, inverse = output
    ctx.mark_non_differentiable(mean, inverse)
    ctx.save_for_backward(x, weight, bias, slope, frames, mean, inverse)
    ctx.joined = seen is not None


def _backward(ctx, grad_y, *unused):
    x, weight, bias, slope, frames, mean, inverse = ctx.saved_tensors
    grads = _instance_norm_prelu_backward(
        grad_y, x, weight, bias, slope, frames, mean, inverse, ctx.eps
    )
    given = (x, weight, bias, slope)
    grads = [grad.to(i.dtype) for grad, i in zip(grads, given)]
    seen = grad_y[:, x.shape[1] :] if ctx.joined else None
    return (*grads, seen, None, None)


instance_norm_prelu.gradient(_backward, _save)


def _channels_last(x):
    return x.contiguous(memory_format=torch.channels_last)


def _positions(x):
    """[batch, frames * freq, channels] of channels_last features."""
    return x.permute(0, 2, 3, 1).flatten(1, 2)


def _outputs(x, seen):
    batch, channels, frames, freq = x.shape
    total = channels + (0 if seen is None else seen.shape[1])
    y = torch.empty(
        (batch, total, frames, freq),
        dtype=x.dtype,
        device=x.device,
        memory_format=torch.channels_last,
    )
    dtype = kernels.state_dtype(x.dtype)
    return (
        y,
        x.new_empty(batch, channels, dtype=dtype),
        x.new_empty(batch, channels, dtype=dtype),
    )


def _prepare(x, weight, bias, slope, seen, frames):
    """The inputs as the kernel takes them; they must outlive the call."""
    dtype = kernels.state_dtype(x.dtype)
    batch, channels, *sizes = x.shape
    for name, of in (("weight", weight), ("bias", bias), ("slope", slope)):
        kernels.check_shape(name, of, (channels,))
    if seen is not None:
        kernels.check_shape("seen", seen, (batch, seen.shape[1], *sizes))
    kernels.check_shape("frames", frames, (batch,))
    steps = None
    if frames is not None:
        steps = frames.to(torch.int64).clamp(0, x.shape[2]) * x.shape[3]
    return {
        "x": _channels_last(x),
        "weight": kernels.dense(weight, dtype),
        "bias": kernels.dense(bias, dtype),
        "slope": kernels.dense(slope, dtype),
        "seen": None if seen is None else _channels_last(seen.to(x.dtype)),
        "steps": steps,
    }


def _arguments(inputs, eps, mean, inverse):
    """The kernel's arguments, and the memory that they point to."""
    x = _positions(inputs["x"])
    seen = None if inputs["seen"] is None else _positions(inputs["seen"])
    batch, length, channels = x.shape
    partial = mean.new_empty(batch, -(-length // PART), 3, channels)
    arguments = kernels.NormArguments(
        data_type=kernels.DATA_TYPES[x.dtype],
        num_threads=torch.get_num_threads(),
        batch=batch,
        length=length,
        channels=channels,
        seen_channels=0 if seen is None else seen.shape[2],
        x=kernels.view(x),
        seen=kernels.view(seen),
        eps=eps,
        mean=kernels.pointer(mean),
        inverse=kernels.pointer(inverse),
        partial=kernels.pointer(partial),
        **{
            name: kernels.pointer(inputs[name])
            for name in ("weight", "bias", "slope", "steps")
        },
    )
    return arguments, partial
