"""What a user may ask of an enhancement, beside the model."""

from dataclasses import dataclass, fields
from numbers import Real
from typing import Optional

from speechbrain_semamba.utils.checks import check_rates
from speechbrain_semamba.utils.messages import nearest


@dataclass(frozen=True)
class EnhancementSettings:
    """Settings of ``enhance_file``, ``enhance_files`` and ``enhance_stream``.

    Arguments
    ---------
    sample_rate : int
        Rate of the output, in Hz; None for that of the input.
    pcs : str
        Perceptual contrast stretching (``processing.pcs``) of the enhanced
        speech: "peak" scales the output to a peak of 1, as the published
        PCS files are; "level" leaves the level as it comes. None for none.
    strength : float
        From 0, the noisy wave, to 1, the enhanced one: a mix of both.
    attenuation_limit : float
        In dB: the share of the noisy wave in the mix is never smaller, so
        that nothing is attenuated by more; None for no limit.
    keep_highs : bool
        Whether to keep what the input holds above the model's band,
        attenuated as the top of the band is. The model never saw it: where
        its top band holds speech, noise above it stays.
    window_seconds : float
        A longer wave is enhanced in windows of this length.
    overlap_seconds : float
        By which windows overlap; from one to the next it is faded there.
        None for 1 s, or a quarter of a window that is shorter than 4 s.
    batch_seconds : float
        So much audio goes through the network at once, at least one window
        of one channel: more needs more memory.

    Raises
    ------
    ValueError
        If one is out of range.

    Example
    -------
    >>> EnhancementSettings(strength=0.8, attenuation_limit=12).noisy_share
    0.251188643150958
    """

    sample_rate: Optional[int] = None
    pcs: Optional[str] = None
    strength: float = 1.0
    attenuation_limit: Optional[float] = None
    keep_highs: bool = False
    window_seconds: float = 20.0
    overlap_seconds: Optional[float] = None
    batch_seconds: float = 20.0

    def __post_init__(self):
        if self.sample_rate is not None:
            check_rates(self.sample_rate)
        if self.pcs not in (None, "peak", "level"):
            raise ValueError(
                f"pcs must be 'peak', 'level' or None, found {self.pcs!r}"
            )
        _check_range("strength", self.strength, 0, 1)
        if self.attenuation_limit is not None:
            _check_range("attenuation_limit", self.attenuation_limit, 0)
        _check_range("window_seconds", self.window_seconds, 0.1, 3600)
        if self.overlap_seconds is None:
            overlap = min(1.0, self.window_seconds / 4)
            object.__setattr__(self, "overlap_seconds", overlap)
        half = self.window_seconds / 2
        _check_range("overlap_seconds", self.overlap_seconds, 0, half)
        _check_range("batch_seconds", self.batch_seconds, 0, 86_400)

    @classmethod
    def of(cls, settings):
        """Those of keyword arguments.

        Arguments
        ---------
        settings : dict
            By name.

        Returns
        -------
        EnhancementSettings
            The others have their defaults.

        Raises
        ------
        ValueError
            If there is no such setting, or one is out of range.

        Example
        -------
        >>> EnhancementSettings.of({"strenght": 1})
        Traceback (most recent call last):
        ValueError: there is no setting 'strenght', the nearest is strength
        """
        known = [field.name for field in fields(cls)]
        for name in settings:
            if name not in known:
                raise ValueError(
                    f"there is no setting {name!r}{nearest(name, known)}"
                )
        return cls(**settings)

    @property
    def noisy_share(self):
        """Share of the noisy wave in the output, from 0 to 1."""
        least = 0.0
        if self.attenuation_limit is not None:
            least = 10 ** (-self.attenuation_limit / 20)
        return max(1 - self.strength, least)


def _check_range(name, value, low, high=float("inf")):
    if not (isinstance(value, Real) and low <= value <= high):
        span = f"at least {low}" if high == float("inf") else f"{low} to {high}"
        raise ValueError(f"{name} must be {span}, found {value!r}")
