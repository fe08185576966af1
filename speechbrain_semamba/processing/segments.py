"""Segments of training pairs, at a place that can be drawn again."""

import random

import torch

from speechbrain_semamba.utils.checks import check_counts
from speechbrain_semamba.utils.seeding import seed_of


def crop_pair(pair, segment, seed, epoch, utterance):
    """Cuts the same segment out of both waves of a pair.

    Where it starts is a function of seed, epoch and utterance alone, so that
    a resumed run sees what the uninterrupted one would have seen, whatever
    the number of workers.

    Arguments
    ---------
    pair : torch.Tensor
        Noisy and clean speech [2, samples].
    segment : int
        Samples wanted; shorter waves are filled with zeros, as in the
        official code.
    seed : int
        The run's seed.
    epoch : int
        Number of the epoch.
    utterance : str
        The utterance's id.

    Returns
    -------
    torch.Tensor
        Noisy and clean speech [2, segment].

    Example
    -------
    >>> pair = torch.arange(10.0).expand(2, 10)
    >>> crops = [crop_pair(pair, 4, 1234, epoch, "p226_001") for epoch in (1, 1, 2)]
    >>> torch.equal(crops[0], crops[1]), torch.equal(crops[0], crops[2])
    (True, False)
    """
    samples = pair.shape[1]
    place = random.Random(seed_of(seed, epoch, utterance))
    start = place.randint(0, max(0, samples - segment))
    pair = pair[:, start : start + segment]
    return torch.nn.functional.pad(pair, (0, segment - pair.shape[1]))


def segment_samples(segment):
    """The length of a segment, as a yaml computes it of seconds and rate.

    Arguments
    ---------
    segment : float
        Samples; None for whole utterances.

    Returns
    -------
    int
        The same, rounded down; None for None.

    Raises
    ------
    ValueError
        If that is less than one sample.

    Example
    -------
    >>> segment_samples(32000.0)
    32000
    """
    if segment is None:
        return None
    check_counts(segment=int(segment))
    return int(segment)
