"""How much of speech can be understood: STOI and ESTOI."""

import warnings

import numpy as np

from speechbrain_semamba.evaluation.unscorable import Unscorable, scored
from speechbrain_semamba.utils.extras import import_extra


@scored
def stoi(clean, enhanced, sample_rate=16000):
    """Short-time objective intelligibility, by the package pystoi.

    Taal et al., "An algorithm for intelligibility prediction of
    time-frequency weighted noisy speech", IEEE TASLP 2011.

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
        Between 0 and 1; 0 of silence, NaN where there is too little speech.

    Example
    -------
    >>> stoi(np.zeros(16000), np.zeros(16000))
    nan
    """
    return _by_pystoi(clean, enhanced, sample_rate, extended=False)


@scored
def estoi(clean, enhanced, sample_rate=16000):
    """Extended short-time objective intelligibility, by the package pystoi.

    Jensen and Taal, "An algorithm for predicting the intelligibility of
    speech masked by modulated noise maskers", IEEE TASLP 2016.

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
        Up to 1; 0 of silence, NaN where there is too little speech.

    Example
    -------
    >>> estoi(np.zeros(16000), np.zeros(16000))
    nan
    """
    # of silence ESTOI would correlate its own dither; STOI knows that it is 0
    return _by_pystoi(clean, enhanced, sample_rate, extended=enhanced.any())


def _by_pystoi(clean, enhanced, sample_rate, extended):
    module = import_extra("pystoi", "Scores", "eval")
    # pystoi dithers with NumPy's global generator: a score should depend on
    # nothing but the pair, and leave no trace in what others draw
    state = np.random.get_state()
    np.random.seed(0)
    try:
        with warnings.catch_warnings():
            # pystoi warns, and returns 1e-5, where there are too few frames
            warnings.simplefilter("error", RuntimeWarning)
            return module.stoi(clean, enhanced, sample_rate, extended)
    except (RuntimeWarning, ValueError, np.linalg.LinAlgError) as error:
        raise Unscorable("too little speech") from error
    finally:
        np.random.set_state(state)
