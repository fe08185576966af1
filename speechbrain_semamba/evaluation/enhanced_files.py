"""The enhanced files of a test, to be heard and scored by other programs."""

from pathlib import Path

import torch

from speechbrain_semamba.dataio.audio_files import (
    read_audio_file,
    write_audio_file,
)
from speechbrain_semamba.processing.levels import rms_gain


class EnhancedFiles:
    """Keeps enhanced files, each named by its id.

    Arguments
    ---------
    folder : str
        Where; it is made when the first file comes.
    sample_rate : int
        Of the waves, in Hz.
    enabled : bool
        Whether to keep any.

    Example
    -------
    >>> folder = getfixture("tmp_path")
    >>> files = EnhancedFiles(folder / "enhanced")
    >>> write_audio_file(folder / "a.wav", 0.1 * torch.ones(1, 100), 16000)
    >>> files.write("a", torch.ones(100), noisy_file=folder / "a.wav")
    >>> read_audio_file(folder / "enhanced" / "a.wav")[0].max()
    tensor(0.1000)
    """

    def __init__(self, folder, sample_rate=16000, enabled=True):
        self.folder = Path(folder)
        self.sample_rate = sample_rate
        self.enabled = enabled

    def write(self, key, wave, noisy_file=None):
        """Writes one file whole.

        Arguments
        ---------
        key : str
            Its id.
        wave : torch.Tensor
            Enhanced speech [samples], of noisy speech with a power of 1.
        noisy_file : str
            The noisy file, whose level and encoding are taken over. Without
            one, the wave's peak becomes full scale.
        """
        if not self.enabled:
            return
        path = self.folder / f"{key}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        if noisy_file is None:
            scale = wave.abs().max().clamp(min=torch.finfo(wave.dtype).tiny)
        else:
            noisy, _ = read_audio_file(noisy_file)
            scale = rms_gain(noisy)
        write_audio_file(
            path, wave[None] / scale, self.sample_rate, like=noisy_file
        )
