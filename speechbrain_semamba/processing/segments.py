"""Training segments: same level, and a place that can be drawn again."""

import random

import torch
from speechbrain.dataio.dataio import read_audio

from speechbrain_semamba.processing.spectral import rms_gain


def level_pair(noisy, clean):
    """Scales a pair so that the whole noisy wave has a power of 1.

    Arguments
    ---------
    noisy : torch.Tensor
        Noisy speech [samples].
    clean : torch.Tensor
        Clean speech [samples].

    Returns
    -------
    torch.Tensor
        Noisy and clean speech [2, samples], scaled by one gain.

    Example
    -------
    >>> level_pair(torch.tensor([2.0, -2.0]), torch.tensor([1.0, 0.0]))
    tensor([[ 1.0000, -1.0000],
            [ 0.5000,  0.0000]])
    """
    return torch.stack([noisy, clean]) * rms_gain(noisy[None])


def read_pair(noisy_wav, clean_wav):
    """Reads a pair of files and scales it as ``level_pair`` does.

    Arguments
    ---------
    noisy_wav : str
        Path of the noisy file.
    clean_wav : str
        Path of the clean file.

    Returns
    -------
    torch.Tensor
        Noisy and clean speech [2, samples].

    Raises
    ------
    ValueError
        If a sample is not finite; names the file.
    """
    noisy, clean = read_audio(noisy_wav), read_audio(clean_wav)
    for path, wav in ((noisy_wav, noisy), (clean_wav, clean)):
        if not wav.isfinite().all():
            raise ValueError(f"{path} holds samples that are not finite")
    return level_pair(noisy, clean)


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
    place = random.Random(f"{seed} {epoch} {utterance}")
    start = place.randint(0, max(0, samples - segment))
    pair = pair[:, start : start + segment]
    return torch.nn.functional.pad(pair, (0, segment - pair.shape[1]))
