"""The level that the network works at: a root mean square of 1."""

import torch

from speechbrain_semamba.processing.lengths import ValidSizes


def rms_gain(wav, lengths=None):
    """Gain that brings each item to a root mean square of 1.

    Arguments
    ---------
    wav : torch.Tensor
        Waveforms [batch, samples].
    lengths : torch.Tensor
        Relative lengths [batch]; samples beyond them do not count.

    Returns
    -------
    torch.Tensor
        Factors [batch, 1]; 1 where there is only silence.

    Example
    -------
    >>> rms_gain(torch.tensor([[0.5, -0.5], [0.0, 0.0]])).tolist()
    [[2.0], [1.0]]
    """
    # float64: squares may not overflow, and a padded item's sum is to round
    # as the item's own
    squares = wav.double().square()
    if lengths is None:
        power = squares.mean(dim=1, keepdim=True)
    else:
        valid = ValidSizes.of(lengths, wav.shape).mask
        energy = (squares * valid).sum(dim=1, keepdim=True)
        power = energy / valid.sum(dim=1, keepdim=True)
    return _gain_of(power).to(wav.dtype)


def _gain_of(power):
    silent = power < torch.finfo(torch.float32).tiny
    return power.masked_fill(silent, 1.0).rsqrt()


class RunningLevel:
    """The gain of ``rms_gain`` for what a stream has brought so far.

    Example
    -------
    >>> level = RunningLevel()
    >>> level(torch.full((1, 2), 0.5)), level(torch.zeros(1, 6))
    (tensor([[2.]]), tensor([[4.]]))
    """

    def __init__(self):
        self.energy, self.samples = 0.0, 0

    def __call__(self, wav):
        """Counts a block in.

        Arguments
        ---------
        wav : torch.Tensor
            The next samples [channels, samples] of the stream.

        Returns
        -------
        torch.Tensor
            Factors [channels, 1]; 1 where there was only silence.
        """
        squares = wav.double().square()
        self.energy = self.energy + squares.sum(dim=1, keepdim=True)
        self.samples += wav.shape[1]
        return _gain_of(self.energy / max(1, self.samples)).to(wav.dtype)


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
