"""The mel spectrogram in dB that DNSMOS P.808 was trained on.

That of librosa's ``melspectrogram`` and ``power_to_db``, whose defaults they
are: scale and bands of Slaney's Auditory Toolbox, levels below the loudest.
"""

import functools

import numpy as np

RATE = 16000
SIZE, HOP, BANDS = 321, 160, 120
#: The scale is linear below, in Hz and mel, and logarithmic above
CORNER, CORNER_MEL = 1000.0, 15.0
#: Ratio of frequencies that are one mel apart above the corner
STEP = 6.4 ** (1 / 27)
#: In power; what silence is taken for
FLOOR = 1e-10
#: In dB; what lies further below the loudest is taken for as much
RANGE = 80.0


def log_mel(wav):
    """Levels of mel bands, in dB below the loudest of all.

    Arguments
    ---------
    wav : numpy.ndarray
        [samples] at 16 kHz.

    Returns
    -------
    numpy.ndarray
        [frames, 120], from -80 to 0, a frame each 10 ms; their windows of
        321 samples are centred, silence is before and after the wave.

    Example
    -------
    >>> levels = log_mel(np.sin(np.pi / 8 * np.arange(16000)))
    >>> levels.shape
    (100, 120)
    >>> int(levels[50].argmax())  # of 1000 Hz: 15 mel, of 45.2 in 121 steps
    39
    """
    padded = np.pad(wav, SIZE // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, SIZE)[::HOP]
    # of Hann, periodic
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(SIZE) / SIZE)
    power = np.abs(np.fft.rfft(frames * window)) ** 2
    levels = 10 * np.log10(np.maximum(power @ _filters().T, FLOOR))
    return np.maximum(levels - levels.max(), -RANGE)


@functools.lru_cache(maxsize=None)
def _filters():
    """Triangles over the bins [120, 161], each of an area of 1 Hz."""
    highest = CORNER_MEL + np.log(RATE / 2 / CORNER) / np.log(STEP)
    edges = _hertz(np.linspace(0, highest, BANDS + 2))
    bins = np.fft.rfftfreq(SIZE, 1 / RATE)
    widths = np.diff(edges)[:, None]
    rising = (bins - edges[:-2, None]) / widths[:-1]
    falling = (edges[2:, None] - bins) / widths[1:]
    triangles = np.maximum(0, np.minimum(rising, falling))
    return 2 * triangles / (widths[:-1] + widths[1:])


def _hertz(mel):
    linear = mel * (CORNER / CORNER_MEL)
    above = CORNER * STEP ** (mel - CORNER_MEL)
    return np.where(mel < CORNER_MEL, linear, above)
