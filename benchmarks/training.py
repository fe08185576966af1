"""The table of training steps."""

from statistics import median

import torch
from markdown import table
from measure import (
    Floor,
    interleaved,
    progress,
    ratio,
    recorded_calls,
    relative_error,
)
from networks import TrainingStep


def training_section(options):
    """The table of training steps."""
    rows = [
        training_row(options, threads, *step)
        for step in options.steps
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
    what = f"step of {model}, batch {batch} x {seconds:g} s, threads {threads}"

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
        f"{seconds:g}",
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
