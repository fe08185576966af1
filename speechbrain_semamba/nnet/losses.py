"""The terms of SEMamba's training objective.

Each is a plain function that returns a scalar; their weights live in the
hparams. ``*_hat`` is the estimate. Sources: CMGAN (arXiv:2203.15149) for the
complex, time and metric terms, MP-SENet (arXiv:2305.13686, equations 4-9) for
the phase and consistency terms, Heitkaemper et al. (ICASSP 2020) for the
logarithmic one.
"""

import math

import torch
from torch.nn.functional import l1_loss, mse_loss


def magnitude_loss(mag_hat, mag):
    """Mean squared error of the compressed magnitude.

    Arguments
    ---------
    mag_hat, mag : torch.Tensor
        Compressed magnitude [batch, frames, freq].

    Returns
    -------
    torch.Tensor
        Scalar.

    Example
    -------
    >>> magnitude_loss(torch.ones(1, 2, 3), torch.zeros(1, 2, 3))
    tensor(1.)
    """
    return mse_loss(mag_hat, mag)


def phase_loss(phase_hat, phase):
    """Anti-wrapping error of phase, group delay and angular frequency.

    Arguments
    ---------
    phase_hat, phase : torch.Tensor
        Phase in radians [batch, frames, freq].

    Returns
    -------
    torch.Tensor
        Scalar: the sum of the three means.

    Example
    -------
    >>> zero = torch.zeros(1, 4, 4)
    >>> phase_loss(zero + 2 * math.pi, zero).round(decimals=5)
    tensor(0.)
    """
    error = phase_hat - phase
    return (
        _unwrapped(error).mean()
        + _unwrapped(_difference(error, dim=2)).mean()
        + _unwrapped(_difference(error, dim=1)).mean()
    )


def complex_loss(mag_hat, phase_hat, mag, phase):
    """Twice the mean squared error over real and imaginary parts.

    Arguments
    ---------
    mag_hat, phase_hat, mag, phase : torch.Tensor
        Compressed magnitude, and phase in radians [batch, frames, freq].

    Returns
    -------
    torch.Tensor
        Scalar.

    Example
    -------
    >>> one, zero = torch.ones(1, 2, 3), torch.zeros(1, 2, 3)
    >>> complex_loss(one, zero, zero, zero)
    tensor(1.)
    """
    return 2 * mse_loss(_complex(mag_hat, phase_hat), _complex(mag, phase))


def time_loss(wav_hat, wav):
    """Mean absolute error of the waveform.

    Arguments
    ---------
    wav_hat, wav : torch.Tensor
        Waveforms [batch, samples].

    Returns
    -------
    torch.Tensor
        Scalar.

    Example
    -------
    >>> time_loss(torch.ones(1, 9), torch.zeros(1, 9))
    tensor(1.)
    """
    return l1_loss(wav_hat, wav)


def log_mse_loss(wav_hat, wav, floor=1e-3):
    """Mean squared error of each waveform, in dB.

    A part of the error weighs the same in loud noise and in faint noise, where
    other terms have nearly vanished: what faint noise needs is learnt too.
    Heitkaemper et al., "Demystifying TasNet: A Dissecting Approach", ICASSP
    2020, here with a floor, as in MixIT (arXiv:2006.12701, equation 2), below
    which an error is small enough.

    Arguments
    ---------
    wav_hat, wav : torch.Tensor
        Waveforms, at a level where the noisy one has an RMS of 1
        [batch, samples].
    floor : float
        Is added to each mean squared error.

    Returns
    -------
    torch.Tensor
        Scalar, in dB; negative where the error is below the noisy speech.

    Example
    -------
    >>> log_mse_loss(torch.full((1, 9), 0.1), torch.zeros(1, 9), floor=0)
    tensor(-20.)
    """
    error = (wav_hat - wav).square().mean(dim=1)
    return 10 * (error + floor).log10().mean()


def consistency_loss(mag_hat, phase_hat, wav_hat, stft):
    """Distance of a spectrum from the spectrum of the wave it makes.

    Arguments
    ---------
    mag_hat, phase_hat : torch.Tensor
        Compressed magnitude, and phase in radians [batch, frames, freq].
    wav_hat : torch.Tensor
        The wave that ``stft`` makes of them [batch, samples].
    stft : speechbrain_semamba.processing.spectral.MagPhaseSTFT
        The spectral front end.

    Returns
    -------
    torch.Tensor
        Scalar.

    Example
    -------
    >>> from speechbrain_semamba.processing.spectral import MagPhaseSTFT
    >>> stft, wav = MagPhaseSTFT(), torch.randn(1, 800)
    >>> consistency_loss(*stft.analyze(wav), wav, stft).round(decimals=5)
    tensor(0.)
    """
    again = stft.analyze(wav_hat, eps=1e-10)
    return complex_loss(mag_hat, phase_hat, *again)


def metric_loss(score_hat):
    """Distance of the discriminator's score from the best one.

    Arguments
    ---------
    score_hat : torch.Tensor
        Predicted score of (clean, enhanced) [batch].

    Returns
    -------
    torch.Tensor
        Scalar.

    Example
    -------
    >>> metric_loss(torch.tensor([1.0, 0.0]))
    tensor(0.5000)
    """
    return mse_loss(score_hat, torch.ones_like(score_hat))


def discriminator_loss(score_clean, score_hat, labels):
    """Error of the discriminator as a predictor of PESQ.

    Arguments
    ---------
    score_clean : torch.Tensor
        Predicted score of (clean, clean) [batch]; it should be 1.
    score_hat : torch.Tensor
        Predicted score of (clean, enhanced) [batch].
    labels : torch.Tensor
        True score of (clean, enhanced): (PESQ - 1) / 3.5 [batch]. An item
        that is NaN has no error. The others count as in a batch without it:
        so a batch has one loss, however processes share it out.

    Returns
    -------
    torch.Tensor
        Scalar.

    Example
    -------
    >>> nan = float("nan")
    >>> scores = torch.tensor([1.0, 0.5])
    >>> discriminator_loss(scores, scores, torch.tensor([0.0, nan]))
    tensor(0.6250)
    """
    known = ~labels.isnan()
    error = (score_hat - labels.nan_to_num()).square() * known
    return metric_loss(score_clean) + error.mean()


def _complex(mag, phase):
    return torch.view_as_real(torch.polar(mag, phase))


def _difference(x, dim):
    """First difference, the first element against zero as in the paper."""
    return torch.diff(x, dim=dim, prepend=torch.zeros_like(x.narrow(dim, 0, 1)))


def _unwrapped(x):
    """Distance to the nearest multiple of two pi."""
    return (x - 2 * math.pi * torch.round(x / (2 * math.pi))).abs()
