"""Files enhanced: long ones as streams, short ones in padded batches."""

import torch
from torch.nn.utils.rnn import pad_sequence

from speechbrain_semamba.dataio.audio_sink import AudioSink
from speechbrain_semamba.dataio.audio_source import AudioSource
from speechbrain_semamba.dataio.peak_scaling import WAITING, scaled_to_peak
from speechbrain_semamba.inference.jobs import naming
from speechbrain_semamba.inference.pipeline import (
    enhance_blocks,
    finish_blocks,
)
from speechbrain_semamba.processing.levels import RunningLevel
from speechbrain_semamba.processing.resampling import resample, resample_stream
from speechbrain_semamba.processing.waves import check_finite


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
        sink = open_sink(job.target, source, settings, job.subtype)
        blocks = stream_file(enhancer, source, settings)
        blocks = job.telling(blocks, sink.rate)
        sink.write(scaled(blocks, settings, sink.path.parent))
        job.limited = sink.limited


def _enhance_together(enhancer, jobs, settings):
    ready = []
    for job in jobs:
        with job.attempt():
            source = AudioSource(job.source)
            sink = open_sink(job.target, source, settings, job.subtype)
            noisy = torch.cat(list(_finite(source)), dim=1)
            wav = resample(noisy, source.rate, enhancer.sample_rate)
            ready.append((job, sink, noisy, source.rate, wav))
    try:
        enhanced = _in_one_batch(enhancer, [wav for *_, wav in ready])
    except (MemoryError, RuntimeError, ValueError):
        # alone each gets its own answer
        for job, *_ in ready:
            _enhance_alone(enhancer, job, settings)
        return
    for (job, sink, noisy, rate, wav), result in zip(ready, enhanced):
        pair = torch.stack([wav, result])
        blocks = finish_blocks(
            [noisy], [pair], rate, enhancer.sample_rate, settings
        )
        with job.attempt():
            blocks = job.telling(blocks, sink.rate)
            sink.write(scaled(blocks, settings, sink.path.parent))
            job.limited = sink.limited


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


def open_sink(path, source, settings, subtype=None):
    """The file that an enhanced one is to become, if its disk has the room.

    Arguments
    ---------
    path : str
        Its name.
    source : AudioSource
        The noisy file.
    settings : EnhancementSettings
        What is asked for.
    subtype : str
        Its encoding; None for that of the noisy file, where the format has
        it.

    Returns
    -------
    AudioSink
        Nothing is written yet.

    Raises
    ------
    ValueError, OSError
        As ``AudioSink`` and its ``check_room``.
    """
    rate = settings.sample_rate or source.rate
    sink = AudioSink(path, rate, source.channels, subtype, source.subtype)
    waiting = WAITING if settings.pcs == "peak" else 0
    sink.check_room(round(source.seconds * rate), waiting)
    return sink


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
        The enhanced file [channels, samples] at the rate that is asked for,
        to be ``scaled`` yet.

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


def scaled(blocks, settings, folder=None):
    """The last step, if it is asked for: a peak of 1.

    Arguments
    ---------
    blocks : iterable of torch.Tensor
        A stream [channels, samples].
    settings : EnhancementSettings
        What is asked for.
    folder : str
        Where it may wait until its peak is known; None for the system's.

    Returns
    -------
    iterable of torch.Tensor
        The stream, scaled or as it is.
    """
    is_scaled = settings.pcs == "peak"
    return scaled_to_peak(blocks, folder) if is_scaled else blocks


def _finite(source):
    for block in source.blocks():
        try:
            check_finite(block, "samples")
        except ValueError as error:
            raise ValueError(naming(source.path, error)) from error
        yield block
