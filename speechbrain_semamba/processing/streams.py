"""Streams: waves as iterators of blocks, so that no long one is held whole."""

from collections import deque
from itertools import chain, islice

import torch

from speechbrain_semamba.processing.waves import check_waves


def waves_of(blocks):
    """A stream as users hand it over, as one of waves.

    Arguments
    ---------
    blocks : iterable of torch.Tensor or numpy.ndarray
        All [channels, samples] or all [samples], of any floating type or
        PCM; empty ones do not count.

    Returns
    -------
    is_mono : bool
        Whether they are [samples].
    waves : iterable of torch.Tensor
        Waveforms [channels, samples], float32, on the CPU.

    Raises
    ------
    ValueError
        If a block is no wave, here or when its turn comes.

    Example
    -------
    >>> is_mono, waves = waves_of([torch.zeros(3), torch.zeros(2)])
    >>> is_mono, [wav.shape for wav in waves]
    (True, [torch.Size([1, 3]), torch.Size([1, 2])])
    """
    blocks = (torch.as_tensor(block).detach().cpu() for block in blocks)
    first = list(islice(blocks, 1))
    channels = first[0].shape[:-1] if first else ()
    waves = _checked(chain(first, blocks), channels)
    return channels == (), waves


def in_two(blocks):
    """A stream for two readers, who go at their own pace.

    A block is held until the second has it, and no longer, as
    ``itertools.tee`` would, which lets go of 57 at once.

    Arguments
    ---------
    blocks : iterable of torch.Tensor
        A stream.

    Returns
    -------
    tuple of iterable
        The same stream, twice.

    Example
    -------
    >>> first, second = in_two(torch.arange(4).split(2))
    >>> next(first).tolist(), next(second).tolist(), next(second).tolist()
    ([0, 1], [0, 1], [2, 3])
    """
    source, queues = iter(blocks), (deque(), deque())

    def reader(mine):
        while True:
            if not mine:
                try:
                    block = next(source)
                except StopIteration:
                    return
                for queue in queues:
                    queue.append(block)
                del block
            yield mine.popleft()

    return tuple(map(reader, queues))


def _checked(blocks, channels):
    for block in blocks:
        if block.dim() == 0 or block.shape[:-1] != channels:
            raise ValueError(
                "all blocks of a stream must be [samples] or all [channels, "
                f"samples], with {list(channels)} channels as the first, found "
                f"{list(block.shape)}"
            )
        if block.shape[-1]:
            yield check_waves(block if channels else block[None]).float()


def in_pieces(blocks, function, context, piece, step=1, ratio=1):
    """Applies a function to a stream piece by piece.

    What comes out is what the function makes of the whole, if a value of its
    result depends on nothing that is further away than ``context``.

    Arguments
    ---------
    blocks : iterable of torch.Tensor
        A stream [..., samples].
    function : callable
        Maps [..., samples] to [..., ceil(ratio * samples)].
    context : int
        In samples of the stream; how far the function sees, and how far the
        ends of what it is given may reach.
    piece : int
        Samples for each call, beside the context.
    step : int
        The function's grid: pieces begin at multiples of it.
    ratio : fractions.Fraction
        Samples out for each sample in; a multiple of 1 / ``step``.

    Yields
    ------
    torch.Tensor
        The result [..., samples], in blocks.

    Example
    -------
    >>> halves = torch.arange(8.0).split(3)
    >>> doubled = in_pieces(halves, lambda x: 2 * x, context=1, piece=2)
    >>> torch.cat(list(doubled)).tolist()
    [0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0]
    """
    context = _round_up(context, step)
    piece = max(_round_up(piece, step), context)
    held, done = None, 0  # what is at hand, and how much of it is context
    for block in blocks:
        held = block if held is None else torch.cat([held, block], dim=-1)
        while held.shape[-1] > done + piece + context:
            result = function(held[..., : done + piece + context])
            yield result[..., int(done * ratio) : int((done + piece) * ratio)]
            held = held[..., done + piece - context :]
            done = context
    if held is not None and held.shape[-1]:
        yield function(held)[..., int(done * ratio) :]


def _round_up(samples, step):
    return -(-samples // step) * step


def in_step(*streams):
    """Streams side by side, in blocks of the same length.

    Arguments
    ---------
    *streams : iterable of torch.Tensor
        Streams [..., samples]; the shortest ends all.

    Yields
    ------
    tuple of torch.Tensor
        A block [..., samples] of each.

    Example
    -------
    >>> left, right = torch.arange(5).split(2), torch.arange(6).split(4)
    >>> [(a.tolist(), b.tolist()) for a, b in in_step(left, right)]
    [([0, 1], [0, 1]), ([2, 3], [2, 3]), ([4], [4])]
    """
    streams = [iter(stream) for stream in streams]
    held = [None] * len(streams)
    while True:
        for i, stream in enumerate(streams):
            while held[i] is None or held[i].shape[-1] == 0:
                held[i] = next(stream, None)
                if held[i] is None:
                    return
        length = min(block.shape[-1] for block in held)
        yield tuple(block[..., :length] for block in held)
        held = [block[..., length:] for block in held]
