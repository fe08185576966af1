"""The table of whole enhancements."""

import functools
import pathlib
import time
from statistics import median

import torch
from markdown import table
from measure import (
    Floor,
    interleaved,
    log,
    peak_gb,
    peak_in_fresh_process,
    progress,
    ratio,
    recorded_calls,
    relative_error,
)
from networks import Enhancement, inference, noise

#: What runs ``peak_of_one_enhancement``
SCRIPT = pathlib.Path(__file__).with_name("cpu.py")


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
        before, after = peak_in_fresh_process(SCRIPT, *what)
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
