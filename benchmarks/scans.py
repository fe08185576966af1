"""The table of the scan alone."""

import functools
from statistics import median

import torch
from markdown import table
from measure import interleaved, progress, ratio
from networks import scan_error, scan_inputs, scan_results


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
    sizes = "batch {}, length {}, dim {}, state {}".format(*options.scan)
    return f"""## Selective scan alone, G updates/s

{table(names, rows)}

Sizes: {sizes}.
The error is against the reference in float64, at a batch of 2; with backward
it is the largest among the gradients.
"""


def scan_row(options, threads, precision, backward):
    """One row of that table."""
    torch.set_num_threads(threads)
    inputs = scan_inputs(options.scan, precision, backward)
    kind = "forward and backward" if backward else "forward"
    with progress(f"scan {precision} {kind}, threads {threads}"):
        times = interleaved(
            {
                name: functools.partial(scan_results, inputs, name, backward)
                for name in ("cpu", "pytorch")
            },
            options.repeats,
        )
    updates = torch.Size(options.scan).numel() / 1e9
    return [
        precision,
        kind,
        threads,
        updates / median(times["cpu"]),
        updates / median(times["pytorch"]),
        ratio(times["pytorch"], times["cpu"]),
        f"{scan_error(options.scan, precision, backward):.1e}",
    ]
