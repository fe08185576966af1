"""Folders of a few short files that scores take for speech."""

import soundfile
from speech_like import syllables, with_noise

NAMES = "p1/a", "p1/b", "p2/c"
#: Of each file, from the quietest noise to the loudest
LEVELS = 0.01, 0.02, 0.05


def write_waves(folder, waves, rate=16000):
    """Writes float WAV files, each under its name."""
    for name, wave in waves.items():
        path = folder / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, wave, rate, "FLOAT")
    return folder


def make_waves(samples=16000):
    """For each kind its waves by name; what is enhanced is halfway clean."""
    clean = {n: syllables(samples, seed) for seed, n in enumerate(NAMES)}
    noisy = {
        name: with_noise(clean[name], level, seed=10 + seed)
        for seed, (name, level) in enumerate(zip(NAMES, LEVELS))
    }
    enhanced = {name: (clean[name] + noisy[name]) / 2 for name in NAMES}
    return {"clean": clean, "enhanced": enhanced, "noisy": noisy}


def make_corpus(root, samples=16000):
    """Writes clean, enhanced and noisy files; returns their folders."""
    kinds = make_waves(samples)
    return {k: write_waves(root / k, waves) for k, waves in kinds.items()}
