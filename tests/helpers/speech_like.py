"""Signals that scores take for speech."""

import numpy as np


def syllables(samples=16000, seed=0, rate=16000):
    """Noise that comes and goes four times a second, as speech does."""
    rng = np.random.default_rng(seed)
    swell = np.sin(4 * np.pi * np.arange(samples) / rate) ** 2
    wav = 0.1 * swell * rng.standard_normal(samples)
    return wav.astype("float32")


def with_noise(wav, level, seed=1):
    noise = np.random.default_rng(seed).standard_normal(len(wav))
    return wav + level * noise.astype("float32")


SPEECH = syllables()
SILENCE = np.zeros(16000, dtype="float32")
