"""PESQ, the perceptual evaluation of speech quality."""

from speechbrain_semamba.evaluation.unscorable import (
    Unscorable,
    check_sound,
    scored,
)
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


@scored
def pesq(clean, enhanced, sample_rate=16000):
    """PESQ (ITU-T P.862), by the package pesq.

    Wide band (P.862.2) at 16 kHz, narrow band at 8 kHz; the two cannot be
    compared.

    Arguments
    ---------
    clean : numpy.ndarray
        Clean speech [samples].
    enhanced : numpy.ndarray
        Noisy or enhanced speech [samples].
    sample_rate : int
        In Hz; 16000 or 8000.

    Returns
    -------
    float
        Between 1.02 and 4.64; NaN where PESQ finds no speech, or the signals
        are too short, silent or not finite.

    Raises
    ------
    ValueError
        At another rate.

    Example
    -------
    >>> import numpy as np
    >>> silence = np.zeros(16000)
    >>> pesq(silence, silence)
    nan
    """
    check_pesq_rate(sample_rate)
    module = import_extra("pesq", "Scores", "eval")
    # the C code hangs on silence, or scores noise that is not there
    check_sound(enhanced)
    try:
        band = PESQ_BANDS[sample_rate]
        return module.pesq(sample_rate, clean, enhanced, band)
    except module.NoUtterancesError as error:
        raise Unscorable("no speech found") from error
    except (module.PesqError, ValueError) as error:
        raise Unscorable("PESQ failed") from error


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
