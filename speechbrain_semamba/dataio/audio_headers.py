"""What many audio files are like, by their headers; what is wrong with them."""

import os
import struct
from concurrent.futures import ThreadPoolExecutor

from speechbrain.dataio import audio_io

from speechbrain_semamba.utils.messages import Faults, listed
from speechbrain_semamba.utils.progress import progress_bar

#: Before the samples of a WAV file; recordings have a few
MAX_CHUNKS = 1000


def file_id(path, folder):
    """What a file is called in manifests.

    Arguments
    ---------
    path : pathlib.Path
        The file.
    folder : pathlib.Path
        A folder above it.

    Returns
    -------
    str
        Its path below the folder, without the ending.

    Example
    -------
    >>> from pathlib import Path
    >>> file_id(Path("clean/p226/a.b.wav"), Path("clean"))
    'p226/a.b'
    """
    return path.relative_to(folder).with_suffix("").as_posix()


def read_headers(paths, desc="Checking"):
    """Reads the headers of many mono files, in threads.

    Arguments
    ---------
    paths : list of pathlib.Path
        The files.
    desc : str
        Title of the progress bar, shown if it takes over a second.

    Returns
    -------
    list of tuple
        For each file in order its header (``frames``, ``sample_rate``,
        ``channels``, ``subtype``, ``format``) and None; or None and a str
        that says what is wrong with it.

    Example
    -------
    >>> from pathlib import Path
    >>> header, fault = read_headers([Path("absent.wav")])[0]
    >>> header is None, fault.split()[0]
    (True, 'unreadable')
    """
    with ThreadPoolExecutor() as pool:
        results = pool.map(_read_header, paths)
        return list(progress_bar(results, desc, len(paths), delay=1))


def _read_header(path):
    """Returns (header, None), or (None, what is wrong with the file)."""
    try:
        header = audio_io.info(path)
        if header.frames == 0:
            return None, "empty (0 samples)"
        if header.channels != 1:
            return None, f"not mono ({header.channels} channels)"
        missing = count_missing_bytes(path)
        if missing:
            return None, f"unreadable (truncated by {missing} bytes)"
        if header.format == "FLAC":
            # Its header cannot tell whether the end is there.
            audio_io.load(path, frame_offset=header.frames - 1, num_frames=1)
    except (RuntimeError, OSError) as error:
        reason = getattr(error.__cause__, "error_string", error)
        return None, f"unreadable ({reason})"
    return header, None


def count_missing_bytes(path):
    """How many bytes of its samples a WAV file lacks.

    libsndfile takes a truncated WAV file for a shorter one without a word.

    Arguments
    ---------
    path : str
        An audio file.

    Returns
    -------
    int
        0 of other formats, and where the header does not say the length.

    Example
    -------
    >>> import soundfile
    >>> path = getfixture("tmp_path") / "a.wav"
    >>> soundfile.write(path, [0.0] * 100, 16000)
    >>> _ = path.write_bytes(path.read_bytes()[:-20])
    >>> count_missing_bytes(path)
    20
    """
    with open(path, "rb") as file:
        if not file.read(12).startswith(b"RIFF"):
            return 0
        for _ in range(MAX_CHUNKS):
            if len(chunk := file.read(8)) < 8:
                return 0
            name, length = struct.unpack("<4sI", chunk)
            if name == b"data":
                end = file.tell() + length
                # Who writes into a pipe puts a huge length: unknown.
                is_known = length < 0x7FFF0000
                return max(0, end - os.path.getsize(path)) * is_known
            file.seek(length + length % 2, os.SEEK_CUR)
    return 0


def raise_faults(faults, rule):
    """Raises one error for all that is wrong with a corpus, if anything is.

    Arguments
    ---------
    faults : list of str
        One line a fault; the first 20 are shown.
    rule : str
        What files have to be like, and the way out.

    Raises
    ------
    Faults
        If there is a fault; a ValueError.

    Example
    -------
    >>> raise_faults(["a.wav: empty"], "Files hold sound.")
    Traceback (most recent call last):
    speechbrain_semamba.utils.messages.Faults: The corpus has 1 faults. Files hold sound.
    a.wav: empty
    """
    if not faults:
        return
    raise Faults(
        f"The corpus has {len(faults)} faults. {rule}\n{listed(faults)}"
    )
