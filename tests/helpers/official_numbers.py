"""The official implementation's numbers, and what they are compared with."""

import torch
from places import OFFICIAL

from speechbrain_semamba.processing.levels import rms_gain
from speechbrain_semamba.processing.spectral import MagPhaseSTFT

#: As in tests/reference/make_compact.py
STRIDE, SAMPLES = 16, 8


def load_official():
    """The content of official.pt, a dict."""
    return torch.load(OFFICIAL, weights_only=True)


def noisy_wave(official, dtype):
    """The one second [1, samples]."""
    return official["noisy"][None].to(dtype) / 2**15


def noisy_spectrum(official, dtype):
    """As the official code met it: with its signs of the phase."""
    noisy = noisy_wave(official, dtype)
    mag, phase = MagPhaseSTFT().to(dtype).analyze(noisy * rms_gain(noisy))
    return mag, phase.abs() * official["noisy_sign"]


def relative_error(ours, theirs):
    """Norm of the difference over the norm."""
    return ((ours - theirs).norm() / theirs.norm()).item()


def rounding(dtype):
    """What rounding may do in a pass: the phase of a quiet bin is the angle
    of a small number that is what is left of large ones."""
    return 10000 * torch.finfo(dtype).eps
