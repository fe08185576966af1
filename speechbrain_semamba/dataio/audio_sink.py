"""An audio file to write: from a stream, never half of it under its name."""

import contextlib
import io
import logging
import os
import shutil
from pathlib import Path

import soundfile

from speechbrain_semamba.dataio.audio_formats import (
    ENCODINGS,
    check_audio_name,
    check_encoding,
)
from speechbrain_semamba.utils.messages import first_line
from speechbrain_semamba.utils.whole_files import whole_file

logger = logging.getLogger(__name__)

#: Bytes of a sample, of the encodings that may be taken over from another
#: file; what else a format has, such as MP3 inside WAV, libsndfile may read
#: without being able to write it
LOSSLESS = {
    "PCM_S8": 1,
    "PCM_U8": 1,
    "PCM_16": 2,
    "PCM_24": 3,
    "PCM_32": 4,
    "FLOAT": 4,
    "DOUBLE": 8,
}
LOSSY = {"OGG": "OPUS"}
#: Encodings that hold samples above full scale
FLOATS = "FLOAT", "DOUBLE"
#: The header of a WAV file counts bytes in 32 bits
LARGEST_WAV = 2**32 - 2**16


class AudioSink:
    """A file to be written.

    Arguments
    ---------
    path : str
        The name; its ending gives the format.
    rate : int
        In Hz.
    channels : int
        At least 1.
    subtype : str
        The encoding to write (PCM_16, FLOAT, ...); None leaves the choice to
        ``like``.
    like : str
        An encoding that is taken over where the format has it.

    Raises
    ------
    ValueError
        If the ending names no format that libsndfile writes, or the format
        has no such encoding.
    OSError
        If the folder is not there or cannot be written to, or the name is
        that of a folder or too long.

    Example
    -------
    >>> import torch
    >>> path = getfixture("tmp_path") / "a.wav"
    >>> sink = AudioSink(path, 16000, channels=2, like="PCM_24")
    >>> sink.write([torch.zeros(2, 100), torch.full((2, 50), 1.5)])
    >>> soundfile.info(path).frames, soundfile.info(path).subtype, sink.limited
    (150, 'PCM_24', 100)
    """

    def __init__(self, path, rate, channels, subtype=None, like=None):
        self.format = check_audio_name(path)
        self.path = Path(path)
        self.rate, self.channels, self.like = rate, channels, like
        self.subtype = subtype or self._choose()
        check_encoding(path, self.subtype)
        self.frames = 0  # that are to come, as far as known
        #: Samples above full scale that the encoding could not hold
        self.limited, self.peak = 0, 0.0

    def _choose(self):
        by_ending = ENCODINGS.get(self.path.suffix[1:].upper())
        if by_ending is not None:
            return by_ending
        kept = self.like in LOSSLESS or LOSSY.get(self.format) == self.like
        if kept and soundfile.check_format(self.format, self.like):
            return self.like
        return soundfile.default_subtype(self.format)

    def check_room(self, frames, waiting=0):
        """Whether the disk has the room, as far as that can be told.

        Arguments
        ---------
        frames : int
            Samples of each channel that are to come.
        waiting : int
            Bytes that each of them takes in the same folder meanwhile.

        Raises
        ------
        OSError
            If it has not.
        """
        self.frames = frames
        needed = frames * self.channels * waiting
        if self.format != "FLAC":  # smaller, nobody knows by how much
            needed += self._bytes(frames)
        free = shutil.disk_usage(self.path.parent).free
        if needed > free:
            raise OSError(
                f"{self.path} needs {needed / 1e6:,.1f} MB, but its disk has "
                f"{free / 1e6:,.1f} MB left; free some, or name another place"
            )

    def _bytes(self, frames):
        return frames * self.channels * LOSSLESS.get(self.subtype, 0)

    def write(self, blocks):
        """Writes the file; it has its name only when it is complete.

        Arguments
        ---------
        blocks : iterable of torch.Tensor
            Waveforms [channels, samples]. The file is opened before the
            first of them is asked for.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        large = self.format == "WAV" and self._bytes(self.frames) > LARGEST_WAV
        container = "RF64" if large else self.format
        kind = self.rate, self.channels, self.subtype, None, container
        with whole_file(self.path) as partial, _Disk(partial, "w") as disk:
            with self._in_words(disk):
                file = soundfile.SoundFile(disk, "w", *kind)
            try:
                for block in blocks:
                    block = self._limit(block).T.numpy()
                    with self._in_words(disk):
                        file.write(block)
            finally:
                with self._in_words(disk):
                    file.close()
                    os.fsync(disk.fileno())
        self._tell_limited()

    def _limit(self, block):
        self.peak = max(self.peak, block.abs().max().item())
        if self.subtype not in FLOATS:
            self.limited += (block.abs() > 1).sum().item()
            block = block.clamp(-1, 1)
        return block

    def _tell_limited(self):
        if self.limited:
            logger.warning(
                "%s: peak %.2f is above full scale and was clipped%s",
                self.path,
                self.peak,
                "; a .wav keeps floats" if self.like in FLOATS else "",
            )

    @contextlib.contextmanager
    def _in_words(self, disk):
        try:
            yield
            if disk.error:
                raise disk.error
        except (soundfile.SoundFileError, RuntimeError, OSError) as error:
            reason = getattr(error, "error_string", None)
            reason = reason or getattr(error, "strerror", None) or error
            raise OSError(
                f"{self.path} could not be written: {first_line(reason)}"
            ) from error


class _Disk(io.FileIO):
    """What libsndfile writes to, and what the system said of it.

    The last frames of FLAC, OGG and MP3 it writes without a look at that.
    """

    error = None

    def write(self, data):
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[super().write(rest) :]
        except OSError as error:
            self.error = self.error or error
        return len(data)
