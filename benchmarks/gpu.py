#!/usr/bin/env python3
"""Speed, memory and errors on a GPU: every back end that is ready there.

> python benchmarks/gpu.py --output benchmarks/gpu_results.md

Every column is explained in benchmarks/gpu.md. With ``--interpret`` and tiny
sizes it runs on a CPU, in Triton's interpreter, which says nothing of speed.
"""

import argparse
import contextlib
import functools
import importlib.util
import os
import pathlib
import time
from statistics import median

import torch
from cpu import positive, training_step
from markdown import publish, table
from measure import (
    GPU_DTYPES,
    interleaved,
    progress,
    ratio,
    relative_error,
)
from networks import TrainingStep, scan_error, scan_inputs, scan_results

from speechbrain_semamba.ops.backends import BACKENDS
from speechbrain_semamba.ops.registration import cpu_tensors_as

#: Batch, length, dim and state of the scan along time and along frequency, in
#: a training step of the paper's model with 4 segments of 2 s
SCANS = ((400, 321, 256, 16), (1284, 100, 256, 16))
STEPS = (("full", 4, 2), ("small", 8, 1))


def main():
    """Measures what the command line asks for, and prints it."""
    parser = make_parser()
    options = parser.parse_args()
    if not options.interpret and not torch.cuda.is_available():
        parser.error("PyTorch finds no CUDA device; --interpret needs none")
    with contextlib.ExitStack() as held:
        options.device = "cuda"
        ready = {
            name: name
            for name, row in BACKENDS.items()
            if name != "reference" and row.why_not("cuda") is None
        }
        if options.interpret:
            os.environ["TRITON_INTERPRET"] = "1"
            options.device = "cpu"
            # the operators of the back end "cpu" are Triton's within
            ready = {"triton": "cpu", "pytorch": "pytorch"}
            held.enter_context(cpu_tensors_as("CUDA"))
        wanted = {"pytorch", *options.backends}
        options.backends = {k: v for k, v in ready.items() if k in wanted}
        publish(make_sections(options), options.output)


def make_parser():
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--scan",
        nargs=4,
        type=positive(int),
        action="append",
        metavar=("BATCH", "LENGTH", "DIM", "STATE"),
    )
    parser.add_argument(
        "--steps",
        nargs="*",
        type=training_step,
        default=STEPS,
        metavar="MODEL,BATCH,SECONDS",
    )
    parser.add_argument(
        "--precisions",
        nargs="+",
        choices=list(GPU_DTYPES),
        default=list(GPU_DTYPES),
    )
    parser.add_argument(
        "--backends",
        nargs="+",
        default=list(BACKENDS),
        help="some of those that are ready; pytorch is always there",
    )
    parser.add_argument("--repeats", type=positive(int), default=20)
    parser.add_argument("--interpret", action="store_true")
    parser.add_argument("--output", type=pathlib.Path, metavar="FILE.md")
    return parser


def make_sections(options):
    """The Markdown, a section at a time."""
    yield "# On a GPU\n\n" + "\n".join(conditions(options)) + "\n"
    rows = [
        row
        for sizes in options.scan or SCANS
        for precision in options.precisions
        for backward in (False, True)
        for row in scan_rows(options, sizes, precision, backward)
    ]
    names = "batch length dim state|precision|pass|back end|ms|times|error"
    yield f"## Selective scan alone\n\n{table(names.split('|'), rows)}\n"
    rows = [
        row
        for step in options.steps
        for precision in options.precisions
        for row in step_rows(options, step, precision)
    ]
    names = "model|batch|seconds|precision|back end|ms|times|peak GB|error"
    yield f"## Training step\n\n{table(names.split('|'), rows)}\n"


def conditions(options):
    """Lines of Markdown that say where the numbers were taken."""
    card = "none: Triton's interpreter on a CPU, whose times mean nothing"
    if not options.interpret:
        major, minor = torch.cuda.get_device_capability()
        card = f"{torch.cuda.get_device_name()}, capability {major}.{minor}"
    yield f"- date: {time.strftime('%Y-%m-%d %H:%M %Z')}"
    yield f"- card: {card}"
    yield f"- PyTorch {torch.__version__}, CUDA {torch.version.cuda}"
    for name in ("triton", "mamba_ssm"):
        if importlib.util.find_spec(name) is None:
            yield f"- no {name}"
    for name, row in BACKENDS.items():
        if row.device == "cuda":
            yield f"- {name}: {row.why_not('cuda') or 'ready'}"


def scan_rows(options, sizes, precision, backward):
    """A row for each back end."""
    inputs = scan_inputs(sizes, precision, backward, options.device)
    kind = "forward and backward" if backward else "forward"
    variants = {
        name: functools.partial(scan_results, inputs, backend, backward)
        for name, backend in options.backends.items()
    }
    with progress(f"scan {sizes} {precision} {kind}"):
        times = timed(options, variants)
    shape = " ".join(map(str, sizes))
    for name, backend in options.backends.items():
        error = scan_error(sizes, precision, backward, backend, options.device)
        yield [
            *(shape, precision, kind, name),
            1e3 * median(times[name]),
            ratio(times["pytorch"], times[name]),
            f"{error:.1e}",
        ]


def step_rows(options, step, precision):
    """A row for each back end; their errors are those of the first step."""
    made = functools.partial(TrainingStep, step[0])
    truth = first_loss(made("pytorch", *step[1:]), options.device)
    variants, facts = {}, {}
    for name, backend in options.backends.items():
        variant = made(backend, *step[1:], precision=precision)
        loss = first_loss(variant, options.device)
        variants[name] = variant
        facts[name] = peak_gb(options, variant), relative_error(loss, truth)
    with progress(f"training step {step} {precision}"):
        times = timed(options, variants)
    for name in variants:
        peak, error = facts[name]
        yield [
            *(*step, precision, name),
            1e3 * median(times[name]),
            ratio(times["pytorch"], times[name]),
            *(peak, f"{error:.1e}"),
        ]


def first_loss(step, device):
    """The generator's loss of a step, which dropout does not change."""
    step.to(device)
    torch.manual_seed(3)
    return step()


def peak_gb(options, run):
    """Most memory that tensors take on the card while something runs."""
    if options.interpret:
        return None
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    run()
    return torch.cuda.max_memory_allocated() / 1e9


def timed(options, variants):
    """Seconds of each variant, in turns, until the card has done its work."""

    def waiting(run):
        run()
        if not options.interpret:
            torch.cuda.synchronize()

    waits = {k: functools.partial(waiting, v) for k, v in variants.items()}
    return interleaved(waits, options.repeats)


if __name__ == "__main__":
    main()
