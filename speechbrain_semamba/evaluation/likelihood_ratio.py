"""The log-likelihood ratio (LLR): how far apart spectral envelopes are."""

import numpy as np

from speechbrain_semamba.evaluation.frames import (
    frames_of,
    mean_of_lowest,
    windowed_frames,
)
from speechbrain_semamba.evaluation.unscorable import (
    Unscorable,
    check_sound,
    scored,
)

EPS = np.finfo(np.float64).eps


@scored
def llr(clean, enhanced, sample_rate=16000):
    """Log-likelihood ratio of linear prediction.

    Hu and Loizou, "Evaluation of objective quality measures for speech
    enhancement", IEEE TASLP 2008: in each frame of 30 ms

        log(a_e' R_c a_e / a_c' R_c a_c)

    with the coefficients a of the linear prediction (order 16, below 10 kHz
    10) of clean and enhanced speech, and the autocorrelation R of the clean;
    then the mean of the lowest 95 % of the frames, not limited. A frame in
    which a wave is constant has no envelope and does not count.

    Arguments
    ---------
    clean : numpy.ndarray
        Clean speech [samples].
    enhanced : numpy.ndarray
        Noisy or enhanced speech [samples].
    sample_rate : int
        In Hz, at least 8000.

    Returns
    -------
    float
        At least 0, the best; NaN where a signal is silent, too short or not
        finite.

    Example
    -------
    >>> wav = np.random.default_rng(0).standard_normal((2, 16000))
    >>> round(llr(wav[0], 0.1 * wav[0]), 6) + 0
    0.0
    >>> 0 < llr(wav[0], wav[0] + 0.1 * wav[1]) < llr(*wav)
    True
    """
    check_sound(enhanced)
    order = 16 if sample_rate >= 10000 else 10
    waves = clean, enhanced
    heard = [np.ptp(frames_of(x, sample_rate), axis=1) > 0 for x in waves]
    heard = heard[0] & heard[1]
    if not heard.any():
        raise Unscorable("never sound in both")
    # machine epsilon keeps the few frames finite that are next to silent
    lags_clean, lags_enhanced = (
        autocorrelation(windowed_frames(x + EPS, sample_rate)[heard], order)
        for x in waves
    )
    errors = [
        prediction_error(linear_prediction(lags), lags_clean)
        for lags in (lags_enhanced, lags_clean)
    ]
    return mean_of_lowest(np.log(errors[0] / errors[1]))


def autocorrelation(frames, order):
    """Autocorrelation of frames.

    Arguments
    ---------
    frames : numpy.ndarray
        [frames, frame samples].
    order : int
        The largest lag.

    Returns
    -------
    numpy.ndarray
        [frames, order + 1].

    Example
    -------
    >>> autocorrelation(np.array([[1.0, 2.0, 3.0]]), 2)
    array([[14.,  8.,  3.]])
    """
    size = frames.shape[1]
    products = [
        np.einsum("fn,fn->f", frames[:, : size - lag], frames[:, lag:])
        for lag in range(order + 1)
    ]
    return np.stack(products, axis=1)


def linear_prediction(lags):
    """Coefficients of the prediction error filter, by Levinson and Durbin.

    Arguments
    ---------
    lags : numpy.ndarray
        Autocorrelation [frames, order + 1].

    Returns
    -------
    numpy.ndarray
        The first of each frame is 1 [frames, order + 1].

    Example
    -------
    >>> linear_prediction(np.array([[4.0, 2.0, 0.0]])).round(4)
    array([[ 1.    , -0.6667,  0.3333]])
    """
    filters = np.zeros_like(lags)
    filters[:, 0] = 1
    error = lags[:, 0]
    for i in range(1, lags.shape[1]):
        ahead = (filters[:, :i] * lags[:, i:0:-1]).sum(axis=1)
        reflection = -ahead / error
        turned = reflection[:, None] * filters[:, i - 1 :: -1]
        filters[:, 1 : i + 1] += turned
        # rounding must not make it zero where the prediction is perfect
        error = np.maximum(error * (1 - reflection**2), EPS * lags[:, 0])
    return filters


def prediction_error(filters, lags):
    """Energy of what a prediction leaves, a' R a.

    Arguments
    ---------
    filters : numpy.ndarray
        Prediction error filters [frames, order + 1].
    lags : numpy.ndarray
        Autocorrelation of what they predict [frames, order + 1].

    Returns
    -------
    numpy.ndarray
        Above 0 [frames].

    Example
    -------
    >>> prediction_error(np.array([[1.0, -0.5]]), np.array([[4.0, 2.0]]))
    array([3.])
    """
    places = np.arange(lags.shape[1])
    toeplitz = lags[:, np.abs(places[:, None] - places)]
    energy = np.einsum("fi,fij,fj->f", filters, toeplitz, filters)
    return np.maximum(energy, EPS * lags[:, 0])
