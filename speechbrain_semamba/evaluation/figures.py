"""Waveforms and spectrograms of several waves, side by side."""

import logging
import textwrap
from pathlib import Path

import torch

from speechbrain_semamba.processing.spectral import MagPhaseSTFT
from speechbrain_semamba.utils.extras import import_extra
from speechbrain_semamba.utils.whole_files import check_file_name, whole_file

#: What lies further below the loudest point is black
RANGE_DB = 70
#: In inches: as wide as a README is shown, whatever there is to see
WIDTH, NARROWEST, HEIGHT = 8.4, 1.8, 3.9
#: Of an inch
DOTS = 120
#: Frames are that long, in seconds, and a quarter of it apart
FRAME = 0.025


def spectrogram_figure(waves, sample_rate):
    """Draws waves side by side: levels over time and frequency.

    All share one scale of levels, of time and of amplitude.

    Arguments
    ---------
    waves : dict
        For each title a torch.Tensor [samples].
    sample_rate : int
        In Hz; or one for each title.

    Returns
    -------
    matplotlib.figure.Figure
        To be saved by its ``savefig``.

    Raises
    ------
    ImportError
        If matplotlib is missing; names the extra.

    Example
    -------
    >>> waves = {name: torch.randn(1600) for name in ("noisy", "clean")}
    >>> figure = spectrogram_figure(waves, 16000)
    >>> [panel.get_title() for panel in figure.axes[:2]]
    ['noisy', 'clean']
    """
    rates = sample_rate
    if not isinstance(rates, dict):
        rates = dict.fromkeys(waves, sample_rate)
    waves = {title: wave.detach().cpu() for title, wave in waves.items()}
    levels = {t: level_db(wave, rates[t]) for t, wave in waves.items()}
    top = max(level.max().item() for level in levels.values())
    width = max(WIDTH, NARROWEST * len(waves))
    figure = new_figure(figsize=(width, HEIGHT), layout="constrained")
    panels = figure.subplots(
        2,
        len(waves),
        sharex=True,
        sharey="row",
        squeeze=False,
        gridspec_kw={"height_ratios": [1, 2.2]},
    )
    for column, (title, wave) in enumerate(waves.items()):
        _draw_waveform(panels[0, column], wave, rates[title])
        image = _draw_levels(panels[1, column], levels[title], rates[title])
        image.set_clim(top - RANGE_DB, top)
        narrow = textwrap.fill(title, 66 // len(waves) + 1)
        panels[0, column].set_title(narrow)
        panels[1, column].set_xlabel("time (s)")
    # each panel has set them to its own
    seconds = max(len(wave) / rates[title] for title, wave in waves.items())
    panels[1, 0].set(xlim=(0, seconds), ylim=(0, max(rates.values()) / 2))
    panels[0, 0].set_ylabel("amplitude")
    panels[1, 0].set_ylabel("frequency (Hz)")
    figure.colorbar(
        image, ax=list(panels[1]), label="level (dB)", pad=0.01, aspect=15
    )
    return figure


def new_figure(**options):
    """A figure to draw on, of the extra ``eval``.

    Arguments
    ---------
    **options
        As for ``matplotlib.figure.Figure``.

    Returns
    -------
    matplotlib.figure.Figure
        Empty.

    Example
    -------
    >>> new_figure(figsize=(1, 1)).axes
    []
    """
    figures = import_extra("matplotlib.figure", "Pictures", "eval")
    # a recipe logs all that it hears: hundreds of lines about fonts
    logging.getLogger("matplotlib").setLevel(logging.WARNING)
    return figures.Figure(**options)


def check_picture_name(path):
    """Whether a picture of this name can be written, before the work is done.

    Arguments
    ---------
    path : str
        The name; its ending gives the format.

    Raises
    ------
    ValueError
        If the ending names no format that matplotlib writes.
    ImportError
        If matplotlib is missing; names the extra.
    OSError
        If the folder is not there or cannot be written to, or the name is
        that of a folder or too long.

    Example
    -------
    >>> check_picture_name("spectrograms.png")
    """
    bases = import_extra("matplotlib.backend_bases", "Pictures", "eval")
    known = bases.FigureCanvasBase.get_supported_filetypes()
    ending = Path(path).suffix
    if ending[1:].lower() not in known:
        raise ValueError(
            "the ending of a picture names its format, such as .png or .svg, "
            f"but {Path(path).name!r} ends in {ending!r}"
        )
    check_file_name(path)


def write_figure(figure, path):
    """Writes a picture; it has its name only when it is complete.

    Arguments
    ---------
    figure : matplotlib.figure.Figure
        What to write.
    path : str
        The name; its ending gives the format.

    Example
    -------
    >>> path = getfixture("tmp_path") / "a.png"
    >>> figure = spectrogram_figure({"a": torch.randn(1600)}, 16000)
    >>> write_figure(figure, path)
    >>> path.read_bytes()[1:4]
    b'PNG'
    """
    with whole_file(path) as partial:
        figure.savefig(partial, dpi=DOTS)


def level_db(wave, sample_rate):
    """Levels of a wave in short frames.

    Arguments
    ---------
    wave : torch.Tensor
        [samples].
    sample_rate : int
        In Hz.

    Returns
    -------
    torch.Tensor
        In dB, 0 for a sine of full scale [freq, frames].

    Example
    -------
    >>> wave = torch.sin(torch.pi / 4 * torch.arange(16000))
    >>> level_db(wave, 16000)[:, 80].max().round()
    tensor(0.)
    """
    frame = max(4, round(FRAME * sample_rate))
    stft = MagPhaseSTFT(frame, frame // 4, frame, compression=1.0)
    mag = stft.analyze(wave[None].float())[0][0].T
    tiny = torch.finfo(mag.dtype).tiny
    return 20 * (2 * mag / stft.window.sum()).clamp(min=tiny).log10()


def _draw_waveform(panel, wave, rate):
    # drawn as the range of every few samples: a line of millions is slow
    step = -(-len(wave) // 800)
    parts = wave.split(step)
    low = [part.min().item() for part in parts]
    high = [part.max().item() for part in parts]
    times = [step * i / rate for i in range(len(parts))]
    panel.fill_between(times, low, high, step="post", linewidth=0.5)


def _draw_levels(panel, level, rate):
    hop = max(4, round(FRAME * rate)) // 4
    return panel.imshow(
        level.numpy(),
        extent=(0, level.shape[1] * hop / rate, 0, rate / 2),
        origin="lower",
        aspect="auto",
        cmap="magma",
    )
