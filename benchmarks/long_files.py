#!/usr/bin/env python3
"""What long files cost: peak memory and real-time factor.

> python benchmarks/long_files.py --model FOLDER [--seconds 10 60 600 3600]

A file of the embedded corpus is repeated as often as need be, written to a
temporary folder and enhanced by ``enhance_files``, each length in a process
of its own. Prints a Markdown table. Memory is counted beside what the process
holds when the model is loaded, and should not grow with the file.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import soundfile
import torch
from markdown import table
from measure import (
    conditions,
    numbers_of_fresh_process,
    peak_gb,
    progress,
    seconds_of,
)

from speechbrain_semamba.dataio.audio_files import read_audio_file
from speechbrain_semamba.inference.enhancement import SEMambaEnhancement

CORPUS = Path(__file__).parents[1] / "samples" / "voicebank_mini"


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, metavar="FOLDER")
    parser.add_argument(
        "--seconds",
        type=float,
        nargs="+",
        default=[10, 60, 600, 3600],
        help="lengths of the files",
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--window", type=float, default=20, help="in seconds")
    # what a process of its own runs
    parser.add_argument("--one", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one is not None:
        print(*enhance_one(options))
        return
    rows = []
    for seconds in options.seconds:
        with progress(f"{seconds:g} s"):
            rows.append(row_of(options, seconds))
    print("\n".join(conditions()))
    print(f"- threads: {options.threads}, windows of {options.window:g} s\n")
    names = "audio (s), real-time factor, peak GB, of it for the file"
    print(table(names.split(", "), rows))


def row_of(options, seconds):
    """One row of the table."""
    settings = {"model": options.model, "one": seconds}
    settings.update(threads=options.threads, window=options.window)
    words = [w for name in settings for w in (f"--{name}", settings[name])]
    took, before, after = numbers_of_fresh_process(__file__, *words)
    return [f"{seconds:g}", took / seconds, after, after - before]


def enhance_one(options):
    """Time in seconds; the largest memory in GB before and after."""
    torch.set_num_threads(options.threads)
    enhancer = SEMambaEnhancement.from_hparams(
        source=options.model, run_opts={"device": "cpu"}
    )
    window = options.window
    settings = {"window_seconds": window, "overlap_seconds": window / 10}
    with tempfile.TemporaryDirectory() as folder:
        pair = Path(folder, "noisy.wav"), Path(folder, "enhanced.wav")
        write_repeated(pair[0], options.one)
        before = peak_gb()
        jobs = []
        took = seconds_of(
            lambda: jobs.extend(enhancer.enhance_files([pair], **settings))
        )
        if jobs[0].error:
            sys.exit(jobs[0].error)
    return took, before, peak_gb()


def write_repeated(path, seconds):
    """Writes a file of the corpus, repeated; it is never held whole."""
    source = sorted((CORPUS / "noisy_testset_wav").glob("*.wav"))[0]
    wav, rate = read_audio_file(source)
    left = round(seconds * rate)
    with soundfile.SoundFile(path, "w", rate, 1, "PCM_16") as file:
        while left > 0:
            file.write(wav[0, :left].numpy())
            left -= wav.shape[1]


if __name__ == "__main__":
    main()
