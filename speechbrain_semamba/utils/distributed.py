"""Decisions that all processes of a training run take together."""

import torch
from speechbrain.utils.distributed import is_distributed_initialized


def finite_everywhere(value):
    """Whether a number is finite on this process and on all others.

    A process that skipped a backward pass on its own would leave the others
    waiting for its gradients.

    Arguments
    ---------
    value : torch.Tensor
        Scalar, such as a loss.

    Returns
    -------
    bool
        The same on every process.

    Example
    -------
    >>> finite_everywhere(torch.tensor(1.0))
    True
    >>> finite_everywhere(torch.tensor(float("nan")))
    False
    """
    finite = torch.isfinite(value.detach()).float()
    if is_distributed_initialized():
        torch.distributed.all_reduce(finite, torch.distributed.ReduceOp.MIN)
    return bool(finite)
