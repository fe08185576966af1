"""Random numbers that depend on a place in the run, not on its history."""

import hashlib

import torch


def seed_step(*place):
    """Seeds PyTorch's generators with where the run is.

    So a resumed run draws what the uninterrupted one would have drawn, and
    no state of a generator needs to be saved.

    Arguments
    ---------
    *place
        Numbers that name the step, such as seed, epoch, step and process.

    Example
    -------
    >>> seed_step(1234, 1, 7, 0)
    >>> first = torch.rand(1)
    >>> seed_step(1234, 1, 7, 1)
    >>> bool(torch.rand(1) == first)
    False
    """
    digest = hashlib.sha256(" ".join(map(str, place)).encode()).digest()
    torch.manual_seed(int.from_bytes(digest[:8], "little", signed=True))
