"""Resampled copies of files: in parallel, resumable, nothing half-written.

Nothing in a copy tells how it was resampled. Whoever changes
``processing.resampling`` has to delete the copies made before.
"""

import logging
import os

import torch
from speechbrain.dataio import audio_io

from speechbrain_semamba.dataio.audio_headers import read_headers
from speechbrain_semamba.processing.resampling import KAISER_BEST, resample
from speechbrain_semamba.utils.extras import import_extra
from speechbrain_semamba.utils.progress import progress_bar
from speechbrain_semamba.utils.whole_files import whole_file
from speechbrain_semamba.utils.workers import ONE_THREAD, InlineExecutor

logger = logging.getLogger(__name__)


def resample_files(targets, sample_rate, num_workers=None):
    """Makes resampled copies of mono files, except those that are there.

    A copy is a 16-bit WAV file, clipped at full scale, or a 32-bit float one
    if its source is float. It has its name only when it is complete, and the
    time of its source; it is made again if it is damaged or its source has
    another time.

    Arguments
    ---------
    targets : dict
        For each file (pathlib.Path) the name of its copy (pathlib.Path),
        whose folder is made if need be.
    sample_rate : int
        Rate of the copies, in Hz.
    num_workers : int
        Number of processes; 0 or 1 resamples in this process, None stands
        for one a core.

    Returns
    -------
    dict
        For each source, the number of samples of its copy.

    Raises
    ------
    ValueError
        If a source is unreadable, empty or not mono, or two have one target;
        no file is made then.
    ImportError
        If loky is missing.

    Example
    -------
    >>> from speechbrain_semamba.dataio.audio_files import write_audio_file
    >>> source = getfixture("tmp_path") / "a.wav"
    >>> target = getfixture("tmp_path") / "16k" / "a.wav"
    >>> write_audio_file(source, torch.zeros(1, 4801), 48000)
    >>> resample_files({source: target}, 16000, num_workers=1)[source]
    1601
    >>> audio_io.info(target).sample_rate
    16000
    """
    num_names = len(set(targets.values()))
    if num_names < len(targets):
        raise ValueError(
            "Each file needs a name of its own for its copy; found "
            f"{num_names} names for {len(targets)} files."
        )
    frames = {}
    headers = read_headers(targets, "Reading headers")
    for source, (header, fault) in zip(targets, headers):
        if fault:
            raise ValueError(f"{source} cannot be resampled: {fault}")
        # torchaudio rounds the length up.
        frames[source] = -(-header.frames * sample_rate // header.sample_rate)
    found = read_headers(targets.values(), "Looking for files")
    jobs = [
        (source, target, sample_rate)
        for (source, target), (header, _) in zip(targets.items(), found)
        if header is None
        or (header.frames, header.sample_rate) != (frames[source], sample_rate)
        or not _have_one_time(source, target)
    ]
    logger.info(
        "Resampling to %d Hz with %s: %d files, %d more are done already.",
        sample_rate,
        KAISER_BEST,
        len(jobs),
        len(targets) - len(jobs),
    )
    if jobs:
        _run_jobs(jobs, num_workers)
    return frames


def _have_one_time(source, target):
    """Whether two files have one time of modification.

    If so, the target was made from this very source, not from another copy
    of the corpus. FAT rounds to 2 seconds.
    """
    return abs(target.stat().st_mtime - source.stat().st_mtime) <= 2


def _run_jobs(jobs, num_workers):
    """Resamples files in parallel processes."""
    loky = import_extra("loky", "Resampled files")
    for folder in {target.parent for _, target, _ in jobs}:
        folder.mkdir(parents=True, exist_ok=True)
    if num_workers is None or num_workers > 1:
        executor = loky.ProcessPoolExecutor(num_workers, env=ONE_THREAD)
    else:
        executor = InlineExecutor()
    with executor:
        results = executor.map(_resample_file, *zip(*jobs))
        num_clipped = sum(progress_bar(results, "Resampling", len(jobs)))
    if num_clipped:
        logger.warning("Clipped at full scale: %d files.", num_clipped)


def _resample_file(source, target, sample_rate):
    """Resamples one file and returns whether samples had to be clipped."""
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with whole_file(target) as partial:
            is_clipped = _write_resampled(source, partial, sample_rate)
    finally:
        torch.set_num_threads(num_threads)
    return is_clipped


def _write_resampled(source, target, sample_rate):
    """Writes one copy and returns whether samples had to be clipped."""
    wav, rate = audio_io.load(source, dtype=torch.float32)
    wav = resample(wav, rate, sample_rate)
    subtype, is_clipped = "FLOAT", False
    if audio_io.info(source).subtype not in ("FLOAT", "DOUBLE"):
        wav = (wav * 2**15).round()
        limited = wav.clamp(-(2**15), 2**15 - 1)
        subtype, is_clipped = "PCM_16", not torch.equal(wav, limited)
        wav = limited.to(torch.int16)
    audio_io.save(target, wav, sample_rate, subtype=subtype)
    stat = source.stat()
    os.utime(target, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    return is_clipped
