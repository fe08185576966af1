"""What visitors of the demo page may send, and what they get for it."""

import os
import tempfile
import time
from dataclasses import dataclass
from typing import Any

from speechbrain_semamba.dataio.audio_files import read_audio_file
from speechbrain_semamba.dataio.audio_source import AudioSource
from speechbrain_semamba.evaluation.figures import spectrogram_figure
from speechbrain_semamba.inference.models import find_model, load_model


@dataclass(frozen=True)
class Enhanced:
    """What became of an upload.

    Arguments
    ---------
    path : str
        The enhanced file: of the upload's rate, length and channels.
    figure : matplotlib.figure.Figure
        Spectrograms of both, of all channels together.
    note : str
        How long it took, in Markdown.
    """

    path: str
    figure: Any
    note: str


class UploadEnhancer:
    """Enhances what visitors send, within limits.

    Arguments
    ---------
    models : list of str
        What ``semamba enhance --model`` takes; the first is loaded at once,
        the others when somebody asks for them.
    folder : str
        Takes the enhanced files.
    max_seconds : float
        Longest upload, all its channels together.
    device, precision : str
        As for ``load_model``.

    Raises
    ------
    ValueError, OSError
        If there is no such model, or it is damaged.

    Example
    -------
    >>> import soundfile, torch
    >>> folder = getfixture("tmp_path")
    >>> enhance = UploadEnhancer([str(getfixture("model_folder"))], folder)
    >>> soundfile.write(folder / "a.wav", torch.randn(1600).numpy() / 9, 16000)
    >>> enhanced = enhance(str(folder / "a.wav"))
    >>> AudioSource(enhanced.path).seconds
    0.1
    """

    def __init__(
        self, models, folder, max_seconds=300.0, device="cpu", precision="auto"
    ):
        self.folder, self.max_seconds = folder, max_seconds
        self._sources = {name: find_model(name) for name in models}
        self._computing = device, precision
        self._loaded = {}
        self._load(models[0])

    @property
    def models(self):
        """Names to choose from, the first one the default."""
        return list(self._sources)

    def __call__(self, path, model=None, pcs=False):
        """Enhances an upload.

        Arguments
        ---------
        path : str
            The uploaded file.
        model : str
            One of ``models``; None for the first.
        pcs : bool
            Whether to stretch the contrast (``processing.pcs``).

        Returns
        -------
        Enhanced
            See there.

        Raises
        ------
        ValueError
            If the upload is no audio, too long or damaged; names it as the
            visitor does.
        """
        name = os.path.basename(path)
        try:
            source = AudioSource(path)
            self._check_duration(source, name)
            enhancer = self._load(model or self.models[0])
            folder = tempfile.mkdtemp(dir=self.folder)
            target = os.path.join(folder, f"{os.path.splitext(name)[0]}.wav")
            begin = time.perf_counter()
            enhancer.enhance_file(path, target, pcs="peak" if pcs else None)
            took = time.perf_counter() - begin
            return Enhanced(
                target, compare(path, target), describe(source, took)
            )
        except (OSError, ValueError) as error:
            # where the server keeps it is none of the visitor's business
            message = str(error)
            for folder in (os.path.dirname(path), str(self.folder)):
                message = message.replace(folder + os.sep, "")
            raise ValueError(message) from error

    def _check_duration(self, source, name):
        seconds = source.seconds * source.channels
        if seconds > self.max_seconds:
            raise ValueError(
                f"an upload has at most {self.max_seconds:g} s, all channels "
                f"together; {name} has {seconds:.0f} s; cut it, or take "
                "'semamba enhance'"
            )

    def _load(self, model):
        if model not in self._loaded:
            source = self._sources[model]
            self._loaded[model] = load_model(source, *self._computing)
        return self._loaded[model]


def compare(noisy, enhanced):
    """Draws two files side by side, each the mean of its channels.

    Arguments
    ---------
    noisy, enhanced : str
        Audio files.

    Returns
    -------
    matplotlib.figure.Figure
        Their waveforms and spectrograms.

    Example
    -------
    >>> import torch
    >>> from speechbrain_semamba.dataio.audio_files import write_audio_file
    >>> path = getfixture("tmp_path") / "a.wav"
    >>> write_audio_file(path, torch.randn(1, 1600) / 9, 16000)
    >>> [panel.get_title() for panel in compare(path, path).axes[:2]]
    ['noisy', 'enhanced']
    """
    waves = {}
    for title, path in {"noisy": noisy, "enhanced": enhanced}.items():
        wav, rate = read_audio_file(path)
        waves[title] = wav.mean(0)
    return spectrogram_figure(waves, rate)


def describe(source, took):
    """Says how long an enhancement took.

    Arguments
    ---------
    source : AudioSource
        What was enhanced.
    took : float
        In seconds.

    Returns
    -------
    str
        A line of Markdown.

    Example
    -------
    >>> from types import SimpleNamespace
    >>> describe(SimpleNamespace(seconds=4.0, channels=2, rate=8000), 2.0)
    '4.0 s, 8000 Hz, channels: 2; took 2.00 s: **real-time factor 0.25** for each channel'
    """
    audio = source.seconds * source.channels
    note = (
        f"{source.seconds:.1f} s, {source.rate} Hz, channels: "
        f"{source.channels}; took {took:.2f} s: "
        f"**real-time factor {took / audio:.2f}**"
    )
    return note + (" for each channel" if source.channels > 1 else "")
