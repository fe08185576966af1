"""Root-mean-square normalisation that reads any strides and any type once."""

import torch
from torch import Tensor

from speechbrain_semamba.ops import kernels
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
    kernels.check_shape("weight", weight, x.shape[2:])
    x = kernels.dense_last(x, x.dtype)
    weight = kernels.dense(weight, kernels.state_dtype(x.dtype))
    y = x.new_empty(x.shape)
    batch, length, channels = x.shape
    kernels.run(
        "rms_norm",
        kernels.RmsNormArguments(
            data_type=kernels.DATA_TYPES[x.dtype],
            num_threads=torch.get_num_threads(),
            batch=batch,
            length=length,
            channels=channels,
            eps=eps,
            x=kernels.view(x),
            y=kernels.view(y),
            weight=kernels.pointer(weight),
        ),
    )
    return y


@rms_norm.fake
def _(x, weight, eps):
    return x.new_empty(x.shape)


rms_norm.no_gradient()
