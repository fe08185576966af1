"""What listeners would say: CSIG, CBAK and COVL.

Three regressions of ITU-T P.835 ratings (Hu and Loizou, "Evaluation of
objective quality measures for speech enhancement", IEEE TASLP 2008). At 16 kHz
the field puts wide-band PESQ into them, although they were fitted to the
narrow-band one.
"""

import numpy as np

from speechbrain_semamba.evaluation.distortion import ssnr
from speechbrain_semamba.evaluation.likelihood_ratio import llr
from speechbrain_semamba.evaluation.pesq_scores import pesq
from speechbrain_semamba.evaluation.spectral_slope import wss
from speechbrain_semamba.evaluation.unscorable import (
    Unscorable,
    reason_of,
    scored,
)

MEASURES = {"pesq": pesq, "llr": llr, "wss": wss, "ssnr": ssnr}
#: Weights of the measures in each rating
CSIG = {"pesq": 0.603, "llr": -1.029, "wss": -0.009}
CBAK = {"pesq": 0.478, "wss": -0.007, "ssnr": 0.063}
COVL = {"pesq": 0.805, "llr": -0.512, "wss": -0.007}
#: From bad to excellent
RATINGS = 1, 5


@scored
def csig(clean, enhanced, sample_rate=16000, **known):
    """Predicted rating of the speech, from very distorted to not at all.

    Arguments
    ---------
    clean : numpy.ndarray
        Clean speech, in the range [-1, 1] [samples].
    enhanced : numpy.ndarray
        Noisy or enhanced speech [samples].
    sample_rate : int
        In Hz; 16000 or 8000.
    **known : float
        Of "pesq", "llr" and "wss" those that are computed already.

    Returns
    -------
    float
        Between 1 and 5, the best; NaN where one of its measures is.

    Example
    -------
    >>> wav = np.random.default_rng(0).standard_normal(16000)
    >>> round(csig(wav, wav, pesq=2.0, llr=0.5, wss=20.0), 4)
    3.6045
    """
    return _rating(3.093, CSIG, (clean, enhanced, sample_rate), known)


@scored
def cbak(clean, enhanced, sample_rate=16000, **known):
    """Predicted rating of the background, from very intrusive to none.

    Arguments
    ---------
    clean : numpy.ndarray
        Clean speech, in the range [-1, 1] [samples].
    enhanced : numpy.ndarray
        Noisy or enhanced speech [samples].
    sample_rate : int
        In Hz; 16000 or 8000.
    **known : float
        Of "pesq", "wss" and "ssnr" those that are computed already.

    Returns
    -------
    float
        Between 1 and 5, the best; NaN where one of its measures is.

    Example
    -------
    >>> wav = np.random.default_rng(0).standard_normal(16000)
    >>> round(cbak(wav, wav, pesq=2.0, wss=20.0, ssnr=10.0), 4)
    3.08
    """
    return _rating(1.634, CBAK, (clean, enhanced, sample_rate), known)


@scored
def covl(clean, enhanced, sample_rate=16000, **known):
    """Predicted rating of the whole, from bad to excellent.

    Arguments
    ---------
    clean : numpy.ndarray
        Clean speech, in the range [-1, 1] [samples].
    enhanced : numpy.ndarray
        Noisy or enhanced speech [samples].
    sample_rate : int
        In Hz; 16000 or 8000.
    **known : float
        Of "pesq", "llr" and "wss" those that are computed already.

    Returns
    -------
    float
        Between 1 and 5, the best; NaN where one of its measures is.

    Example
    -------
    >>> wav = np.random.default_rng(0).standard_normal(16000)
    >>> round(covl(wav, wav, pesq=2.0, llr=0.5, wss=20.0), 4)
    2.808
    """
    return _rating(1.594, COVL, (clean, enhanced, sample_rate), known)


def _rating(constant, weights, pair, known):
    rating = constant
    for name, weight in weights.items():
        value = known[name] if name in known else MEASURES[name](*pair)
        if reason_of(value):
            raise Unscorable(reason_of(value))
        rating += weight * value
    return np.clip(rating, *RATINGS)
