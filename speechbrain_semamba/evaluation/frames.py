"""The frames that segmental scores are computed of, and their means.

As in the scripts of Loizou's "Speech Enhancement: Theory and Practice" (CRC
Press, 2007), on which the published numbers of the field rest.
"""

import numpy as np

FRAME_SECONDS = 0.03


def frame_length(sample_rate):
    """Samples in a frame.

    Arguments
    ---------
    sample_rate : int
        In Hz, at least 8000: the bands that are looked at end near 4 kHz.

    Returns
    -------
    int
        Of 30 ms.

    Raises
    ------
    ValueError
        At a lower rate.

    Example
    -------
    >>> frame_length(16000)
    480
    """
    if sample_rate < 8000:
        raise ValueError(
            "Segmental scores need a rate of at least 8,000 Hz, found "
            f"{sample_rate:,}; resample"
        )
    return round(FRAME_SECONDS * sample_rate)


def frames_of(wav, sample_rate):
    """Frames that overlap by three quarters, without a window.

    Arguments
    ---------
    wav : numpy.ndarray
        [samples].
    sample_rate : int
        In Hz.

    Returns
    -------
    numpy.ndarray
        A view [frames, frame samples]. The last frame that would fit is left
        out, as the published scripts do.

    Example
    -------
    >>> frames_of(np.arange(16000.0), 16000).shape
    (129, 480)
    """
    size = frame_length(sample_rate)
    hop = size // 4
    count = max(len(wav) - size, 0) // hop
    return np.lib.stride_tricks.sliding_window_view(wav, size)[::hop][:count]


def windowed_frames(wav, sample_rate):
    """The same under a Hann window without zeros at its ends.

    Arguments
    ---------
    wav : numpy.ndarray
        [samples].
    sample_rate : int
        In Hz.

    Returns
    -------
    numpy.ndarray
        [frames, frame samples].

    Example
    -------
    >>> windowed_frames(np.ones(16000), 16000)[0, [0, 239, 479]].round(4)
    array([0., 1., 0.])
    """
    size = frame_length(sample_rate)
    return frames_of(wav, sample_rate) * np.hanning(size + 2)[1:-1]


def mean_of_lowest(distances, share=0.95):
    """The mean without the frames that are worst by far.

    Arguments
    ---------
    distances : numpy.ndarray
        Of each frame, the larger the worse [frames].
    share : float
        Of the frames, how many count.

    Returns
    -------
    float
        Their mean.

    Example
    -------
    >>> mean_of_lowest(np.array([1.0] * 19 + [1000.0])).item()
    1.0
    """
    return np.sort(distances)[: round(len(distances) * share)].mean()
