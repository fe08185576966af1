"""An audio file to write: from a stream, never half of it under its name."""

import contextlib
import logging
import shutil
import tempfile
from pathlib import Path

import soundfile
import torch

from speechbrain_semamba.dataio.audio_formats import (
    ENCODINGS,
    check_audio_name,
    check_encoding,
    name_for_libsndfile,
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

    def check_room(self, frames):
        """Whether the disk has the room, as far as that can be told.

        Arguments
        ---------
        frames : int
            Samples of each channel that are to come.

        Raises
        ------
        OSError
            If it has not.
        """
        if self.format == "FLAC":
            return  # smaller, nobody knows by how much
        needed = self._bytes(frames)
        free = shutil.disk_usage(self.path.parent).free
        if needed > free:
            raise OSError(
                f"{self.path} needs {needed / 1e6:,.1f} MB, but its disk has "
                f"{free / 1e6:,.1f} MB left; free some, or name another place"
            )

    def _bytes(self, frames):
        return frames * self.channels * LOSSLESS.get(self.subtype, 0)

    def write(self, blocks, frames=0):
        """Writes the file; it has its name only when it is complete.

        Arguments
        ---------
        blocks : iterable of torch.Tensor
            Waveforms [channels, samples]. The file is opened before the
            first of them is asked for.
        frames : int
            About how many samples of each channel will come.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        large = self.format == "WAV" and self._bytes(frames) > LARGEST_WAV
        container = "RF64" if large else self.format
        kind = self.rate, self.channels, self.subtype, None, container
        with whole_file(self.path) as partial:
            with self._in_words():
                name = name_for_libsndfile(partial)
                file = soundfile.SoundFile(name, "w", *kind)
            with file:
                for block in blocks:
                    self._write_block(file, block)
                with self._in_words():
                    file.flush()
        self._tell_limited()

    def _write_block(self, file, block):
        self.peak = max(self.peak, block.abs().max().item())
        if self.subtype not in FLOATS:
            self.limited += (block.abs() > 1).sum().item()
            block = block.clamp(-1, 1)
        with self._in_words():
            file.write(block.T.numpy())

    def _tell_limited(self):
        if self.limited:
            logger.warning(
                "%s: peak %.2f is above full scale and was clipped%s",
                self.path,
                self.peak,
                "; a .wav keeps floats" if self.like in FLOATS else "",
            )

    @contextlib.contextmanager
    def _in_words(self):
        try:
            yield
        except (soundfile.SoundFileError, RuntimeError) as error:
            reason = first_line(getattr(error, "error_string", error))
            raise OSError(
                f"{self.path} could not be written: {reason}"
            ) from error


def scaled_to_peak(blocks, folder=None):
    """Scales a stream to a peak of 1, which is known only at its end.

    Arguments
    ---------
    blocks : iterable of torch.Tensor
        Waveforms [channels, samples], float32.
    folder : str
        Where they lie meanwhile, in a file without a name.

    Yields
    ------
    torch.Tensor
        The same blocks, scaled; silence stays silence.

    Example
    -------
    >>> [x.tolist() for x in scaled_to_peak(torch.tensor([[0.25, 0.5]]).split(1, 1))]
    [[[0.5]], [[1.0]]]
    """
    shapes, peak = [], 0.0
    with tempfile.TemporaryFile(dir=folder) as file:
        for block in blocks:
            peak = max(peak, block.abs().max().item())
            shapes.append(block.shape)
            file.write(block.numpy().tobytes())
        file.seek(0)
        for shape in shapes:
            block = torch.frombuffer(
                bytearray(file.read(4 * shape.numel())), dtype=torch.float32
            )
            yield block.view(shape) / (peak or 1.0)
