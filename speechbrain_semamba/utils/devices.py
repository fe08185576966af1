"""Devices that PyTorch computes on."""

import torch


def check_device(name):
    """Whether PyTorch can compute there.

    Arguments
    ---------
    name : str
        What a user asked for, such as "cuda:1".

    Raises
    ------
    ValueError
        If it cannot; says why in one line.

    Example
    -------
    >>> check_device("cpu")
    """
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).split("\n")[0]
        raise ValueError(f"--device {name}: {reason}") from error
