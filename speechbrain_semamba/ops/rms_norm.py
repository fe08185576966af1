"""Root-mean-square normalisation that reads any strides and any type once."""

import torch
from torch import Tensor

from speechbrain_semamba.ops import kernels
from speechbrain_semamba.ops.arguments import (
    DATA_TYPES,
    RmsNormArguments,
    check_shape,
    dense,
    dense_last,
    state_dtype,
)
from speechbrain_semamba.ops.registration import operator


@operator
def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """Zhang and Sennrich (arXiv:1910.07467), without a gradient.

    Arguments
    ---------
    x : torch.Tensor
        Features [batch, length, channels] on the CPU; float32, float64 or
        bfloat16, computed in float32 at least.
    weight : torch.Tensor
        Scale of the normalised features [channels].
    eps : float
        Added to the mean square.

    Returns
    -------
    torch.Tensor
        Features [batch, length, channels], contiguous.

    Example
    -------
    >>> rms_norm(torch.tensor([[[1.0, 7.0]]]), torch.ones(2), 0.0)
    tensor([[[0.2000, 1.4000]]])
    """
    batch, length, channels = x.shape
    check_shape("weight", weight, (channels,))
    y = x.new_empty(x.shape)
    arguments = RmsNormArguments(
        data_type=DATA_TYPES[x.dtype],
        num_threads=torch.get_num_threads(),
        batch=batch,
        length=length,
        channels=channels,
        eps=eps,
        x=dense_last(x, x.dtype),
        y=y,
        weight=dense(weight, state_dtype(x.dtype)),
    )
    kernels.run("rms_norm", arguments)
    return y


@rms_norm.fake
def _(x, weight, eps):
    return x.new_empty(x.shape)


rms_norm.no_gradient()
