"""Draws the spectrograms of noisy, enhanced and clean speech, side by side."""

import torch
from matplotlib.figure import Figure
from speechbrain.dataio.dataio import read_audio

from speechbrain_semamba.processing.spectral import MagPhaseSTFT

SAMPLE_RATE = 16000
#: What lies further below the loudest point is black
RANGE_DB = 70


def draw_spectrograms(files, picture):
    """Draws the levels over time and frequency, all on one scale.

    Arguments
    ---------
    files : dict
        For each title an audio file, all of one length.
    picture : str
        The image file to write.
    """
    levels = {title: _levels(path) for title, path in files.items()}
    top = max(level.max().item() for level in levels.values())
    # as wide as a README is shown
    figure = Figure(figsize=(8.4, 2.7), layout="constrained")
    panels = figure.subplots(1, len(levels), sharey=True)
    for panel, (title, level) in zip(panels, levels.items()):
        seconds = level.shape[1] * MagPhaseSTFT().hop_length / SAMPLE_RATE
        image = panel.imshow(
            (level - top).numpy(),
            extent=(0, seconds, 0, SAMPLE_RATE / 2000),
            origin="lower",
            aspect="auto",
            cmap="magma",
            vmin=-RANGE_DB,
            vmax=0,
        )
        panel.set_title(title)
        panel.set_xlabel("time (s)")
    panels[0].set_ylabel("frequency (kHz)")
    figure.colorbar(image, ax=panels, label="level (dB)", pad=0.01)
    figure.savefig(picture, dpi=120)


def _levels(path):
    """Levels in dB [freq, frames] of a mono file."""
    stft = MagPhaseSTFT()
    mag, _ = stft.analyze(read_audio(str(path))[None])
    mag = mag[0].T ** (1 / stft.compression)
    return 20 * mag.clamp(min=torch.finfo(mag.dtype).tiny).log10()
