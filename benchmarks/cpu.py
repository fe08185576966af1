#!/usr/bin/env python3
"""Speed, memory and errors on the CPU: our kernels, PyTorch, the reference.

> python benchmarks/cpu.py --train --profile --output benchmarks/results.md

Every column is explained in benchmarks/README.md.
"""

import argparse
import pathlib
import sys

from enhancements import inference_section, peak_of_one_enhancement
from markdown import publish
from measure import DTYPES, conditions
from networks import MODELS, SCAN, STEPS
from profiles import profile_section
from scans import scan_section
from training import training_section

from speechbrain_semamba.ops import kernels


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
    publish(make_sections(options), options.output)


def make_parser():
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    lists = {
        "--models": (["full", "small"], {"choices": list(MODELS)}),
        "--seconds": ([2, 4, 10], {"type": positive(float)}),
        "--threads": ([1, 2], {"type": positive(int)}),
        "--precisions": (list(DTYPES), {"choices": list(DTYPES)}),
    }
    for name, (default, kind) in lists.items():
        parser.add_argument(name, nargs="+", default=default, **kind)
    parser.add_argument(
        "--scan",
        nargs=4,
        type=positive(int),
        default=SCAN,
        metavar=("BATCH", "LENGTH", "DIM", "STATE"),
    )
    parser.add_argument(
        "--steps",
        nargs="+",
        type=training_step,
        default=STEPS,
        metavar="MODEL,BATCH,SECONDS",
    )
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


def training_step(text):
    """The type of an argument such as small,4,1."""
    model, batch, seconds = text.split(",")
    if model not in MODELS:
        raise ValueError
    return model, positive(int)(batch), positive(float)(seconds)


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


if __name__ == "__main__":
    sys.exit(main())
