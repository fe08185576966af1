"""Long waves in windows: cut, and joined again by cross-fades."""

from dataclasses import dataclass

import torch


@dataclass
class Window:
    """A stretch of a stream.

    Arguments
    ---------
    start : int
        Where it begins in the stream, in samples.
    noisy : torch.Tensor
        Waveforms [channels, samples].
    gain : torch.Tensor
        Brings them to the level that the network works at [channels, 1].
    is_last : bool
        Whether the stream ends with it.
    """

    start: int
    noisy: torch.Tensor
    gain: torch.Tensor
    is_last: bool


def cut_windows(blocks, level, size, overlap):
    """Cuts a stream into windows of the same length.

    A stream that is no longer than a window is one window; of a longer one
    the last window begins earlier than its overlap asks for, so that it too
    has the whole length: a short rest would lack what the network goes by.

    Arguments
    ---------
    blocks : iterable of torch.Tensor
        A stream [channels, samples].
    level : callable
        Maps samples [channels, samples] that come anew to a gain
        [channels, 1].
    size : int
        Of a window, in samples.
    overlap : int
        Samples that a window shares with the one before; less than ``size``.

    Yields
    ------
    Window
        In order.

    Example
    -------
    >>> blocks = torch.arange(12.0).view(1, 12).split(5, dim=1)
    >>> windows = cut_windows(blocks, lambda new: torch.ones(1, 1), 6, 2)
    >>> [(w.start, w.noisy.int().tolist()[0], w.is_last) for w in windows]
    [(0, [0, 1, 2, 3, 4, 5], False), (4, [4, 5, 6, 7, 8, 9], False), (6, [6, 7, 8, 9, 10, 11], True)]
    """
    start, seen, held = 0, 0, None  # held begins at start
    before = None  # the window before
    for block in blocks:
        held = block if held is None else torch.cat([held, block], dim=1)
        while held.shape[1] > size:
            before = held[:, :size]
            gain = level(before[:, seen - start :])
            yield Window(start, before, gain, False)
            seen = start + size
            start += size - overlap
            held = held[:, size - overlap :]
    if held is None or not held.shape[1]:
        return
    gain = level(held[:, seen - start :])
    if before is not None:
        earlier = size - held.shape[1]
        start -= earlier
        held = torch.cat(
            [before[:, size - overlap - earlier : size - overlap], held], dim=1
        )
    yield Window(start, held, gain, True)


def join_windows(pairs, overlap):
    """Joins enhanced windows into a stream.

    From one window to the next it is faded in the middle half of their
    overlap: at its very ends a window lacks what lies beyond.

    Arguments
    ---------
    pairs : iterable of tuple
        Each ``Window``, and what was made of it [channels, samples].
    overlap : int
        As for ``cut_windows``.

    Yields
    ------
    torch.Tensor
        Noisy and enhanced waveforms [2, channels, samples].

    Example
    -------
    >>> blocks = torch.arange(12.0).view(1, 12).split(5, dim=1)
    >>> windows = cut_windows(blocks, lambda new: torch.ones(1, 1), 6, 2)
    >>> joined = join_windows([(w, -w.noisy) for w in windows], 2)
    >>> torch.cat(list(joined), dim=2)[1].int().tolist()
    [[0, -1, -2, -3, -4, -5, -6, -7, -8, -9, -10, -11]]
    """
    margin = overlap // 4
    fade = overlap - 2 * margin
    rising = (torch.arange(fade) + 0.5) / max(1, fade)
    done, fading = 0, None  # where the stream is, and what is to fade out
    for window, enhanced in pairs:
        pair = torch.stack([window.noisy, enhanced])
        pair = pair[..., done - window.start :].clone()
        if fading is not None:
            weight = rising.to(pair)
            into = pair[..., :fade]
            pair[..., :fade] = fading + weight * (into - fading)
        if window.is_last:
            yield pair
            return
        end = window.start + window.noisy.shape[1] - margin - fade
        yield pair[..., : end - done]
        fading = pair[..., end - done : end - done + fade]
        done = end
