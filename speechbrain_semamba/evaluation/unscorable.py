"""What cannot be scored, and why: a NaN that carries its reason."""

import functools
import math

import numpy as np

#: PESQ needs as much; less says little in any other score
SHORTEST_SECONDS = 0.25


class Unscorable(Exception):
    """Raised within a score: the pair has none, for the reason given."""


class NoScore(float):
    """A NaN that knows why it is one.

    It is an ordinary float to all that computes, and keeps its reason on the
    way from one process to another.

    Arguments
    ---------
    reason : str
        In a few words, such as "silence".

    Example
    -------
    >>> NoScore("silence"), NoScore("silence").reason
    (nan, 'silence')
    """

    def __new__(cls, reason):
        self = super().__new__(cls, math.nan)
        self.reason = reason
        return self

    def __reduce__(self):
        return NoScore, (self.reason,)


def reason_of(value):
    """Why a score is not finite.

    Arguments
    ---------
    value : float
        A score.

    Returns
    -------
    str or None
        A few words; None if the score is finite.

    Example
    -------
    >>> reason_of(NoScore("silence")), reason_of(math.inf), reason_of(2.5)
    ('silence', 'infinite', None)
    """
    if math.isfinite(value):
        return None
    unknown = "infinite" if math.isinf(value) else "not a number"
    return getattr(value, "reason", unknown)


def scored(function):
    """Makes a score of a function that may raise ``Unscorable``.

    The function gets both waves in float64, of one length, finite, long
    enough, and a clean one that is not silent. What else it cannot score it
    finds itself.

    Arguments
    ---------
    function : callable
        Computes a score of (clean, enhanced, sample_rate), and perhaps of
        other scores by keyword.

    Returns
    -------
    callable
        The same, which returns ``NoScore`` where the function raises.

    Example
    -------
    >>> @scored
    ... def largest(clean, enhanced, sample_rate):
    ...     return enhanced.max()
    >>> largest(np.arange(4000.0), np.ones(4000))
    1.0
    >>> largest(np.arange(3999.0), np.ones(3999)).reason
    'shorter than 0.25 s'
    """

    @functools.wraps(function)
    def score(clean, enhanced, sample_rate=16000, **known):
        pair = [np.asarray(x, dtype=np.float64) for x in (clean, enhanced)]
        try:
            _check_pair(*pair, sample_rate)
            return float(function(*pair, sample_rate, **known))
        except Unscorable as reason:
            return NoScore(str(reason))

    return score


def check_sound(wav):
    """Whether a wave is more than silence.

    Arguments
    ---------
    wav : numpy.ndarray
        [samples].

    Raises
    ------
    Unscorable
        If all samples are alike.

    Example
    -------
    >>> check_sound(np.arange(4))
    """
    if not np.ptp(wav) > 0:
        raise Unscorable("silence")


def _check_pair(clean, enhanced, sample_rate):
    if clean.ndim != 1 or clean.shape != enhanced.shape:
        raise ValueError(
            "Scores need two waves [samples] of one length, found the shapes "
            f"{clean.shape} and {enhanced.shape}; cut or pad one of them"
        )
    if len(clean) < SHORTEST_SECONDS * sample_rate:
        raise Unscorable(f"shorter than {SHORTEST_SECONDS} s")
    if not (np.isfinite(clean).all() and np.isfinite(enhanced).all()):
        raise Unscorable("not finite")
    check_sound(clean)
