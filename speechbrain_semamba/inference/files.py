"""Files enhanced: long ones as streams, short ones in padded batches."""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional

import torch
from torch.nn.utils.rnn import pad_sequence

from speechbrain_semamba.dataio.audio_sink import AudioSink, scaled_to_peak
from speechbrain_semamba.dataio.audio_source import AudioSource
from speechbrain_semamba.inference.pipeline import (
    enhance_blocks,
    finish_blocks,
)
from speechbrain_semamba.processing.levels import RunningLevel
from speechbrain_semamba.processing.resampling import resample, resample_stream
from speechbrain_semamba.processing.waves import check_finite
from speechbrain_semamba.utils.messages import first_line, is_out_of_memory


@dataclass
class Job:
    """A file to enhance, and what became of it.

    Arguments
    ---------
    source : str
        The noisy file.
    target : str
        The enhanced one.
    subtype : str
        Its encoding; None for that of the noisy file, where the format of
        the target has it.
    seconds : float
        Duration of the noisy file, by its header.
    channels : int
        Of the noisy file.
    limited : int
        Samples that were above full scale and were limited to it.
    error : str
        What went wrong, in one line; None if nothing did.
    tell : callable
        Called with the seconds of audio that were enhanced, again and again.
    """

    source: str
    target: str
    subtype: Optional[str] = None
    seconds: float = 0.0
    channels: int = 1
    limited: int = 0
    error: Optional[str] = None
    tell: Optional[Callable] = None

    def look(self):
        """Reads duration and channels; what is wrong becomes the error."""
        with self.attempt():
            source = AudioSource(self.source)
            self.seconds, self.channels = source.seconds, source.channels

    @contextlib.contextmanager
    def attempt(self):
        """A context in which what a user can mend becomes the error."""
        try:
            yield
        except (OSError, ValueError) as error:
            self.error = _naming(self.source, error)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            self.error = (
                f"{self.source}: out of memory; free some, or enhance in "
                "shorter windows or smaller batches (window_seconds, "
                "batch_seconds)"
            )


def enhance_jobs(enhancer, jobs, settings):
    """Enhances files; one that fails does not stop the others.

    What is no longer than a window goes through the network in padded
    batches of about one length, each file as it would alone.

    Arguments
    ---------
    enhancer : SEMambaEnhancement
        The model.
    jobs : list of Job
        The files, looked at.
    settings : EnhancementSettings
        What is asked for.

    Yields
    ------
    Job
        Each, when it is done; the longest come first.
    """
    yield from (job for job in jobs if job.error is not None)
    for group in _groups(jobs, settings):
        if len(group) > 1:
            _enhance_together(enhancer, group, settings)
        else:
            _enhance_alone(enhancer, group[0], settings)
        yield from group


def _groups(jobs, settings):
    """Jobs of about one length, as many as a batch may hold."""
    jobs = [job for job in jobs if job.error is None]
    group, rows, longest = [], 0, 0.0
    for job in sorted(jobs, key=lambda job: -job.seconds):
        rows += job.channels
        is_full = rows * longest > settings.batch_seconds
        if group and (is_full or longest > settings.window_seconds):
            yield group
            group, rows = [], job.channels
        if not group:
            longest = job.seconds
        group.append(job)
    if group:
        yield group


def _enhance_alone(enhancer, job, settings):
    with job.attempt():
        source = AudioSource(job.source)
        blocks = stream_file(enhancer, source, settings)
        _write(job, source, blocks, settings)


def _enhance_together(enhancer, jobs, settings):
    ready = []
    for job in jobs:
        with job.attempt():
            source = AudioSource(job.source)
            noisy = torch.cat(list(_finite(source)), dim=1)
            wav = resample(noisy, source.rate, enhancer.sample_rate)
            ready.append((job, source, noisy, wav))
    try:
        enhanced = _in_one_batch(enhancer, [wav for *_, wav in ready])
    except (MemoryError, RuntimeError, ValueError):
        # alone each gets its own answer
        for job, *_ in ready:
            _enhance_alone(enhancer, job, settings)
        return
    for (job, source, noisy, wav), result in zip(ready, enhanced):
        pair = torch.stack([wav, result])
        rates = source.rate, enhancer.sample_rate
        blocks = finish_blocks([noisy], [pair], *rates, settings)
        with job.attempt():
            _write(job, source, blocks, settings)


def _in_one_batch(enhancer, wavs):
    """Waves [channels, samples] of about one length, as they would be alone."""
    rows = [channel for wav in wavs for channel in wav]
    if not rows:
        return []
    sizes = torch.tensor([len(row) for row in rows])
    batch = pad_sequence(rows, batch_first=True)
    enhanced = enhancer.enhance_batch(batch, sizes.double() / sizes.max())
    parts = enhanced.cpu().split([len(wav) for wav in wavs])
    return [part[:, : wav.shape[1]] for part, wav in zip(parts, wavs)]


def stream_file(enhancer, source, settings):
    """Enhances a file as a stream.

    A file that is longer than a window is read twice: its level is that of
    the whole.

    Arguments
    ---------
    enhancer : SEMambaEnhancement
        The model.
    source : AudioSource
        The noisy file.
    settings : EnhancementSettings
        What is asked for.

    Returns
    -------
    iterable of torch.Tensor
        The enhanced file [channels, samples] at the rate that is asked for.

    Raises
    ------
    ValueError
        If the file holds a sample that is not finite, or cannot be read.
    """
    level = RunningLevel()
    if source.seconds > settings.window_seconds:
        rates = source.rate, enhancer.sample_rate
        for block in resample_stream(_finite(source), *rates):
            gain = level(block)

        def level(_):
            return gain

    return enhance_blocks(
        enhancer.enhance_at_level,
        _finite(source),
        source.rate,
        enhancer.sample_rate,
        settings,
        level,
    )


def _finite(source):
    for block in source.blocks():
        try:
            check_finite(block, "samples")
        except ValueError as error:
            raise ValueError(_naming(source.path, error)) from error
        yield block


def _write(job, source, blocks, settings):
    rate = settings.sample_rate or source.rate
    kind = job.subtype, source.subtype
    sink = AudioSink(job.target, rate, source.channels, *kind)
    frames = round(source.seconds * rate)
    sink.check_room(frames)
    blocks = _telling(job, blocks, rate)
    if settings.pcs == "peak":
        blocks = scaled_to_peak(blocks, Path(job.target).parent)
    sink.write(blocks, frames)
    job.limited = sink.limited


def _telling(job, blocks, rate):
    for block in blocks:
        if job.tell is not None:
            job.tell(block.shape[1] / rate)
        yield block


def _naming(path, error):
    """The message of an error, with the name of the file in it."""
    message = first_line(error)
    return message if str(path) in message else f"{path}: {message}"
