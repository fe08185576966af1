"""Audio files in and out: errors in words, nothing half-written."""

import logging
import os
from pathlib import Path

import soundfile
from speechbrain.dataio import audio_io

from speechbrain_semamba.dataio.audio_headers import count_missing_bytes
from speechbrain_semamba.utils.messages import first_line
from speechbrain_semamba.utils.whole_files import check_file_name, whole_file

logger = logging.getLogger(__name__)

#: Encodings to take over from another file; what else a format has, such as
#: MP3 inside WAV, libsndfile may read without being able to write it
LOSSLESS = ("PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")
LOSSY = {"OGG": "OPUS"}
#: Encodings that hold samples above full scale
FLOATS = "FLOAT", "DOUBLE"


def read_audio_file(path):
    """Reads a whole file.

    Arguments
    ---------
    path : str
        A file of any format that libsndfile reads.

    Returns
    -------
    wav : torch.Tensor
        Waveforms [channels, samples], float32.
    rate : int
        In Hz.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not readable as audio, or empty.

    Example
    -------
    >>> import torch
    >>> path = getfixture("tmp_path") / "a.wav"
    >>> write_audio_file(path, torch.zeros(2, 100), 16000)
    >>> wav, rate = read_audio_file(path)
    >>> wav.shape, rate
    (torch.Size([2, 100]), 16000)
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f"there is no file {path}")
    try:
        wav, rate = audio_io.load(str(path))
    except (RuntimeError, soundfile.SoundFileError) as error:
        reason = str(error).strip().split("\n")[0]
        raise ValueError(
            f"{path} is not readable as audio: {reason}"
        ) from error
    if wav.shape[1] == 0:
        raise ValueError(f"{path} is empty: it holds 0 samples")
    if missing := count_missing_bytes(path):
        logger.warning(
            "%s is cut short: its header promises %d more bytes", path, missing
        )
    return wav.contiguous(), rate


def check_audio_name(path):
    """Whether a file of this name can be written, before the work is done.

    Arguments
    ---------
    path : str
        The name; its ending gives the format.

    Returns
    -------
    str
        libsndfile's name of the format.

    Raises
    ------
    ValueError
        If the ending names no format that libsndfile writes.
    OSError
        As ``check_file_name``.

    Example
    -------
    >>> check_audio_name("enhanced.flac")
    'FLAC'
    """
    path = Path(path)
    name = path.suffix[1:].upper()
    if name not in soundfile.available_formats():
        raise ValueError(
            f"the ending of an output file names its format, such as .wav or "
            f".flac, but {path.name!r} ends in {path.suffix!r}"
        )
    check_file_name(path)
    return name


def write_audio_file(path, wav, rate, like=None):
    """Writes a whole file; it has its name only when it is complete.

    Arguments
    ---------
    path : str
        The name; its ending gives the format.
    wav : torch.Tensor
        Waveforms [channels, samples].
    rate : int
        In Hz.
    like : str
        A file whose encoding (16 bits, float, ...) is taken over where the
        format has it.

    Raises
    ------
    ValueError
        As ``check_audio_name``.
    OSError
        As ``check_audio_name``, or if the file cannot be written.
    """
    name = check_audio_name(path)
    path = Path(path)
    wanted = soundfile.info(str(like)).subtype if like else None
    kept = wanted in LOSSLESS or LOSSY.get(name) == wanted
    subtype = soundfile.default_subtype(name)
    if kept and soundfile.check_format(name, wanted):
        subtype = wanted
    if subtype not in FLOATS and wav.abs().max() > 1:
        logger.warning(
            "%s: peak %.2f is above full scale and was clipped%s",
            path,
            wav.abs().max(),
            "; a .wav keeps floats" if wanted in FLOATS else "",
        )
    try:
        with whole_file(path) as partial:
            audio_io.save(str(partial), wav, rate, subtype=subtype)
    except RuntimeError as error:
        reason = first_line(error.__cause__ or error)
        raise OSError(f"{path} could not be written: {reason}") from error
