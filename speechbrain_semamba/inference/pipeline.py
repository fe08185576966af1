"""From a noisy stream to an enhanced one: rates, windows, PCS, mix."""

import math
from functools import partial
from itertools import islice

import torch

from speechbrain_semamba.inference.windows import cut_windows, join_windows
from speechbrain_semamba.processing.highs import top_band_gain
from speechbrain_semamba.processing.pcs import PerceptualContrastStretching
from speechbrain_semamba.processing.resampling import (
    PIECES_A_SECOND,
    resample_stream,
)
from speechbrain_semamba.processing.streams import in_pieces, in_step, in_two
from speechbrain_semamba.processing.waves import check_finite

#: Samples within which PCS and the top band's gain see, and more
CONTEXT = 800


def enhance_blocks(enhance, blocks, rate, model_rate, settings, level):
    """Enhances a stream; what comes out is as long as what goes in.

    Arguments
    ---------
    enhance : callable
        Maps noisy waveforms [batch, samples] at the model's rate and their
        gains [batch, 1] to enhanced waveforms of the same shape.
    blocks : iterable of torch.Tensor
        The stream [channels, samples].
    rate : int
        Its rate, in Hz.
    model_rate : int
        That of the model, in Hz.
    settings : EnhancementSettings
        What is asked for.
    level : callable
        As for ``cut_windows``.

    Returns
    -------
    iterable of torch.Tensor
        The stream [channels, samples] at the rate that is asked for.

    Raises
    ------
    ValueError
        If a rate is none that audio has; later, if a sample overflows.
    """
    if settings.sample_rate == model_rate:
        blocks, rate = resample_stream(blocks, rate, model_rate), model_rate
    raw, blocks = in_two(blocks)
    windows = cut_windows(
        resample_stream(blocks, rate, model_rate),
        level,
        # up: what is no longer is to be one window at any rate
        size=math.ceil(settings.window_seconds * model_rate),
        overlap=round(settings.overlap_seconds * model_rate),
    )
    most = round(settings.batch_seconds * model_rate)
    pairs = join_windows(
        _in_batches(enhance, windows, most),
        overlap=round(settings.overlap_seconds * model_rate),
    )
    return finish_blocks(raw, pairs, rate, model_rate, settings)


def _in_batches(enhance, windows, most):
    """Pairs of each ``Window`` and what it becomes, ``most`` samples at once."""
    first = next(windows, None)
    if first is None:
        return
    rows = max(1, most // first.noisy.shape[1])
    count = max(1, rows // len(first.noisy))
    group = [first, *islice(windows, count - 1)]
    while group:
        noisy = torch.cat([window.noisy for window in group])
        gains = torch.cat([window.gain for window in group])
        parts = map(enhance, noisy.split(rows), gains.split(rows))
        enhanced = torch.cat(list(parts)).chunk(len(group))
        yield from zip(group, enhanced)
        group = list(islice(windows, count))


def finish_blocks(raw, pairs, rate, model_rate, settings):
    """All that follows the network.

    Arguments
    ---------
    raw : iterable of torch.Tensor
        The noisy stream [channels, samples].
    pairs : iterable of torch.Tensor
        The noisy and the enhanced stream [2, channels, samples] at the
        model's rate.
    rate : int
        Of ``raw``, in Hz.
    model_rate : int
        That of the model, in Hz.
    settings : EnhancementSettings
        What is asked for.

    Returns
    -------
    iterable of torch.Tensor
        The stream [channels, samples] at the rate that is asked for.
    """
    out_rate = settings.sample_rate or rate
    keep_highs = settings.keep_highs and out_rate > model_rate
    pcs = None
    if settings.pcs:
        pcs = PerceptualContrastStretching(scale=None)
    if pcs or keep_highs:
        waves = in_pieces(
            pairs,
            partial(_stretch, pcs=pcs, keep_highs=keep_highs),
            context=CONTEXT,
            piece=model_rate // PIECES_A_SECOND,
            step=100,
        )
    else:
        waves = (pair[1:] for pair in pairs)
    raw = resample_stream(raw, rate, out_rate)
    waves = resample_stream(waves, model_rate, out_rate)
    return _mix(raw, waves, settings.noisy_share)


def _stretch(pair, pcs, keep_highs):
    """Local functions: the enhanced wave, and what keeping highs needs."""
    noisy, enhanced = pair
    waves = [enhanced if pcs is None else pcs(enhanced)]
    if keep_highs:
        waves += [noisy, top_band_gain(noisy, enhanced)]
    return torch.stack(waves)


def _mix(raw, waves, noisy_share):
    for noisy, (enhanced, *highs) in in_step(raw, waves):
        if highs:
            below, gain = highs
            enhanced = enhanced + gain * (noisy - below)
        mixed = torch.lerp(enhanced, noisy, noisy_share)
        check_finite(mixed, "enhanced samples", "; scale the input to -1 to 1")
        yield mixed
