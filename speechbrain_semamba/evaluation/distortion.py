"""Speech against what was done to it, in dB: SNR, segmental SNR, SI-SDR."""

import numpy as np

from speechbrain_semamba.evaluation.frames import windowed_frames
from speechbrain_semamba.evaluation.unscorable import check_sound, scored

#: Segmental SNR is limited to this range in each frame, in dB
SSNR_RANGE = -10, 35


@scored
def si_sdr(clean, enhanced, sample_rate=16000):
    """Scale-invariant signal-to-distortion ratio of mean-removed signals.

    Le Roux et al., "SDR - half-baked or well done?", ICASSP 2019:

        10 log10(|t|^2 / |e - t|^2),  t = (c' e / c' c) c

    Arguments
    ---------
    clean : numpy.ndarray
        Clean speech [samples].
    enhanced : numpy.ndarray
        Noisy or enhanced speech [samples].
    sample_rate : int
        In Hz.

    Returns
    -------
    float
        In dB; NaN where a signal is constant, too short or not finite.

    Example
    -------
    >>> clean = np.sin(np.arange(16000.0))
    >>> round(si_sdr(clean, 2 * clean + 0.2 * np.cos(np.arange(16000.0))))
    20
    """
    check_sound(enhanced)
    clean = clean - clean.mean()
    enhanced = enhanced - enhanced.mean()
    target = (clean @ enhanced) / (clean @ clean) * clean
    noise = enhanced - target
    with np.errstate(divide="ignore"):
        return 10 * np.log10((target @ target) / (noise @ noise))


@scored
def snr(clean, noisy, sample_rate=16000):
    """Signal-to-noise ratio, of noisy speech that is clean speech and noise.

        10 log10(|c|^2 / |n - c|^2)

    Arguments
    ---------
    clean : numpy.ndarray
        Clean speech [samples].
    noisy : numpy.ndarray
        The same speech at the same level, and noise [samples].
    sample_rate : int
        In Hz.

    Returns
    -------
    float
        In dB; infinite without noise; NaN where the clean signal is silent,
        too short or not finite.

    Example
    -------
    >>> clean = np.sin(np.arange(16000.0))
    >>> round(snr(clean, 1.1 * clean), 3)
    20.0
    """
    noise = noisy - clean
    with np.errstate(divide="ignore"):
        return 10 * np.log10((clean @ clean) / (noise @ noise))


@scored
def ssnr(clean, enhanced, sample_rate=16000):
    """Segmental signal-to-noise ratio.

    Loizou, "Speech Enhancement: Theory and Practice", CRC Press 2007, chapter
    10: the mean over frames of 30 ms of

        10 log10(|c|^2 / |c - e|^2)

    each limited to the range from -10 to 35 dB. Frames in which the clean
    speech is silent count as -10 dB.

    Arguments
    ---------
    clean : numpy.ndarray
        Clean speech, in the range [-1, 1] [samples].
    enhanced : numpy.ndarray
        Noisy or enhanced speech [samples].
    sample_rate : int
        In Hz.

    Returns
    -------
    float
        In dB; NaN where the clean signal is silent, or the signals are too
        short or not finite.

    Example
    -------
    >>> clean = np.sin(np.arange(16000.0))
    >>> round(ssnr(clean, 1.1 * clean), 3)
    20.0
    """
    speech = windowed_frames(clean, sample_rate)
    noise = speech - windowed_frames(enhanced, sample_rate)
    speech, noise = (np.einsum("fn,fn->f", x, x) for x in (speech, noise))
    # the constant of the published scripts: the limits of the range hide it
    # wherever there is sound
    ratios = 10 * np.log10(speech / (noise + 1e-10) + 1e-10)
    return np.clip(ratios, *SSNR_RANGE).mean()
