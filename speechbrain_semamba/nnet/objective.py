"""What the generator minimises: its terms by name, and their weighted sum."""

from speechbrain_semamba.nnet.losses import (
    complex_loss,
    consistency_loss,
    log_mse_loss,
    magnitude_loss,
    phase_loss,
    time_loss,
)


def generator_losses(estimate, target, stft, weights):
    """All terms of the generator's objective, but that of the discriminator.

    They are the paper's, and ``log_mse`` where it has a weight.

    Arguments
    ---------
    estimate, target : tuple
        Compressed magnitude and phase in radians [batch, frames, freq], and
        the wave [batch, samples], of enhanced and of clean speech.
    stft : speechbrain_semamba.processing.spectral.MagPhaseSTFT
        The spectral front end.
    weights : dict
        As for ``weighted_sum``.

    Returns
    -------
    dict
        Scalars by name.

    Example
    -------
    >>> import torch
    >>> from speechbrain_semamba.processing.spectral import MagPhaseSTFT
    >>> stft, wav = MagPhaseSTFT(), torch.randn(1, 800)
    >>> speech = *stft.analyze(wav), wav
    >>> list(generator_losses(speech, speech, stft, {"log_mse": 0.02}))
    ['magnitude', 'phase', 'complex', 'time', 'consistency', 'log_mse']
    """
    (mag_hat, phase_hat, wav_hat), (mag, phase, wav) = estimate, target
    losses = {
        "magnitude": magnitude_loss(mag_hat, mag),
        "phase": phase_loss(phase_hat, phase),
        "complex": complex_loss(mag_hat, phase_hat, mag, phase),
        "time": time_loss(wav_hat, wav),
        "consistency": consistency_loss(mag_hat, phase_hat, wav_hat, stft),
    }
    if weights.get("log_mse"):
        losses["log_mse"] = log_mse_loss(wav_hat, wav)
    return losses


def weighted_sum(losses, weights):
    """The objective: each term times its weight.

    Arguments
    ---------
    losses : dict
        Scalars by name.
    weights : dict
        Floats; each term has one.

    Returns
    -------
    torch.Tensor
        Scalar.

    Example
    -------
    >>> import torch
    >>> weighted_sum({"time": torch.tensor(2.0)}, {"time": 0.5, "phase": 9.0})
    tensor(1.)
    """
    return sum(weights[name] * loss for name, loss in losses.items())
