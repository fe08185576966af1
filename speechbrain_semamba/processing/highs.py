"""What lies above the model's band: kept as far as its top band was kept."""

import torch
from torch.nn.functional import avg_pool1d, interpolate, pad

N_FFT, HOP = 400, 100
#: The top quarter of the model's band: 6 to 8 kHz at 16 kHz
TOP_BINS = slice(150, 201)
#: Frames to average over, so that the gain does not flutter
SMOOTHED = 5


def top_band_gain(noisy, enhanced):
    """How much of the top band an enhancement left, over time.

    The energy of the enhanced wave over that of the noisy one, in the upper
    quarter of the band, as an amplitude.

    Arguments
    ---------
    noisy : torch.Tensor
        Waveforms [..., samples].
    enhanced : torch.Tensor
        Waveforms [..., samples].

    Returns
    -------
    torch.Tensor
        Factors [..., samples] from 0 to 1; 0 where nothing was there.

    Example
    -------
    >>> noisy = torch.randn(1, 1600)
    >>> top_band_gain(noisy, noisy / 2).round(decimals=3).unique().tolist()
    [0.5]
    """
    energies = [
        _top_energy(wav.reshape(-1, wav.shape[-1])) for wav in (noisy, enhanced)
    ]
    before, after = (
        avg_pool1d(e, SMOOTHED, 1, SMOOTHED // 2, count_include_pad=False)
        for e in energies
    )
    power = torch.where(before > 0, after / before, torch.zeros_like(before))
    return _between_frames(power.clamp(max=1).sqrt(), noisy.shape[-1]).view(
        noisy.shape
    )


def _top_energy(wav):
    """Energies [batch, frames] above three quarters of the band."""
    window = torch.hann_window(N_FFT, dtype=wav.dtype, device=wav.device)
    spectrum = torch.stft(
        wav, N_FFT, HOP, window=window, pad_mode="constant", return_complex=True
    )
    return spectrum[:, TOP_BINS].abs().square().sum(dim=1)


def _between_frames(values, samples):
    """Values [batch, frames] as [batch, samples], linear between frames."""
    length = (values.shape[1] - 1) * HOP + 1
    if values.shape[1] > 1:
        values = interpolate(
            values[None], length, mode="linear", align_corners=True
        )[0]
    missing = max(0, samples - length)
    return pad(values, (0, missing), mode="replicate")[:, :samples]
