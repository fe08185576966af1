"""Where the time goes, by operator."""

import os
from statistics import median_high

import torch
from measure import progress
from networks import Enhancement, TrainingStep, noise
from torch.profiler import ProfilerActivity, profile


def profile_section(options):
    """Tables by operator of one enhancement and one training step."""
    torch.set_num_threads(max(options.threads))
    model, seconds = options.models[0], median_high(options.seconds)
    runs = {
        f"{model}, {precision}, {seconds:g} s": Enhancement(
            model, "cpu", precision, noise(seconds)
        )
        for precision in options.precisions
    }
    name, batch, seconds = options.steps[0]
    runs[f"training step of {name}, batch {batch} x {seconds:g} s"] = (
        TrainingStep(name, "cpu", batch, seconds)
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
