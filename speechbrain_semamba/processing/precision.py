"""Keeps what needs it out of half precision."""

import torch


def at_least_float32(x):
    """Half-precision tensors as float32, all others as they are.

    Arguments
    ---------
    x : torch.Tensor
        Floating point.

    Returns
    -------
    torch.Tensor
        In float32 or float64.

    Example
    -------
    >>> at_least_float32(torch.ones(1, dtype=torch.bfloat16)).dtype
    torch.float32
    >>> at_least_float32(torch.ones(1, dtype=torch.float64)).dtype
    torch.float64
    """
    return x.to(torch.promote_types(x.dtype, torch.float32))
