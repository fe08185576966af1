"""An audio file to read: as a stream, block by block."""

import logging
import os

import soundfile
import torch

from speechbrain_semamba.dataio.audio_formats import name_for_libsndfile
from speechbrain_semamba.dataio.audio_headers import count_missing_bytes

logger = logging.getLogger(__name__)

#: Numbers of a block, over all channels
BLOCK = 2**20
#: A header may promise any number, and a stream holds seconds of each
MAX_CHANNELS = 64
#: What libsndfile says of a FLAC file that was written into a pipe
UNKNOWN = 2**63 - 1


class AudioSource:
    """A file that can be read as a stream, as often as need be.

    Arguments
    ---------
    path : str
        A file of any format that libsndfile reads.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not readable as audio, or empty; if its header does not say
        how long it is.

    Example
    -------
    >>> path = getfixture("tmp_path") / "a.wav"
    >>> soundfile.write(path, torch.zeros(100, 2).numpy(), 16000)
    >>> source = AudioSource(path)
    >>> source.channels, source.rate, source.seconds
    (2, 16000, 0.00625)
    >>> sum(block.shape[1] for block in source.blocks())
    100
    """

    def __init__(self, path):
        self.path = path
        if not os.path.isfile(path):
            raise FileNotFoundError(f"there is no file {path}")
        with self._open() as file:
            self.rate, self.channels = file.samplerate, file.channels
            self.frames, self.subtype = file.frames, file.subtype
            self.format = file.format
        if self.frames == 0:
            raise self._empty()
        if self.frames == UNKNOWN:
            raise ValueError(
                f"{path} does not say how long it is, as if it had been "
                "written into a pipe; write it anew as a file"
            )
        if self.channels > MAX_CHANNELS:
            raise ValueError(
                f"{path} has {self.channels} channels; at most {MAX_CHANNELS} "
                "are handled, split it"
            )

    @property
    def seconds(self):
        """Duration, by the header."""
        return self.frames / self.rate

    def blocks(self):
        """Reads the file.

        Yields
        ------
        torch.Tensor
            Waveforms [channels, samples], float32.

        Raises
        ------
        ValueError
            If the file ends in what is not readable, or begins so.
        """
        if missing := count_missing_bytes(self.path):
            logger.warning(
                "%s is cut short: its header promises %d more bytes",
                self.path,
                missing,
            )
        with self._open() as file:
            is_empty = True
            while True:
                try:
                    block = file.read(
                        BLOCK // self.channels, "float32", always_2d=True
                    )
                except soundfile.SoundFileError as error:
                    raise self._unreadable(error) from error
                if len(block) == 0 and is_empty:
                    raise self._empty()
                if len(block) == 0:
                    return
                is_empty = False
                yield torch.from_numpy(block).T.contiguous()

    def _open(self):
        try:
            return soundfile.SoundFile(name_for_libsndfile(self.path))
        # of a .raw file it wants to be told what it holds
        except (soundfile.SoundFileError, TypeError) as error:
            raise self._unreadable(error) from error

    def _empty(self):
        return ValueError(f"{self.path} is empty: it holds 0 samples")

    def _unreadable(self, error):
        reason = str(getattr(error, "error_string", error)).strip()
        return ValueError(f"{self.path} is not readable as audio: {reason}")
