"""Distill-MOS: a small network that rates speech as a large one does."""

import contextlib
import functools
import os

import numpy as np

from speechbrain_semamba.evaluation.unscorable import scored_alone
from speechbrain_semamba.utils.extras import import_extra

#: In samples at 16 kHz: what the network hears at once, and how much later
#: the next window starts at most
WINDOW, HOP = 122_880, 16_000


@scored_alone("distill")
def distill_mos(enhanced):
    """The quality of all that is heard, by the package distillmos.

    Stahl and Gamper, "Distillation and pruning for scalable self-supervised
    representation-based speech quality assessment", arXiv:2502.05356. The mean
    over windows of 7.68 s, the first at the start and the last at the end; to
    a shorter wave silence is added. The level of a window does not count.

    Arguments
    ---------
    enhanced : numpy.ndarray
        Noisy or enhanced speech [samples].
    sample_rate : int
        In Hz; 16000.

    Returns
    -------
    dict
        "distill", from 1 to 5; NaN if the wave is too short, silent or not
        finite.

    Raises
    ------
    ImportError
        If distillmos is missing; names the extra.
    ValueError
        At another rate.

    Example
    -------
    >>> distill_mos(np.zeros(16000))
    {'distill': nan}
    """
    network = _network()
    # not above: the processes of a pool that need none are to be small
    import torch

    wav = np.pad(enhanced, (0, max(0, WINDOW - len(enhanced))))
    # window by window: the package takes a long file's all at once
    with torch.inference_mode():
        heard = [
            network(torch.from_numpy(window).float()[None]).item()
            for window in _windows(wav)
        ]
    return [np.mean(heard)]


def _windows(wav):
    rest = len(wav) - WINDOW
    count = -(-rest // HOP) + 1
    for share in np.linspace(0, 1, count):
        start = int(share * rest)
        yield wav[start : start + WINDOW]


@functools.lru_cache(maxsize=None)
def _network():
    """The network, once a process."""
    package = import_extra("distillmos", "Scores", "mos")
    # it says on standard output where its weights are
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        network = package.ConvTransformerSQAModel(segmenting_in_forward=False)
    return network.eval()
