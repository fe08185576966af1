"""Devices that PyTorch computes on."""

import torch


def choose_device(name, local_rank=0):
    """Where a process computes.

    Arguments
    ---------
    name : str
        What a user asked for, such as "cuda:1"; "auto" is "cuda" where there
        is a GPU, else "cpu".
    local_rank : int
        Of this process, among those of its machine: each takes its own GPU
        where "cuda" stands for any.

    Returns
    -------
    str
        A device on which PyTorch can compute.

    Raises
    ------
    ValueError
        If it cannot; says why in one line.

    Example
    -------
    >>> choose_device("cpu", local_rank=1)
    'cpu'
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    check_device(name)
    if name == "cuda":
        name = f"cuda:{local_rank % torch.cuda.device_count()}"
    return name


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
