"""The weighted spectral slope distance (WSS)."""

import functools

import numpy as np

from speechbrain_semamba.evaluation.frames import (
    frame_length,
    mean_of_lowest,
    windowed_frames,
)
from speechbrain_semamba.evaluation.unscorable import scored

#: Centres of the critical bands in Hz
CENTRES = np.array(
    [50, 120, 190, 260, 330, 400, 470, 540, 617.372, 703.378, 798.717]
    + [904.128, 1020.38, 1148.30, 1288.72, 1442.54, 1610.70, 1794.16]
    + [1993.93, 2211.08, 2446.71, 2701.97, 2978.04, 3276.17, 3597.63]
)
#: Their widths in Hz
WIDTHS = np.array(
    [70, 70, 70, 70, 70, 70, 70, 77.3724, 86.0056, 95.3398, 105.411]
    + [116.256, 127.914, 140.423, 153.823, 168.154, 183.457, 199.776]
    + [217.153, 235.631, 255.255, 276.072, 298.126, 321.465, 346.136]
)
#: A filter is zero where it is below this
FILTER_FLOOR = np.exp(-30 / (2 * 2.303))
#: Band energies below this count as this
ENERGY_FLOOR = 1e-10
#: The published scripts divide waves that are in [-1, 1] already by this once
#: more, which puts the floor of the energies into the range of quiet speech:
#: no part of the measure, but all numbers of the field are made so.
SCALE = 32768
#: Of the weights, in dB: how much the largest band and the nearest peak count
LARGEST, NEAREST = 20, 1


@scored
def wss(clean, enhanced, sample_rate=16000):
    """Weighted spectral slope distance.

    Klatt, "Prediction of perceived phonetic distance from critical-band
    spectra", ICASSP 1982; Loizou, "Speech Enhancement: Theory and Practice",
    CRC Press 2007, chapter 10. In each frame of 30 ms the squared differences
    of the slopes between 25 critical bands, weighted by how near a band is to
    a peak; then the mean of the lowest 95 % of the frames.

    Arguments
    ---------
    clean : numpy.ndarray
        Clean speech, in the range [-1, 1] [samples].
    enhanced : numpy.ndarray
        Noisy or enhanced speech [samples].
    sample_rate : int
        In Hz, at least 8000.

    Returns
    -------
    float
        At least 0, the best; NaN where the clean signal is silent, or the
        signals are too short or not finite.

    Example
    -------
    >>> wav = 0.1 * np.random.default_rng(0).standard_normal((2, 16000))
    >>> wss(wav[0], wav[0])
    0.0
    >>> 0 < wss(wav[0], wav[0] + 0.1 * wav[1]) < wss(*wav)
    True
    """
    bands = [band_energies(x, sample_rate) for x in (clean, enhanced)]
    weights = slope_weights(bands[0]) + slope_weights(bands[1])
    steps = np.diff(bands[0] - bands[1], axis=1)
    distances = (weights * steps**2).sum(axis=1) / weights.sum(axis=1)
    return mean_of_lowest(distances)


def band_energies(wav, sample_rate):
    """Energies in critical bands.

    Arguments
    ---------
    wav : numpy.ndarray
        [samples].
    sample_rate : int
        In Hz.

    Returns
    -------
    numpy.ndarray
        In dB, at least -100 [frames, 25].

    Example
    -------
    >>> band_energies(np.zeros(16000), 16000).max().item()
    -100.0
    """
    filters = critical_bands(sample_rate)
    # machine epsilon as in the published scripts, which add it to both waves
    wav = (wav + np.finfo(np.float64).eps) / SCALE
    frames = windowed_frames(wav, sample_rate)
    spectra = np.fft.rfft(frames, 2 * filters.shape[1])[:, :-1]
    energies = (spectra.real**2 + spectra.imag**2) @ filters.T
    return 10 * np.log10(np.maximum(energies, ENERGY_FLOOR))


@functools.lru_cache(maxsize=None)
def critical_bands(sample_rate):
    """Bell-shaped filters, of equal area, over the bins of a spectrum.

    Arguments
    ---------
    sample_rate : int
        In Hz.

    Returns
    -------
    numpy.ndarray
        [25, bins].

    Example
    -------
    >>> critical_bands(16000).shape
    (25, 512)
    """
    # a power of two, at least twice the frame
    num_bins = 2 ** (2 * frame_length(sample_rate) - 1).bit_length() // 2
    hertz_per_bin = sample_rate / 2 / num_bins
    centres = np.floor(CENTRES / hertz_per_bin)[:, None]
    widths = (WIDTHS / hertz_per_bin)[:, None]
    areas = (WIDTHS[0] / WIDTHS)[:, None]
    distances = (np.arange(num_bins) - centres) / widths
    filters = areas * np.exp(-11 * distances**2)
    return np.where(filters > FILTER_FLOOR, filters, 0)


def slope_weights(bands):
    """How much the slopes count, all the more the nearer to a peak.

    Arguments
    ---------
    bands : numpy.ndarray
        Energies in dB [frames, 25].

    Returns
    -------
    numpy.ndarray
        Of the slope from each band to the next [frames, 24].

    Example
    -------
    >>> slope_weights(np.array([[0.0, 20.0, 0.0]]))
    array([[0.5, 1. ]])
    """
    lower = bands[:, :-1]
    below_largest = bands.max(axis=1, keepdims=True) - lower
    below_nearest = np.take_along_axis(bands, _nearest_peak(bands), 1) - lower
    largest = LARGEST / (LARGEST + below_largest)
    return largest * NEAREST / (NEAREST + below_nearest)


def _nearest_peak(bands):
    """The band that counts as the peak of each slope: uphill all the way.

    Of a rising slope that is the last band from which it still rises - the
    one before the peak, as in the published scripts -, of another one the
    first band to which it has stopped rising.
    """
    rises = np.diff(bands, axis=1) > 0
    count = rises.shape[1]
    places = np.broadcast_to(np.arange(count), rises.shape)
    ends = np.where(rises, count, places)[:, ::-1]
    ends = np.minimum.accumulate(ends, axis=1)[:, ::-1]
    starts = np.maximum.accumulate(np.where(rises, places, -1), axis=1)
    return np.where(rises, ends - 1, starts + 1)
