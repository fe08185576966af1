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


class UnusableFile(ValueError):
    """A file that cannot be trained on; the message says which and why."""


class RecordedPairs:
    """Reads pairs of files, and scales them as ``level_pair`` does.

    Arguments
    ---------
    segment : int
        Samples to cut out, at a place that ``crop_pair`` draws; None takes
        the whole utterance.
    seed : int
        The run's seed.
    target : callable
        Makes of clean speech [batch, samples] what is to be learnt, such as
        ``PerceptualContrastStretching``; None stands for clean speech itself.

    Example
    -------
    >>> from speechbrain_semamba.utils.audio_files import write_audio_file
    >>> path = getfixture("tmp_path") / "a.wav"
    >>> write_audio_file(path, 0.1 * torch.ones(1, 100), 16000)
    >>> RecordedPairs(segment=50)(str(path), str(path), epoch=1, utterance="a").shape
    torch.Size([2, 50])
    """

    takes = ("noisy_wav", "clean_wav")

    def __init__(self, segment=None, seed=1234, target=None):
        self.segment = None if segment is None else int(segment)
        self.seed = seed
        self.target = target

    def __call__(self, noisy_wav, clean_wav, epoch, utterance):
        """Reads one pair.

        Arguments
        ---------
        noisy_wav : str
            Path of the noisy file.
        clean_wav : str
            Path of the clean file.
        epoch : int
            Number of the epoch.
        utterance : str
            The utterance's id.

        Returns
        -------
        torch.Tensor
            Noisy and clean speech [2, samples].

        Raises
        ------
        ValueError
            If a sample is not finite; names the file.
        """
        noisy, clean = read_wav(noisy_wav), read_wav(clean_wav)
        if self.target is not None:
            clean = self.target(clean[None])[0]
        pair = level_pair(noisy, clean)
        if self.segment is None:
            return pair
        return crop_pair(pair, self.segment, self.seed, epoch, utterance)


def read_wav(path):
    """Reads a mono file.

    Arguments
    ---------
    path : str
        Path of the file.

    Returns
    -------
    torch.Tensor
        Waveform [samples].

    Raises
    ------
    UnusableFile
        If a sample is not finite; names the file.
    """
    wav = read_audio(path)
    if not wav.isfinite().all():
        raise UnusableFile(
            f"{path} holds samples that are not finite; mend it, or remove "
            "both halves"
        )
    return wav


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
