#!/usr/bin/env python3
"""What scores cost: time of each metric, and against a frame at a time.

> python benchmarks/metrics.py [--output benchmarks/metrics.md]

Prints two Markdown tables and an estimate for the test set of
VoiceBank-DEMAND. One thread computes.
"""

import argparse
import functools
import statistics
import sys
from pathlib import Path

import torch
from markdown import table
from measure import conditions, interleaved, progress, ratio
from speechbrain.dataio import audio_io

from speechbrain_semamba.dataio.pairs import read_pairs
from speechbrain_semamba.evaluation.metrics import METRICS, score
from speechbrain_semamba.utils.whole_files import write_text

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "helpers"))
from literal_metrics import LITERAL  # noqa: E402

RATE = 16000
#: The test set of VoiceBank-DEMAND: files, and the seconds of one
TEST_FILES, TEST_SECONDS = 824, 2.54
CORES = 2


def main():
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--data_folder",
        default=ROOT / "samples" / "voicebank_mini",
        metavar="FOLDER",
        help="VoiceBank-DEMAND's, or laid out as it is, at 16 kHz",
    )
    parser.add_argument("--files", type=int, default=8, help="take so many")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", help="also write the tables to this file")
    options = parser.parse_args()
    where = conditions()
    torch.set_num_threads(1)
    pairs = read_waves(options.data_folder, options.files)
    seconds = sum(len(clean) for clean, _ in pairs) / RATE
    with progress("each metric"):
        times = times_of_metrics(pairs, options.repeats)
    with progress("frame at a time"):
        literal = rows_of_literal(pairs, options.repeats, seconds)
    per_second = times.pop("all") / seconds
    rows = [
        [name, f"{1000 * time / seconds:.2f}", f"{share(time, times):.1f} %"]
        for name, time in times.items()
    ]
    rows.append(["all of one pair", f"{1000 * per_second:.2f}", "-"])
    text = "\n".join(
        [
            "# What scores cost",
            "",
            *where,
            f"- {len(pairs)} noisy files, {seconds:.1f} s; "
            f"medians of {options.repeats} rounds",
            "",
            table(["metric", "ms a second", "share"], rows),
            "",
            "CSIG, CBAK and COVL are given the scores that they are made of.",
            "",
            estimate(per_second),
            "",
            table(
                ["metric", "ms a second", "frame at a time", "ratio"]
                + ["largest difference"],
                literal,
            ),
            "",
        ]
    )
    print(text)
    if options.output:
        write_text(options.output, text)


def read_waves(folder, count):
    """Clean and noisy test waves, [samples] each."""
    halves = (f"{folder}/{half}_testset_wav" for half in ("clean", "noisy"))
    pairs = list(read_pairs({"test": halves})["test"].values())[:count]
    return [
        [audio_io.load(str(p))[0][0].numpy() for p in (pair.clean, pair.noisy)]
        for pair in pairs
    ]


def over(pairs, function):
    """A call of the function for each pair."""
    return [function(*pair) for pair in pairs]


def times_of_metrics(pairs, repeats):
    """Median seconds of each metric over all pairs, and of all at once."""
    scores = over(pairs, score)
    variants = {"all": functools.partial(over, pairs, score)}
    for name, row in METRICS.items():
        known = [{part: found[part] for part in row.parts} for found in scores]
        variants[name] = functools.partial(
            calls_of, row.function, list(zip(pairs, known))
        )
    times = interleaved(variants, repeats)
    return {name: statistics.median(row) for name, row in times.items()}


def calls_of(function, inputs):
    """Calls a metric with the scores that it is made of."""
    for pair, known in inputs:
        function(*pair, RATE, **known)


def rows_of_literal(pairs, repeats, seconds):
    """Ours against a frame at a time, of each metric and of all three."""
    doubles = [[wav.astype("float64") for wav in pair] for pair in pairs]
    names, sums = list(LITERAL), {}
    rows = []
    for name in names:
        ours = functools.partial(over, doubles, METRICS[name].function)
        literal = functools.partial(over, doubles, LITERAL[name])
        differences = [abs(x - y) for x, y in zip(ours(), literal())]
        times = interleaved({"ours": ours, "literal": literal}, repeats)
        sums[name] = times
        rows.append(row_of(name, times, seconds, max(differences)))
    whole = {
        who: [sum(x) for x in zip(*(sums[name][who] for name in names))]
        for who in ("ours", "literal")
    }
    return [*rows, row_of(" + ".join(names), whole, seconds)]


def row_of(name, times, seconds, difference=None):
    """Cells of one row."""
    cost = [
        f"{1000 * statistics.median(times[who]) / seconds:.2f}"
        for who in ("ours", "literal")
    ]
    gain = ratio(times["literal"], times["ours"])
    error = None if difference is None else f"{difference:.1e}"
    return [name, *cost, f"{gain:.1f}", error]


def share(time, times):
    """Of the metric in the sum of all, in percent."""
    return 100 * time / sum(times.values())


def estimate(per_second):
    """A sentence on a whole test."""
    minutes = TEST_FILES * TEST_SECONDS * per_second / CORES / 60
    return (
        f"The test set of VoiceBank-DEMAND, {TEST_FILES} files of "
        f"{TEST_SECONDS} s in the mean, takes {minutes:.1f} minutes of "
        f"{CORES} cores; noisy and enhanced twice that."
    )


if __name__ == "__main__":
    main()
