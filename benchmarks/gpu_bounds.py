#!/usr/bin/env python3
"""The least time that Mamba's kernels can take of a training step on a GPU.

> python benchmarks/gpu_bounds.py

Computed from what the kernels read, write and take the exponential of, and from
what the makers publish of their cards; nothing is measured.
"""

import argparse

from markdown import table
from networks import MODELS

from speechbrain_semamba.lobes.models.semamba import SEMamba
from speechbrain_semamba.nnet.mamba import Mamba
from speechbrain_semamba.ops.scan.cpu import CHUNK
from speechbrain_semamba.ops.triton.scan_backward import SPAN
from speechbrain_semamba.ops.triton.tiles import CHANNELS

#: Published: bytes a second; multiprocessors; FP32 operations a second, which
#: are 256 a clock of each multiprocessor, which makes 16 exponentials meanwhile
CARDS = {
    "H100 SXM": (3.35e12, 132, 67e12),
    "RTX 4090": (1.008e12, 128, 82.6e12),
}
FULL = 4  # bytes of float32


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=MODELS, default="full")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=2)
    options = parser.parse_args()
    print(bounds_table(options.model, options.batch, options.seconds))


def bounds_table(model, batch, seconds):
    """The scans and convolutions of one training step, forward and back."""
    steps, states, dim = work_of(model, batch, seconds)
    names = ["call", "type", "GB", "1e9 exp"]
    names += [f"{card}, {what} (ms)" for card in CARDS for what in LIMITS]
    rows = []
    for half, kind in ((4, "fp32"), (2, "bf16")):
        for call, cost in COSTS.items():
            size, exponentials = cost(half, states, dim)
            rows.append([call, kind, steps * size, steps * exponentials])
        last = [sum(column) for column in zip(*(r[2:] for r in rows[-4:]))]
        rows.append(["all", kind, *last])
    for row in rows:
        size, exponentials = row[2:]
        for card in CARDS.values():
            row += [1e3 * x for x in times(size, exponentials, *card)]
        row[2:4] = size / 1e9, exponentials / 1e9
    return table(names, rows)


LIMITS = ("memory", "exp")


def times(size, exponentials, bandwidth, multiprocessors, operations):
    """Seconds that memory takes, and seconds that exponentials take."""
    clock = operations / (256 * multiprocessors)
    return size / bandwidth, exponentials / (16 * multiprocessors * clock)


def work_of(model, batch, seconds):
    """Steps of single channels in all mixers, states, channels of a mixer."""
    generator = SEMamba(**MODELS[model])
    mixers = [x for x in generator.modules() if isinstance(x, Mamba)]
    states, dim = mixers[0].d_state, mixers[0].D.numel()
    frames, freq = round(seconds * 16000) // 100 + 1, 100
    return len(mixers) * batch * frames * freq * dim, states, dim


# ---- bytes and exponentials of one step of one channel; a softplus counts two,
# its logarithm and its exponential, a sigmoid one


def scan(half, states, dim):
    """Reads u, delta and z, B and C; writes y and every CHUNK-th state."""
    size = 4 * half + 2 * states * FULL / dim + states * FULL / CHUNK
    return size, states + 3


def scan_backward(half, states, dim):
    """Reads these, the states and the gradient of y; writes gradients.

    B's and C's have a part for each block of channels, which is read again;
    what a program reads twice is taken to be in its cache. States are computed from the last one that was kept to the span of steps
    whose turn it is, within the span, and in its gradient.
    """
    parts = 2 * (2 * states * FULL) / CHANNELS
    size = 7 * half + 2 * states * FULL / dim + states * FULL / CHUNK + parts
    before = (CHUNK - SPAN) / 2 / SPAN
    within = (SPAN - 1) / SPAN
    return size, (before + within + 1) * (states + 2) + 2


def conv(half, states, dim):
    """Reads x, writes y."""
    return 2 * half, 1


def conv_backward(half, states, dim):
    """Reads x and the gradient of y, writes that of x."""
    return 3 * half, 4


COSTS = {
    "scan": scan,
    "scan_backward": scan_backward,
    "conv": conv,
    "conv_backward": conv_backward,
}

if __name__ == "__main__":
    main()
