"""The generator as an ONNX file: a program that needs no PyTorch."""

import contextlib
import copy
import logging
import warnings
from pathlib import Path

import torch

from speechbrain_semamba.utils.extras import import_extra
from speechbrain_semamba.utils.whole_files import (
    check_file_name,
    whole_file,
)

#: Version of ONNX's operators: the first that the exporter writes
OPSET = 18

#: Largest error of the enhanced spectrum over its peak. Not less, for where
#: a spectrum is almost zero its phase is mostly rounding.
TOLERANCE = 1e-3

INPUTS, OUTPUTS = ("mag", "phase"), ("mag_hat", "phase_hat")


def write_onnx(generator, path, n_fft=400):
    """Writes a generator as an ONNX file, for any number of frames.

    The program maps ``mag`` and ``phase`` [1, frames, freq] in float32 to
    ``mag_hat`` and ``phase_hat``; the transform is left to its user. The file
    has its name only when onnxruntime has computed with it what PyTorch does.

    Arguments
    ---------
    generator : torch.nn.Module
        Maps (mag, phase) to (mag, phase), such as ``SEMamba``; is not changed.
    path : str
        The file to write, in a folder that exists; one that is there is
        replaced.
    n_fft : int
        Size of its transform.

    Raises
    ------
    ImportError
        If a package of the extra ``onnx`` is missing, or PyTorch too old.
    ValueError
        If the program computes something else.
    OSError
        If the file cannot be written.
    """
    if torch.__version__ < (2, 8):
        raise ImportError(
            "ONNX files need torch 2.8 or newer, which writes the scan; found "
            f"{torch.__version__}"
        )
    # what the exporter imports, so that the error names the extra
    for name in ("onnx", "onnxscript", "onnxruntime"):
        import_extra(name, "ONNX files", extra="onnx")
    check_file_name(Path(path))
    generator = _portable(generator)
    frames = {1: torch.export.Dim("frames", max=2**24)}
    with _quiet():
        program = torch.onnx.export(
            generator,
            _noise(8, n_fft),
            input_names=INPUTS,
            output_names=OUTPUTS,
            opset_version=OPSET,
            dynamo=True,
            dynamic_shapes=(frames, frames),
            verbose=False,
        )
    with whole_file(path) as partial:
        program.save(partial)
        for frames in (1, 8, 101):
            _prove(partial, generator, _noise(frames, n_fft), name=path)


@contextlib.contextmanager
def _quiet():
    """Without what the exporter says of packages that it could do without."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            yield
    finally:
        logger.setLevel(level)


def _portable(generator):
    """A copy without gradients that runs, and is traced, without kernels."""
    generator = copy.deepcopy(generator).float().cpu().eval()
    for module in generator.modules():
        if hasattr(module, "backend"):
            module.backend = "pytorch"
    return generator.requires_grad_(False)


def _noise(frames, n_fft):
    """Magnitude and phase [1, frames, freq], always the same."""
    shape = (1, frames, n_fft // 2 + 1)
    mag, turns = torch.rand(2, *shape, generator=torch.Generator())
    return mag, torch.pi * (2 * turns - 1)


@torch.inference_mode()
def _prove(file, generator, spectrum, name):
    """Compares the program's spectrum with PyTorch's."""
    import onnxruntime

    session = onnxruntime.InferenceSession(
        file, providers=["CPUExecutionProvider"]
    )
    inputs = {k: x.numpy() for k, x in zip(INPUTS, spectrum)}
    ours = torch.polar(*map(torch.from_numpy, session.run(OUTPUTS, inputs)))
    expected = torch.polar(*generator(*spectrum))
    error = ((ours - expected).abs().max() / expected.abs().max()).item()
    if not error <= TOLERANCE:
        raise ValueError(
            f"{name} would differ from PyTorch by {error:.1e} of the peak, "
            f"more than {TOLERANCE:.0e}; try another version of onnxruntime"
        )
