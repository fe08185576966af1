"""Pairs of a noisy and a clean file, read as training takes them."""

from speechbrain.dataio.dataio import read_audio

from speechbrain_semamba.processing.levels import level_pair
from speechbrain_semamba.processing.segments import (
    crop_pair,
    segment_samples,
)


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
    >>> import torch
    >>> from speechbrain_semamba.dataio.audio_files import write_audio_file
    >>> path = getfixture("tmp_path") / "a.wav"
    >>> write_audio_file(path, 0.1 * torch.ones(1, 100), 16000)
    >>> RecordedPairs(segment=50)(str(path), str(path), epoch=1, utterance="a").shape
    torch.Size([2, 50])
    """

    takes = ("noisy_wav", "clean_wav")

    def __init__(self, segment=None, seed=1234, target=None):
        self.segment = segment_samples(segment)
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

    Example
    -------
    >>> import soundfile
    >>> path = getfixture("tmp_path") / "a.wav"
    >>> soundfile.write(path, [0.0, 0.5], 16000)
    >>> read_wav(str(path))
    tensor([0.0000, 0.5000])
    """
    wav = read_audio(path)
    if not wav.isfinite().all():
        raise UnusableFile(
            f"{path} holds samples that are not finite; mend it, or remove "
            "both halves"
        )
    return wav
