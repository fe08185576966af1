"""Scores of enhanced speech: PESQ, STOI, SI-SDR.

A score that cannot be computed is NaN: counted, never dropped. The packages
that compute the scores are the extra ``train`` and are imported where used.
"""

import math
import warnings

import numpy as np

from speechbrain_semamba.utils.extras import import_extra

#: The bands that PESQ is defined for, by rate in Hz
PESQ_BANDS = {16000: "wb", 8000: "nb"}


def check_pesq_rate(sample_rate):
    """Whether PESQ is defined at a rate.

    Arguments
    ---------
    sample_rate : int
        In Hz.

    Raises
    ------
    ValueError
        If it is not.

    Example
    -------
    >>> check_pesq_rate(48000)
    Traceback (most recent call last):
    ValueError: PESQ is defined at 16,000 and 8,000 Hz, found 48,000; resample
    """
    if sample_rate not in PESQ_BANDS:
        raise ValueError(
            "PESQ is defined at 16,000 and 8,000 Hz, found "
            f"{sample_rate:,}; resample"
        )


def pesq(reference, estimate, sample_rate=16000):
    """PESQ (ITU-T P.862), by the package pesq.

    Wide band (P.862.2) at 16 kHz, narrow band at 8 kHz; the two cannot be
    compared.

    Arguments
    ---------
    reference : numpy.ndarray
        Clean speech [samples].
    estimate : numpy.ndarray
        Noisy or enhanced speech [samples].
    sample_rate : int
        In Hz; 16000 or 8000.

    Returns
    -------
    float
        Between 1.02 and 4.64; NaN where PESQ finds no speech, or the signals
        are too short or not finite.

    Raises
    ------
    ValueError
        At another rate.

    Example
    -------
    >>> silence = np.zeros(16000, dtype="float32")
    >>> pesq(silence, silence)
    nan
    """
    check_pesq_rate(sample_rate)
    module = import_extra("pesq", "Scores")
    # on these the C code hangs, or scores noise that is not there
    if not (np.isfinite(reference).all() and np.isfinite(estimate).all()):
        return math.nan
    if not (reference.any() and estimate.any()):
        return math.nan
    try:
        band = PESQ_BANDS[sample_rate]
        return float(module.pesq(sample_rate, reference, estimate, band))
    except (module.PesqError, ValueError):
        return math.nan


def stoi(reference, estimate, sample_rate=16000):
    """Short-time objective intelligibility, by the package pystoi.

    Arguments
    ---------
    reference : numpy.ndarray
        Clean speech [samples].
    estimate : numpy.ndarray
        Noisy or enhanced speech [samples].
    sample_rate : int
        In Hz.

    Returns
    -------
    float
        Between 0 and 1; NaN where there is too little speech.

    Example
    -------
    >>> stoi(np.zeros(16000), np.zeros(16000))
    nan
    """
    module = import_extra("pystoi", "Scores")
    if not reference.any() or not np.isfinite(estimate).all():
        return math.nan
    with warnings.catch_warnings():
        # pystoi warns, and returns 1e-5, where there are too few frames
        warnings.simplefilter("error", RuntimeWarning)
        try:
            return float(module.stoi(reference, estimate, sample_rate))
        except (RuntimeWarning, ValueError, np.linalg.LinAlgError):
            return math.nan


def si_sdr(reference, estimate, sample_rate=16000):
    """Scale-invariant signal-to-distortion ratio of mean-removed signals.

    Le Roux et al., "SDR - half-baked or well done?", ICASSP 2019.

    Arguments
    ---------
    reference : numpy.ndarray
        Clean speech [samples].
    estimate : numpy.ndarray
        Noisy or enhanced speech [samples].
    sample_rate : int
        Not used; here so that all scores are called alike.

    Returns
    -------
    float
        In dB; NaN where a signal is constant or not finite.

    Example
    -------
    >>> clean = np.sin(np.arange(16000.0))
    >>> round(si_sdr(clean, 2 * clean + 0.2 * np.cos(np.arange(16000.0))))
    20
    """
    reference = np.asarray(reference, dtype=np.float64)
    estimate = np.asarray(estimate, dtype=np.float64)
    reference = reference - reference.mean()
    estimate = estimate - estimate.mean()
    energy = reference @ reference
    if not energy > 0 or not estimate @ estimate > 0:
        return math.nan
    target = (reference @ estimate) / energy * reference
    noise = estimate - target
    with np.errstate(divide="ignore"):
        return float(10 * np.log10((target @ target) / (noise @ noise)))


METRICS = {"pesq": pesq, "stoi": stoi, "si_sdr": si_sdr}


def score(reference, estimate, sample_rate=16000, metrics=tuple(METRICS)):
    """Several scores of one pair.

    Arguments
    ---------
    reference : numpy.ndarray
        Clean speech [samples].
    estimate : numpy.ndarray
        Noisy or enhanced speech [samples].
    sample_rate : int
        In Hz.
    metrics : list of str
        Keys of ``METRICS``.

    Returns
    -------
    dict
        Score by name.
    """
    return {k: METRICS[k](reference, estimate, sample_rate) for k in metrics}


def pesq_label(value):
    """PESQ as the discriminator's target, (PESQ - 1) / 3.5.

    Arguments
    ---------
    value : float
        PESQ.

    Returns
    -------
    float
        Between 0 and 1.04.

    Example
    -------
    >>> pesq_label(4.5)
    1.0
    """
    return (value - 1) / 3.5


def mean_scores(scores):
    """Means over files, and how many files have no score.

    Arguments
    ---------
    scores : list of dict
        Score by name, for each file.

    Returns
    -------
    dict
        Mean of each score over the files that have one (NaN if none has),
        and under ``name + "_failed"`` the number of the others, if any.

    Example
    -------
    >>> mean_scores([{"pesq": 2.0}, {"pesq": 3.0}, {"pesq": math.nan}])
    {'pesq': 2.5, 'pesq_failed': 1}
    """
    means = {}
    for name in scores[0] if scores else ():
        values = np.array([s[name] for s in scores])
        known = np.isfinite(values)
        # plain floats: checkpoints cannot hold NumPy's
        means[name] = float(values[known].mean()) if known.any() else math.nan
        if not known.all():
            means[f"{name}_failed"] = int((~known).sum())
    return means
