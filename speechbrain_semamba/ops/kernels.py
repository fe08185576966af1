"""The compiled kernels of ``csrc``: loading, arguments, instruction set."""

import ctypes
import functools
import os
import pathlib

import torch

_FOLDER = pathlib.Path(__file__).parent
#: setup.py puts one of these two here
LIBRARY = _FOLDER / "_kernels.so"
BUILD_ERROR = _FOLDER / "_kernels.error"

INSTRUCTIONS = ("avx512", "avx2", "plain")
DATA_TYPES = {torch.float32: 0, torch.float64: 1, torch.bfloat16: 2}

#: Parts of a batch whose gradients of the weights are added up serially;
#: fixed, so the sums are the same for any number of threads
GROUPS = 64


def why_not():
    """Why the kernels cannot run here, or None if they can.

    Returns
    -------
    str or None
        The reason in one line, with the way out.
    """
    return _REASON


def find_problem():
    """What ``why_not`` says; looks anew."""
    again = "install a C++ compiler (g++ or clang++) and the package again"
    if not LIBRARY.exists():
        reason = "they were not built"
        if BUILD_ERROR.exists():
            reason = BUILD_ERROR.read_text().strip()
        return f"no compiled kernels: {reason}; {again}"
    try:
        library()
    except OSError as error:
        return f"the compiled kernels do not load ({error}); {again}"
    return None


@functools.lru_cache(maxsize=None)
def library():
    """The loaded library; torch is imported first, to share its threads.

    ``SEMAMBA_INSTRUCTIONS`` in the environment forces an instruction set.
    """
    loaded = ctypes.CDLL(str(LIBRARY))
    loaded.semamba_instructions.restype = ctypes.c_char_p
    forced = os.environ.get("SEMAMBA_INSTRUCTIONS")
    if forced and not loaded.semamba_use(forced.encode()):
        raise ValueError(
            f"SEMAMBA_INSTRUCTIONS must be one of {', '.join(INSTRUCTIONS)} "
            f"that this processor has, not {forced!r}; unset it for the best"
        )
    return loaded


# known before torch.compile looks at it
_REASON = find_problem()


def instructions():
    """The instruction set that the kernels use, one of ``INSTRUCTIONS``."""
    return library().semamba_instructions().decode()


def use_instructions(name):
    """Takes another instruction set, for the whole process.

    Arguments
    ---------
    name : str
        One of ``INSTRUCTIONS``.

    Raises
    ------
    ValueError
        If this machine or the library does not have it.
    """
    if not library().semamba_use(name.encode()):
        raise ValueError(f"instruction set {name!r} is not available here")


def run(name, arguments):
    """Calls a kernel, which releases the interpreter's lock meanwhile.

    Arguments
    ---------
    name : str
        Name of the function without its prefix, such as "scan".
    arguments : ctypes.Structure
        Its arguments.
    """
    getattr(library(), f"semamba_{name}")(ctypes.byref(arguments))


class View(ctypes.Structure):
    """A tensor [batch, length, features], the last axis dense."""

    _fields_ = [
        ("data", ctypes.c_void_p),
        ("batch_stride", ctypes.c_int64),
        ("time_stride", ctypes.c_int64),
    ]


def view(tensor):
    """A ``View`` of a tensor [batch, length, features], or of nothing."""
    if tensor is None:
        return View()
    return View(tensor.data_ptr(), tensor.stride(0), tensor.stride(1))


def pointer(tensor):
    """Address of a dense tensor, or of nothing."""
    return None if tensor is None else tensor.data_ptr()


def dense_last(tensor, dtype):
    """The tensor with this type and with the last axis dense.

    Arguments
    ---------
    tensor : torch.Tensor
        Any tensor, or None.
    dtype : torch.dtype
        Wanted type.

    Returns
    -------
    torch.Tensor
        The tensor itself if it is so already.
    """
    if tensor is None:
        return None
    tensor = tensor.to(dtype)
    if tensor.stride(-1) == 1 or tensor.shape[-1] == 1:
        return tensor
    return tensor.contiguous()


def check_shape(name, tensor, shape):
    """Raises a ValueError if a tensor has another shape; None has any."""
    if tensor is not None and tensor.shape != torch.Size(shape):
        raise ValueError(
            f"{name} must be {list(shape)}, not {list(tensor.shape)}"
        )


def dense(tensor, dtype):
    """The tensor with this type and contiguous; None stays None."""
    return None if tensor is None else tensor.to(dtype).contiguous()


def state_dtype(dtype):
    """The type that a kernel computes in for data of a type."""
    return torch.promote_types(dtype, torch.float32)


def _fields(views="", pointers="", integers=""):
    return [
        *((name, View) for name in views.split()),
        *((name, ctypes.c_void_p) for name in pointers.split()),
        *((name, ctypes.c_int64) for name in integers.split()),
    ]


class ScanArguments(ctypes.Structure):
    """As in csrc/arguments.h, and in the same order."""

    _fields_ = _fields(
        integers="data_type num_threads batch length dim state reverse chunk"
    ) + _fields(
        views="u delta z B C y",
        pointers="rate D bias steps initial final checkpoints",
    )


class ScanGradients(ctypes.Structure):
    """As in csrc/arguments.h, and in the same order."""

    _fields_ = [
        ("forward", ScanArguments),
        *_fields(views="y u delta z B C"),
        *_fields(integers="groups"),
        *_fields(pointers="rate D bias"),
    ]


class ConvArguments(ctypes.Structure):
    """As in csrc/arguments.h, and in the same order."""

    _fields_ = _fields(
        integers="data_type num_threads batch length dim width reverse"
    ) + _fields(views="x y", pointers="weight bias")


class ConvGradients(ctypes.Structure):
    """As in csrc/arguments.h, and in the same order."""

    _fields_ = [
        ("forward", ConvArguments),
        *_fields(views="y x"),
        *_fields(integers="groups"),
        *_fields(pointers="weight bias"),
    ]


class NormArguments(ctypes.Structure):
    """As in csrc/arguments.h, and in the same order."""

    _fields_ = [
        *_fields(
            integers="data_type num_threads batch length channels seen_channels"
        ),
        *_fields(views="x seen y", pointers="weight bias slope steps"),
        ("eps", ctypes.c_double),
        *_fields(pointers="mean inverse partial"),
    ]


class NormGradients(ctypes.Structure):
    """As in csrc/arguments.h, and in the same order."""

    _fields_ = [
        ("forward", NormArguments),
        *_fields(views="y x", pointers="weight bias slope"),
    ]


class RmsNormArguments(ctypes.Structure):
    """As in csrc/arguments.h, and in the same order."""

    _fields_ = [
        *_fields(integers="data_type num_threads batch length channels"),
        ("eps", ctypes.c_double),
        *_fields(views="x y", pointers="weight"),
    ]
