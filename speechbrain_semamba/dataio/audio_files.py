"""Whole audio files in and out: errors in words, nothing half-written."""

import torch

from speechbrain_semamba.dataio.audio_sink import AudioSink
from speechbrain_semamba.dataio.audio_source import AudioSource


def read_audio_file(path):
    """Reads a whole file.

    Arguments
    ---------
    path : str
        A file of any format that libsndfile reads.

    Returns
    -------
    wav : torch.Tensor
        Waveforms [channels, samples], float32.
    rate : int
        In Hz.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not readable as audio, or empty.

    Example
    -------
    >>> path = getfixture("tmp_path") / "a.wav"
    >>> write_audio_file(path, torch.zeros(2, 100), 16000)
    >>> wav, rate = read_audio_file(path)
    >>> wav.shape, rate
    (torch.Size([2, 100]), 16000)
    """
    source = AudioSource(path)
    return torch.cat(list(source.blocks()), dim=1), source.rate


def write_audio_file(path, wav, rate, like=None):
    """Writes a whole file; it has its name only when it is complete.

    Arguments
    ---------
    path : str
        The name; its ending gives the format.
    wav : torch.Tensor
        Waveforms [channels, samples].
    rate : int
        In Hz.
    like : str
        A file whose encoding (16 bits, float, ...) is taken over where the
        format has it.

    Raises
    ------
    ValueError, OSError
        As ``AudioSink``.

    Example
    -------
    >>> path = getfixture("tmp_path") / "a.flac"
    >>> write_audio_file(path, torch.zeros(2, 8000), 16000)
    >>> read_audio_file(path)[0].shape
    torch.Size([2, 8000])
    """
    like = AudioSource(like).subtype if like else None
    sink = AudioSink(path, rate, len(wav), like=like)
    sink.check_room(wav.shape[1])
    sink.write([wav])
