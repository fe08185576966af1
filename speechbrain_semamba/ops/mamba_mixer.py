"""A forward and a backward Mamba in one pass over their input."""

from typing import List, Optional

import torch
from torch import Tensor

from speechbrain_semamba.ops import kernels
from speechbrain_semamba.ops.arguments import (
    DATA_TYPES,
    MixerArguments,
    MixerWeights,
    check_shape,
    dense,
    dense_last,
)
from speechbrain_semamba.ops.registration import operator


@operator
def mamba_pair(
    x: Tensor,
    forward: List[Tensor],
    backward: List[Tensor],
    projection: Tensor,
    bias: Tensor,
    eps: List[float],
    sizes: Optional[Tensor] = None,
) -> Tensor:
    """What ``nnet.tf_mamba.BidirectionalMamba`` computes, without a gradient.

    The kernel packs the weights anew at every call: that takes about a
    thousandth of its time, and what is not kept is never out of date.

    Arguments
    ---------
    x : torch.Tensor
        Features [batch, sequences, length, channels] on the CPU; float32 or
        bfloat16, computed in float32.
    forward, backward : list of torch.Tensor
        Of each direction the weights of norm [channels], in_proj
        [2 dim, channels], convolution [dim, width] with its bias [dim],
        x_proj [rank + 2 state, dim], dt_proj [dim, rank] with its bias
        [dim], A [dim, state], D [dim], and out_proj [channels, dim].
    projection, bias : torch.Tensor
        Of the pair [channels, 2 channels] and [channels].
    eps : list of float
        Of the norm of each direction.
    sizes : torch.Tensor
        Valid steps of each item [batch], integers.

    Returns
    -------
    torch.Tensor
        Features like x; zero where not valid.

    Raises
    ------
    ValueError
        If a shape does not fit.
    """
    batch, sequences, length, channels = x.shape
    check_shape("projection", projection, (channels, 2 * channels))
    check_shape("bias", bias, (channels,))
    check_shape("sizes", sizes, (batch,))
    if sizes is not None:
        sizes = sizes.to(torch.int64).clamp(0, length).contiguous()
    dim, state = forward[7].shape
    counts = {
        "channels": channels,
        "dim": dim,
        "state": state,
        "rank": forward[5].shape[1],
        "width": forward[2].shape[1],
    }
    x = dense_last(x, x.dtype)
    y = torch.empty_like(x)
    arguments = MixerArguments(
        data_type=DATA_TYPES[x.dtype],
        num_threads=torch.get_num_threads(),
        batch=batch,
        sequences=sequences,
        length=length,
        **counts,
        x=x,
        y=y,
        sizes=sizes,
        forward=_weights(forward, eps[0], **counts),
        backward=_weights(backward, eps[1], **counts),
        projection=dense(projection, torch.float32),
        bias=dense(bias, torch.float32),
    )
    kernels.run("mixer", arguments)
    return y


@mamba_pair.fake
def _(x, forward, backward, projection, bias, eps, sizes=None):
    return torch.empty_like(dense_last(x, x.dtype))


mamba_pair.no_gradient()


def _weights(tensors, eps, channels, dim, state, rank, width):
    shapes = {
        "norm": (channels,),
        "in_proj": (2 * dim, channels),
        "conv": (dim, width),
        "conv_bias": (dim,),
        "x_proj": (rank + 2 * state, dim),
        "dt": (dim, rank),
        "dt_bias": (dim,),
        "A": (dim, state),
        "D": (dim,),
        "out_proj": (channels, dim),
    }
    weights = dict(zip(shapes, tensors))
    for name, shape in shapes.items():
        check_shape(name, weights[name], shape)
        weights[name] = dense(weights[name], torch.float32)
    return MixerWeights(**weights, eps=eps)
