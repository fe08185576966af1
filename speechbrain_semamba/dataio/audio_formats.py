"""Names of audio files, and what formats libsndfile has for them."""

import functools
import io
import os
from pathlib import Path

import soundfile

from speechbrain_semamba.utils.whole_files import check_file_name

#: Endings that are not the format's name
ENDINGS = {"AIF": "AIFF", "OGA": "OGG", "OPUS": "OGG"}
#: Of these endings the encoding is another one than the format's own
ENCODINGS = {"OPUS": "OPUS"}

#: Without a header; a pair of files
UNFIT = "RAW", "SD2"


def format_of(path):
    """The format that a name stands for.

    Arguments
    ---------
    path : str
        Name of a file.

    Returns
    -------
    str
        libsndfile's name of the format, None if the ending names none. RAW
        is none, for such a file does not say what its samples are, nor SD2,
        which is a pair of files.

    Example
    -------
    >>> format_of("a.wav"), format_of("take.2/b.OGA"), format_of("c.txt")
    ('WAV', 'OGG', None)
    """
    ending = os.path.splitext(path)[1][1:].upper()
    name = ENDINGS.get(ending, ending)
    known = name not in UNFIT and name in soundfile.available_formats()
    return name if known else None


def name_for_libsndfile(path):
    """A name as libsndfile takes it, also one that is no valid text.

    Arguments
    ---------
    path : str
        Name of a file.

    Returns
    -------
    bytes or str
        The bytes that the system knows it by; on Windows it knows text.

    Example
    -------
    >>> name_for_libsndfile("a.wav") in (b"a.wav", "a.wav")
    True
    """
    return str(path) if os.name == "nt" else os.fsencode(path)


@functools.lru_cache(maxsize=None)
def can_write(format):
    """Whether libsndfile has an encoder, and not the decoder alone.

    Arguments
    ---------
    format : str
        libsndfile's name of the format.

    Returns
    -------
    bool
        Whether it writes speech, one channel at 16 kHz, in it.

    Example
    -------
    >>> can_write("FLAC"), can_write("RAW")
    (True, False)
    """
    try:
        kind = 16000, 1, soundfile.default_subtype(format), None, format
        soundfile.SoundFile(io.BytesIO(), "w", *kind).close()
    except (soundfile.SoundFileError, TypeError, ValueError):
        return False
    return True


def check_encoding(path, subtype):
    """Whether a file of this name can have an encoding.

    Arguments
    ---------
    path : str
        The name; its ending names a format.
    subtype : str
        libsndfile's name of the encoding, such as "PCM_16".

    Raises
    ------
    ValueError
        If it cannot; says what the format has.

    Example
    -------
    >>> check_encoding("a.flac", "PCM_24")
    >>> check_encoding("a.flac", "FLOAT")
    Traceback (most recent call last):
    ValueError: a.flac: FLAC has no encoding FLOAT; it has PCM_S8, PCM_16, PCM_24
    """
    name = format_of(path)
    if not soundfile.check_format(name, subtype):
        known = ", ".join(soundfile.available_subtypes(name))
        raise ValueError(
            f"{path}: {name} has no encoding {subtype}; it has {known}"
        )


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
        If the folder is not there or cannot be written to, or the name is
        that of a folder or too long.

    Example
    -------
    >>> check_audio_name("enhanced.flac")
    'FLAC'
    """
    path = Path(path)
    name = format_of(path)
    if name is None:
        raise ValueError(
            f"the ending of an output file names its format, such as .wav or "
            f".flac, but {path.name!r} ends in {path.suffix!r}"
        )
    check_file_name(path)
    return name
