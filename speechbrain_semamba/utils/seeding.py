"""Random numbers that depend on a place in the run, not on its history.

So a resumed run draws what the uninterrupted one would have drawn, whatever
the number of workers, and no state of a generator needs to be saved.
"""

import contextlib
import hashlib
import random

import torch


def seed_of(*place):
    """A seed that names a place, the same on every machine and version.

    Arguments
    ---------
    *place : str or int
        What decides, such as seed, epoch and utterance.

    Returns
    -------
    int
        Between 0 and 2^63.

    Example
    -------
    >>> seed_of(1234, 1, "p226_001") == seed_of(1234, 1, "p226_001")
    True
    >>> seed_of(1234, 1, "p226_001") == seed_of(1234, 2, "p226_001")
    False
    """
    digest = hashlib.sha256(" ".join(map(str, place)).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


@contextlib.contextmanager
def drawing_at(*place):
    """Makes all that is drawn within a function of a place.

    The generators of Python and of torch's CPU are put back afterwards. One
    thread computes within, as in a worker of a DataLoader: with more, sums
    round differently.

    Arguments
    ---------
    *place : str or int
        As for ``seed_of``.

    Yields
    ------
    None

    Example
    -------
    >>> draws = []
    >>> for epoch in (1, 2, 1):
    ...     with drawing_at("utterance", epoch):
    ...         draws.append((random.random(), torch.rand(1).item()))
    >>> draws[0] == draws[2], draws[0] == draws[1]
    (True, False)
    """
    seed = seed_of(*place)
    state, num_threads = random.getstate(), torch.get_num_threads()
    # No devices: a worker may not touch CUDA, and nothing here draws on it.
    with torch.random.fork_rng(devices=[]):
        try:
            random.seed(seed)
            # torch.manual_seed would seed the devices, too.
            torch.random.default_generator.manual_seed(seed)
            torch.set_num_threads(1)
            yield
        finally:
            torch.set_num_threads(num_threads)
            random.setstate(state)
