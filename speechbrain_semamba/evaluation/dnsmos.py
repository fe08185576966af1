"""DNSMOS: what listeners would say of a wave, heard alone.

The networks are those of the package speechmos (Microsoft, MIT License),
which this calls directly: the package itself imports librosa and more that it
does not declare, for a mel spectrogram (``log_mel``).
"""

import functools
from pathlib import Path

import numpy as np

from speechbrain_semamba.evaluation.log_mel import log_mel
from speechbrain_semamba.evaluation.unscorable import (
    NETWORK_RATE,
    scored_alone,
)
from speechbrain_semamba.utils.extras import import_extra

#: What the networks hear at once; the next window starts a second later
WINDOW_SECONDS = 9.01
WINDOW = int(WINDOW_SECONDS * NETWORK_RATE)
#: Polynomials that bring what the network says to the scale of listeners,
#: without that of the "personalized" task; SIG, BAK, OVRL
P835_SCALES = (
    np.polynomial.Polynomial([0.0052439, 1.22083953, -0.08397278]),
    np.polynomial.Polynomial([-0.39604546, 1.60915514, -0.13166888]),
    np.polynomial.Polynomial([0.04602535, 1.11546468, -0.06766283]),
)


@scored_alone("sig", "bak", "ovrl")
def p835(enhanced):
    """DNSMOS P.835: speech, background, and both together.

    Reddy et al., "DNSMOS P.835: A non-intrusive perceptual objective speech
    quality metric to evaluate noise suppressors", ICASSP 2022. The mean over
    windows of 9.01 s, as its authors compute it; a shorter wave is repeated.

    Arguments
    ---------
    enhanced : numpy.ndarray
        Noisy or enhanced speech [samples]; the level counts, and a peak above
        1 is heard as it is.
    sample_rate : int
        In Hz; 16000.

    Returns
    -------
    dict
        "sig", "bak" and "ovrl", from 1 to 5; NaN if the wave is too short,
        silent or not finite.

    Raises
    ------
    ImportError
        If speechmos or onnxruntime is missing; names the extra.
    ValueError
        At another rate.

    Example
    -------
    >>> p835(np.zeros(16000))
    {'sig': nan, 'bak': nan, 'ovrl': nan}
    """
    heard = _hear("sig_bak_ovr.onnx", enhanced)
    return [scale(values).mean() for scale, values in zip(P835_SCALES, heard.T)]


@scored_alone("p808")
def p808(enhanced):
    """DNSMOS P.808: the quality of all that is heard.

    Reddy et al., "DNSMOS: A non-intrusive perceptual objective speech quality
    metric to evaluate noise suppressors", ICASSP 2021. Windows as in ``p835``.

    Arguments
    ---------
    enhanced : numpy.ndarray
        Noisy or enhanced speech [samples].
    sample_rate : int
        In Hz; 16000.

    Returns
    -------
    dict
        "p808", from 1 to 5; NaN if the wave is too short, silent or not
        finite.

    Raises
    ------
    ImportError
        If speechmos or onnxruntime is missing; names the extra.
    ValueError
        At another rate.

    Example
    -------
    >>> p808(np.zeros(16000))
    {'p808': nan}
    """
    return [_hear("model_v8.onnx", enhanced, _p808_features).mean()]


def _p808_features(window):
    """Around 0; of 9 s, so that there are 900 frames."""
    return (log_mel(window[:-160]) + 40) / 40


def _hear(name, wav, features=lambda window: window):
    """What a network says of each window, [windows, scores] in float64."""
    session = _session(name)
    heard = [
        session.run(None, {"input_1": features(window)[None].astype("float32")})
        for window in _windows(wav)
    ]
    # one output, of a batch of one
    return np.array([output[0] for (output,) in heard], dtype=np.float64)


def _windows(wav):
    """Windows a second apart, the same as those of the authors."""
    while len(wav) < WINDOW:
        wav = np.append(wav, wav)
    seconds = len(wav) // NETWORK_RATE
    for start in range(int(seconds - WINDOW_SECONDS) + 1):
        end = int((start + WINDOW_SECONDS) * NETWORK_RATE)
        window = wav[start * NETWORK_RATE : end]
        # Rounding makes some a sample short, those of 7 to 23 s among them.
        # The authors leave these out, and so does every published number.
        if len(window) == WINDOW:
            yield window


@functools.lru_cache(maxsize=None)
def _session(name):
    """A network, once a process; what makes scores parallel is the pool."""
    models = import_extra("speechmos", "Scores", "mos").__path__[0]
    onnxruntime = import_extra("onnxruntime", "Scores", "mos")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(
        str(Path(models, "dnsmos_models", name)),
        options,
        providers=["CPUExecutionProvider"],
    )
