#!/usr/bin/env python3
"""Speed, memory and errors on the CPU: our kernels, PyTorch, the reference.

> python benchmarks/cpu.py --train --profile --output benchmarks/results.md

Every column is explained in benchmarks/README.md.
"""

import argparse
import functools
import os
import pathlib
import sys
import time
from statistics import median

import torch
from measure import (
    DTYPES,
    Floor,
    conditions,
    interleaved,
    log,
    peak_gb,
    peak_in_fresh_process,
    progress,
    ratio,
    recorded_calls,
    relative_error,
)
from networks import (
    MODELS,
    SCAN,
    Enhancement,
    TrainingStep,
    inference,
    noise,
    scan_error,
    scan_inputs,
    scan_results,
)
from torch.profiler import ProfilerActivity, profile

from speechbrain_semamba.ops import kernels

#: Model, batch and seconds of the training steps
STEPS = (("small", 4, 1), ("small", 1, 1), ("full", 1, 1))


def main():
    """Measures what the command line asks for, and prints it."""
    parser = make_parser()
    options = parser.parse_args()
    if reason := kernels.why_not():
        parser.error(reason)
    if options.peak:
        print(*peak_of_one_enhancement(*options.peak))
        return
    if options.output and not options.output.absolute().parent.is_dir():
        parser.error(f"no folder for {options.output}")
    sections = []
    for section in make_sections(options):
        print(section, flush=True)
        sections.append(section)
    if options.output:
        write(options.output, "\n".join(sections))


def make_parser():
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    lists = {
        "--models": (list(MODELS), {"choices": list(MODELS)}),
        "--seconds": ([2, 4, 10], {"type": positive(float)}),
        "--threads": ([1, 2], {"type": positive(int)}),
        "--precisions": (list(DTYPES), {"choices": list(DTYPES)}),
    }
    for name, (default, kind) in lists.items():
        parser.add_argument(name, nargs="+", default=default, **kind)
    parser.add_argument("--repeats", type=positive(int), default=5)
    parser.add_argument("--no-reference", action="store_true")
    parser.add_argument("--train", action="store_true")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--output", type=pathlib.Path, metavar="FILE.md")
    # what peak_in_fresh_process runs
    parser.add_argument("--peak", nargs=4, help=argparse.SUPPRESS)
    return parser


def positive(kind):
    """A type of an argument: a number above zero."""

    def number(text):
        value = kind(text)
        if not value > 0:
            raise ValueError
        return value

    return number


def make_sections(options):
    """The Markdown, a section at a time."""
    yield "# On the CPU\n\n" + "\n".join(conditions())
    yield f"- repeats: {options.repeats}\n"
    yield inference_section(options)
    yield scan_section(options)
    if options.train:
        yield training_section(options)
    if options.profile:
        yield profile_section(options)


def write(path, text):
    """Writes a file that is never half there."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def table(names, rows):
    """A table in Markdown; nothing is a dash, numbers get three digits."""
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join(f"| {' | '.join(map(cell, line))} |" for line in lines)


def cell(value):
    """A cell's text."""
    if value is None:
        return "-"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def inference_section(options):
    """The table of whole enhancements."""
    rows = [
        inference_row(options, model, precision, threads, seconds)
        for model in options.models
        for precision in options.precisions
        for threads in options.threads
        for seconds in options.seconds
    ]
    names = (
        "model, precision, threads, seconds, ours, PyTorch, reference, "
        "PyTorch / ours, reference / ours, floor, ours / floor, "
        "peak GB, error"
    ).split(", ")
    truth = "the pure PyTorch path in float32"
    if not options.no_reference:
        truth = (
            "the reference in float32 for the shortest waves, and against "
            f"{truth} for longer ones"
        )
    return f"""## Enhancement, real-time factors

{table(names, rows)}

The error is against {truth}.
"""


def inference_row(options, model, precision, threads, seconds):
    """One row of that table."""
    shortest = seconds == min(options.seconds)
    error_of = "pytorch"
    if shortest and not options.no_reference:
        error_of = "reference"
    took, truth = slow_enhancement(model, error_of, threads, seconds)
    timed = error_of == "reference" and precision == "fp32"
    reference = took if timed else None
    times, wave = enhancement_times(
        model, precision, threads, seconds, options.repeats
    )
    peak = enhancement_peak(model, precision, threads, seconds)
    factor = {name: median(times[name]) / seconds for name in times}
    return [
        model,
        precision,
        threads,
        f"{seconds:g}",
        factor["ours"],
        factor["PyTorch"],
        reference and reference / seconds,
        ratio(times["PyTorch"], times["ours"]),
        reference and reference / median(times["ours"]),
        factor["floor"],
        ratio(times["ours"], times["floor"]),
        peak,
        f"{relative_error(wave, truth):.1e}",
    ]


def enhancement_times(model, precision, threads, seconds, repeats):
    """Times of ours, PyTorch and the floor; and the wave that ours gives."""
    torch.set_num_threads(threads)
    ours, pytorch = (
        Enhancement(model, backend, precision, noise(seconds))
        for backend in ("cpu", "pytorch")
    )
    floor = Floor(enhancement_calls(model, seconds), precision)

    def run_floor():
        with inference(precision):
            floor()

    variants = {"ours": ours, "PyTorch": pytorch, "floor": run_floor}
    what = f"{model} {precision}, threads {threads}, {seconds:g} s"
    with progress(f"{what}: ours, PyTorch and floor"):
        return interleaved(variants, repeats), ours()


def enhancement_peak(*what):
    """GB that one enhancement by ours takes in a process of its own."""
    with progress(f"peak memory of {' '.join(map(str, what))}"):
        before, after = peak_in_fresh_process(__file__, *what)
        log(f"{before:.2f} GB before, {after:.2f} GB after one enhancement")
    return after


@functools.lru_cache(maxsize=None)
def slow_enhancement(model, backend, threads, seconds):
    """Time and result of a single run in float32, without a warm-up."""
    torch.set_num_threads(threads)
    run = Enhancement(model, backend, "fp32", noise(seconds))
    with progress(f"{model} fp32, threads {threads}, {seconds:g} s: {backend}"):
        begin = time.perf_counter()
        wave = run()
        return time.perf_counter() - begin, wave


@functools.lru_cache(maxsize=None)
def enhancement_calls(model, seconds):
    """The convolutions and linear layers of one enhancement."""
    run = Enhancement(model, "pytorch", "fp32", noise(seconds))
    return recorded_calls(run.network, run)


def peak_of_one_enhancement(model, precision, threads, seconds):
    """GB that this process has held before and after; run it afresh."""
    torch.set_num_threads(int(threads))
    run = Enhancement(model, "cpu", precision, noise(float(seconds)))
    before = peak_gb()
    run()
    return before, peak_gb()


def scan_section(options):
    """The table of the scan alone."""
    passes = [("fp32", False), ("bf16", False), ("fp32", True)]
    rows = [
        scan_row(options, threads, precision, backward)
        for precision, backward in passes
        if precision in options.precisions
        for threads in options.threads
    ]
    names = (
        "precision, pass, threads, ours, PyTorch, ours / PyTorch, error"
    ).split(", ")
    sizes = "batch {}, length {}, dim {}, state {}".format(*SCAN)
    return f"""## Selective scan alone, G updates/s

{table(names, rows)}

Sizes: {sizes}.
The error is against the reference in float64, at a batch of 2; with backward
it is the largest among the gradients.
"""


def scan_row(options, threads, precision, backward):
    """One row of that table."""
    torch.set_num_threads(threads)
    inputs = scan_inputs(SCAN[0], precision, backward)
    kind = "forward and backward" if backward else "forward"
    with progress(f"scan {precision} {kind}, threads {threads}"):
        times = interleaved(
            {
                name: functools.partial(scan_results, inputs, name, backward)
                for name in ("cpu", "pytorch")
            },
            options.repeats,
        )
    updates = torch.Size(SCAN).numel() / 1e9
    return [
        precision,
        kind,
        threads,
        updates / median(times["cpu"]),
        updates / median(times["pytorch"]),
        ratio(times["pytorch"], times["cpu"]),
        f"{scan_error(precision, backward):.1e}",
    ]


def training_section(options):
    """The table of training steps."""
    rows = [
        training_row(options, threads, *step)
        for step in STEPS
        if step[0] in options.models
        for threads in options.threads
    ]
    names = (
        "model, batch, seconds, threads, ours, PyTorch, PyTorch / ours, "
        "floor, ours / floor, error of loss, error of gradient, "
        "error of gradient in float64"
    ).split(", ")
    return f"""## Training step in float32, seconds

{table(names, rows)}

The errors are against the pure PyTorch path, at the first step. In float32
most of the gradient's is the discriminator's first update, in which Adam
makes a full step of every gradient, the rounding errors among them.
"""


def training_row(options, threads, model, batch, seconds):
    """One row of that table."""
    torch.set_num_threads(threads)
    what = f"step of {model}, batch {batch} x {seconds} s, threads {threads}"

    def both():
        for backend in ("cpu", "pytorch"):
            yield TrainingStep(model, backend, batch, seconds)

    with progress(f"{what}: errors"):
        _, exact_error = first_step_errors(*(x.double() for x in both()))
        ours, pytorch = both()
        errors = *first_step_errors(ours, pytorch), exact_error
    plain = TrainingStep(model, "pytorch", batch, seconds, plain=True)
    floor = Floor(recorded_calls(plain.networks, plain), "fp32", True)
    with progress(f"{what}: ours, PyTorch and floor"):
        times = interleaved(
            {"ours": ours, "PyTorch": pytorch, "floor": floor},
            options.repeats,
        )
    return [
        model,
        batch,
        seconds,
        threads,
        median(times["ours"]),
        median(times["PyTorch"]),
        ratio(times["PyTorch"], times["ours"]),
        median(times["floor"]),
        ratio(times["ours"], times["floor"]),
        *(f"{error:.1e}" for error in errors),
    ]


def first_step_errors(ours, pytorch):
    """Relative errors of the generator's loss and of its gradient."""
    losses, gradients = [], []
    for step in (ours, pytorch):
        torch.manual_seed(3)  # of the discriminator's dropout
        losses.append(step())
        gradients.append(step.gradient())
    error = (gradients[0] - gradients[1]).norm() / gradients[1].norm()
    return relative_error(*losses), error.item()


def profile_section(options):
    """Tables by operator of one enhancement and one training step."""
    torch.set_num_threads(max(options.threads))
    runs = {
        f"full, {precision}, 4 s": Enhancement(
            "full", "cpu", precision, noise(4)
        )
        for precision in options.precisions
    }
    runs["training step of small, batch 4 x 1 s"] = TrainingStep(
        "small", "cpu", 4, 1
    )
    lines = [f"## By operator, threads {max(options.threads)}\n"]
    for name, run in runs.items():
        with progress(f"profile of {name}"):
            lines += [f"{name}:\n", "```", operators(run), "```\n"]
    return "\n".join(lines)


def operators(run):
    """The operators that take the most time in a function."""
    run()
    # without this the profiler's own messages land on stderr
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        run()
    return profiler.key_averages().table(
        sort_by="self_cpu_time_total", row_limit=15
    )


if __name__ == "__main__":
    sys.exit(main())
