#!/usr/bin/env python3
"""What windows cost: long speech enhanced in windows, and as a whole.

> python benchmarks/windows.py --model FOLDER --data_folder FOLDER

The data folder is VoiceBank-DEMAND's, at 16 kHz: clean_testset_wav and
noisy_testset_wav; its test files in a row are the long speech. Prints a
Markdown table: scores against the clean speech; the difference to the whole,
in dB below it; and the largest step of the difference from one sample to the
next at the seams, over the largest elsewhere (above 1 a seam might click).
"""

import argparse

import torch
from markdown import table
from measure import conditions
from speechbrain.dataio import audio_io

from speechbrain_semamba.dataio.pairs import read_pairs
from speechbrain_semamba.evaluation.file_scores import FileScores, means_by_kind
from speechbrain_semamba.evaluation.score_pool import ScorePool
from speechbrain_semamba.inference.enhancement import SEMambaEnhancement
from speechbrain_semamba.inference.pipeline import enhance_blocks
from speechbrain_semamba.inference.settings import EnhancementSettings
from speechbrain_semamba.processing.levels import rms_gain
from speechbrain_semamba.utils.progress import progress_bar

RATE = 16000
METRICS = ["pesq", "stoi", "si_sdr"]
#: What is scored at a time: PESQ cannot score long speech
PART = 8 * RATE


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", required=True, metavar="FOLDER")
    parser.add_argument("--data_folder", required=True, metavar="FOLDER")
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--workers", type=int, default=2, help="that score")
    parser.add_argument("--windows", type=float, nargs="+", default=[5, 10, 20])
    parser.add_argument(
        "--overlaps", type=float, nargs="+", default=[0.5, 1, 2]
    )
    options = parser.parse_args()
    clean, noisy = long_speech(options.data_folder, options.seconds)
    enhancer = SEMambaEnhancement.from_hparams(
        source=options.model, run_opts={"device": "cpu", "precision": "fp32"}
    )
    whole = enhance(enhancer, noisy, options.seconds + 1, 0)
    waves, rows = {"noisy": noisy, "whole": whole}, {}
    places = [(w, o) for w in options.windows for o in options.overlaps]
    for window, overlap in progress_bar(places, "Enhancing"):
        wave = enhance(enhancer, noisy, window, overlap)
        name = f"{window:g} s, {overlap:g} s overlap"
        waves[name] = wave
        rows[name] = difference(wave, whole, window, overlap)
    means = scores(clean, waves, options.workers)
    print("\n".join(conditions()))
    print(f"- {len(noisy) / RATE:.0f} s of speech\n")
    cells = [
        [
            name,
            *(f"{means[name][m]:.3f}" for m in METRICS),
            *rows.get(name, ["-", "-"]),
        ]
        for name in waves
    ]
    print(
        table(["windows", *METRICS, "difference, dB", "step at seams"], cells)
    )


def long_speech(folder, seconds):
    """Clean and noisy test files in a row, [samples] each."""
    halves = (f"{folder}/{half}_testset_wav" for half in ("clean", "noisy"))
    pairs = read_pairs({"test": halves})["test"]
    waves, missing = [], seconds * RATE
    for pair in pairs.values():
        if missing <= 0:
            break
        both = [audio_io.load(str(p))[0] for p in (pair.clean, pair.noisy)]
        waves.append(torch.cat(both))
        missing -= waves[-1].shape[1]
    return torch.cat(waves, dim=1)[:, : int(seconds * RATE)]


def enhance(enhancer, noisy, window, overlap):
    """The enhanced wave [samples], at the level of the whole."""
    gain = rms_gain(noisy[None])
    settings = EnhancementSettings(
        window_seconds=window, overlap_seconds=overlap
    )
    blocks = enhance_blocks(
        enhancer.enhance_at_level,
        noisy[None].split(RATE, dim=1),
        RATE,
        RATE,
        settings,
        lambda new: gain,
    )
    return torch.cat(list(blocks), dim=1)[0]


def difference(wave, whole, window, overlap):
    """How far it is from the whole, and its step at the seams."""
    error = wave - whole
    ratio = error.square().sum() / whole.square().sum()
    steps = error.diff().abs()
    at_seam = torch.zeros(len(steps), dtype=torch.bool)
    hop = round((window - overlap) * RATE)
    for start in range(hop, len(wave) - round(overlap * RATE), hop):
        at_seam[start : start + round(overlap * RATE)] = True
    step = "-"
    if at_seam.any():
        step = f"{steps[at_seam].max() / steps[~at_seam].max():.2f}"
    return [f"{10 * ratio.log10().item():.1f}", step]


def scores(clean, waves, workers):
    """Mean scores by wave, of parts of a few seconds."""
    pool = ScorePool(num_workers=workers)
    files = FileScores(pool, METRICS, waves)
    for i, part in enumerate(clean.split(PART)):
        if len(part) == min(PART, len(clean)):
            parts = {n: w.split(PART)[i] for n, w in waves.items()}
            files.start(str(i), {}, {"clean": part, **parts})
    means = means_by_kind(files.finish(progressbar=True))
    pool.close()
    return means


if __name__ == "__main__":
    main()
