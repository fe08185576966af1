"""What cannot be scored, and why: a NaN that carries its reason."""

import functools
import math

import numpy as np

#: PESQ needs as much; less says little in any other score
SHORTEST_SECONDS = 0.25
#: In Hz; what the networks that need no clean wave were trained at
NETWORK_RATE = 16000


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


def scored_alone(*names):
    """Makes scores of a function that needs no clean wave.

    The function gets the wave in float64, finite, long enough, and not
    silent.

    Arguments
    ---------
    *names : str
        What its scores are called, in the order in which it returns them.

    Returns
    -------
    callable
        Decorates a function that maps a wave at 16 kHz to a list of scores:
        makes it one of (enhanced, sample_rate) that returns a dict by name,
        of ``NoScore`` where it raises ``Unscorable``.

    Example
    -------
    >>> @scored_alone("least", "most")
    ... def extremes(wav):
    ...     return wav.min(), wav.max()
    >>> extremes(np.arange(4000))
    {'least': 0.0, 'most': 3999.0}
    >>> extremes(np.zeros(4000))["most"].reason
    'silence'
    """

    def decorate(function):
        @functools.wraps(function)
        def score(enhanced, sample_rate=NETWORK_RATE):
            wav = np.asarray(enhanced, dtype=np.float64)
            if wav.ndim != 1:
                raise ValueError(
                    "Scores without a clean wave need one wave [samples], "
                    f"found the shape {wav.shape}; score channels one by one"
                )
            if sample_rate != NETWORK_RATE:
                raise ValueError(
                    f"The scores {', '.join(names)} are defined at "
                    f"{NETWORK_RATE:,} Hz, found {sample_rate:,}; resample"
                )
            try:
                _check_waves(sample_rate, wav)
                check_sound(wav)
                return dict(zip(names, map(float, function(wav))))
            except Unscorable as reason:
                return dict.fromkeys(names, NoScore(str(reason)))

        return score

    return decorate


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
    _check_waves(sample_rate, clean, enhanced)
    check_sound(clean)


def _check_waves(sample_rate, *waves):
    if len(waves[0]) < SHORTEST_SECONDS * sample_rate:
        raise Unscorable(f"shorter than {SHORTEST_SECONDS} s")
    if not all(np.isfinite(wav).all() for wav in waves):
        raise Unscorable("not finite")
