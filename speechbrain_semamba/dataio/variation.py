"""One recording as many: other voices, other microphones, other rooms."""

import math
import random

import torch
from torchaudio.functional import fftconvolve, lfilter

from speechbrain_semamba.processing.resampling import resample
from speechbrain_semamba.utils.checks import check_counts, check_probability

#: Coefficients of the filter lie in plus and minus this; it is stable then
FILTER_RANGE = 3 / 8
#: Seconds in which a room's sound decays by 60 dB
RT60_RANGE = 0.1, 0.6
#: Seconds between the direct path and the first reflection
GAP_RANGE = 0.001, 0.008
#: Energy of the direct path over that of all reflections, in dB
DRR_RANGE = 0, 18


class SoundVariation:
    """Makes a part of a recording sound like one made elsewhere.

    A little corpus holds few voices, few microphones and hardly a room, and
    who learns of it alone does worse with others. Hence the part is played
    faster or slower, which moves pitch and formants, is coloured by a random
    filter of second order (Valin, "A Hybrid DSP/Deep Learning Approach to
    Real-Time Full-Band Speech Enhancement", MMSP 2018, section 3.1),

        H(z) = (1 + r1 z^-1 + r2 z^-2) / (1 + r3 z^-1 + r4 z^-2),

    and is, at times, heard in a room: noise that decays exponentially, behind
    the direct path. Speech that is varied so is a target as it is. What is to
    be learnt is to remove noise, not a room.

    All is drawn by Python's and PyTorch's generators, see ``drawing_at``.

    Arguments
    ---------
    sample_rate : int
        Of the recordings, in Hz.
    speed_low, speed_high : int
        Lowest and highest speed, in percent.
    room_prob : float
        Probability that there is a room.

    Raises
    ------
    ValueError
        If an option is out of range.

    Example
    -------
    >>> vary = SoundVariation(16000, speed_low=85, speed_high=118)
    >>> vary(torch.randn(48000), samples=16000).shape
    torch.Size([16000])
    """

    def __init__(
        self, sample_rate, speed_low=85, speed_high=118, room_prob=0.5
    ):
        check_counts(speed_low=speed_low, speed_high=speed_high)
        if not 50 <= speed_low <= speed_high <= 200:
            raise ValueError(
                "speed_low and speed_high must lie in 50 to 200 percent, in "
                f"this order; found {speed_low} and {speed_high}."
            )
        check_probability(room_prob=room_prob)
        self.sample_rate = sample_rate
        self.speeds = speed_low, speed_high
        self.room_prob = room_prob

    def __call__(self, wav, samples):
        """Varies a part of a recording.

        Arguments
        ---------
        wav : torch.Tensor
            The recording [samples].
        samples : int
            How many are wanted.

        Returns
        -------
        torch.Tensor
            So many [samples], or less if the recording holds no more.
        """
        wav = self._play(wav, samples)
        wav = _colour(wav)
        if random.random() < self.room_prob:
            wav = fftconvolve(wav, self._draw_room())
        return wav[:samples]

    def _play(self, wav, samples):
        """Cuts out a part and plays it at another speed."""
        speed = random.randint(*self.speeds) / 100
        needed = math.ceil(samples * speed)
        start = random.randint(0, max(0, len(wav) - needed))
        wav = wav[start : start + needed]
        return resample(wav, round(self.sample_rate * speed), self.sample_rate)

    def _draw_room(self):
        """A room impulse response, whose direct path is 1 at the time 0."""
        rt60, gap = random.uniform(*RT60_RANGE), random.uniform(*GAP_RANGE)
        seconds = torch.arange(int(rt60 * self.sample_rate)) / self.sample_rate
        room = torch.randn(len(seconds)) * 10 ** (-3 * seconds / rt60)
        room[seconds < gap] = 0
        energy = 10 ** (-random.uniform(*DRR_RANGE) / 10)
        room *= (energy / room.square().sum()).sqrt()
        room[0] = 1
        return room


def _colour(wav):
    coefficients = FILTER_RANGE * (2 * torch.rand(2, 2) - 1)
    zeros, poles = torch.cat([torch.ones(2, 1), coefficients], dim=1)
    return lfilter(wav, poles, zeros, clamp=False)
