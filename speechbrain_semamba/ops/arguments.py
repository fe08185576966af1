"""The arguments of the compiled kernels: ``csrc/arguments.h`` once more."""

import ctypes

import torch

#: Numbers of the types that the kernels have
DATA_TYPES = {torch.float32: 0, torch.float64: 1, torch.bfloat16: 2}

#: Parts of a batch whose gradients of the weights are added up serially;
#: fixed, so the sums are the same for any number of threads
GROUPS = 64

#: Largest width of the compiled convolution; the smallest is 2
MAX_WIDTH = 4


def state_dtype(dtype):
    """The type that a kernel computes in for data of a type."""
    return torch.promote_types(dtype, torch.float32)


def check_shape(name, tensor, shape):
    """Raises a ValueError if a tensor has another shape; None has any."""
    if tensor is not None and tensor.shape != torch.Size(shape):
        raise ValueError(
            f"{name} must be {list(shape)}, not {list(tensor.shape)}"
        )


def dense(tensor, dtype):
    """The tensor with this type and contiguous; None stays None."""
    return None if tensor is None else tensor.to(dtype).contiguous()


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


def channels_last(x):
    """Features [batch, channels, frames, freq], the channels innermost."""
    return x.contiguous(memory_format=torch.channels_last)


def channels_last_like(x, channels):
    """Memory for features of the size of x, with so many channels."""
    batch, _, frames, freq = x.shape
    return torch.empty(
        (batch, channels, frames, freq),
        dtype=x.dtype,
        device=x.device,
        memory_format=torch.channels_last,
    )


def positions(x):
    """The same features as [batch, frames * freq, channels]."""
    return channels_last(x).permute(0, 2, 3, 1).flatten(1, 2)


class View(ctypes.Structure):
    """A tensor [batch, length, features], the last axis dense."""

    _fields_ = [
        ("data", ctypes.c_void_p),
        ("batch_stride", ctypes.c_int64),
        ("time_stride", ctypes.c_int64),
    ]


class Sequences(ctypes.Structure):
    """A tensor [batch, sequences, length, features], the last axis dense."""

    _fields_ = [
        ("data", ctypes.c_void_p),
        ("batch_stride", ctypes.c_int64),
        ("sequence_stride", ctypes.c_int64),
        ("time_stride", ctypes.c_int64),
    ]


class Arguments(ctypes.Structure):
    """What a kernel gets; keeps the tensors that it points to alive.

    Arguments
    ---------
    **fields : dict
        By their names in ``csrc/arguments.h``. A tensor for a view or for an
        address, None where there is none; what is not named is 0.

    Example
    -------
    >>> x = torch.zeros(2, 3, 5)
    >>> arguments = RmsNormArguments(channels=5, x=x)
    >>> arguments.x.time_stride, arguments.x.data == x.data_ptr()
    (5, True)
    """

    def __init__(self, **fields):
        super().__init__()
        self._alive = fields
        types = dict(self._fields_)
        for name, value in fields.items():
            setattr(self, name, _as_field(types[name], value))


def _as_field(kind, value):
    """A number or a structure as it is, a tensor as a view or an address."""
    if kind in (View, Sequences):
        if value is None:
            return kind()
        return kind(value.data_ptr(), *value.stride()[:-1])
    if kind is ctypes.c_void_p:
        return None if value is None else value.data_ptr()
    return value


def _fields(views="", pointers="", integers=""):
    return [
        *((name, View) for name in views.split()),
        *((name, ctypes.c_void_p) for name in pointers.split()),
        *((name, ctypes.c_int64) for name in integers.split()),
    ]


class ScanArguments(Arguments):
    """Of the scan."""

    _fields_ = [
        *_fields(integers="data_type num_threads batch length dim state"),
        *_fields(integers="reverse chunk"),
        *_fields(views="u delta z B C y"),
        *_fields(pointers="rate D bias sizes initial final checkpoints"),
    ]


class ScanGradients(Arguments):
    """Of the scan's gradient."""

    _fields_ = [
        ("forward", ScanArguments),
        *_fields(views="y u delta z B C"),
        *_fields(integers="groups"),
        *_fields(pointers="rate D bias"),
    ]


class ConvArguments(Arguments):
    """Of the convolution."""

    _fields_ = [
        *_fields(integers="data_type num_threads batch length dim width"),
        *_fields(integers="reverse"),
        *_fields(views="x y", pointers="weight bias"),
    ]


class ConvGradients(Arguments):
    """Of the convolution's gradient."""

    _fields_ = [
        ("forward", ConvArguments),
        *_fields(views="y x"),
        *_fields(integers="groups"),
        *_fields(pointers="weight bias"),
    ]


class NormArguments(Arguments):
    """Of the instance normalisation."""

    _fields_ = [
        *_fields(integers="data_type num_threads batch length channels"),
        *_fields(integers="seen_channels part"),
        *_fields(views="x seen y", pointers="weight bias slope sizes"),
        ("eps", ctypes.c_double),
        *_fields(pointers="mean inverse partial"),
    ]


class NormGradients(Arguments):
    """Of the instance normalisation's gradient."""

    _fields_ = [
        ("forward", NormArguments),
        *_fields(views="y x", pointers="weight bias slope"),
    ]


class RmsNormArguments(Arguments):
    """Of the root-mean-square normalisation."""

    _fields_ = [
        *_fields(integers="data_type num_threads batch length channels"),
        ("eps", ctypes.c_double),
        *_fields(views="x y", pointers="weight"),
    ]


class MixerWeights(Arguments):
    """Of one direction of a Mamba pair."""

    _fields_ = [
        *_fields(pointers="norm in_proj conv conv_bias x_proj dt dt_bias"),
        *_fields(pointers="A D out_proj"),
        ("eps", ctypes.c_double),
    ]


class MixerArguments(Arguments):
    """Of a Mamba pair."""

    _fields_ = [
        *_fields(integers="data_type num_threads batch sequences length"),
        *_fields(integers="channels dim state rank width"),
        ("x", Sequences),
        ("y", Sequences),
        *_fields(pointers="sizes"),
        ("forward", MixerWeights),
        ("backward", MixerWeights),
        *_fields(pointers="projection bias"),
    ]


class Conv3x3Arguments(Arguments):
    """Of a 3x3 convolution of joined maps."""

    _fields_ = [
        *_fields(integers="num_threads batch frames freq maps channels"),
        *_fields(integers="outputs dilation"),
        *_fields(pointers="x weight bias"),
        *_fields(views="y"),
    ]


class Conv3x3Gradients(Arguments):
    """Of the gradient of the weight of a 3x3 convolution."""

    _fields_ = [
        *_fields(integers="data_type num_threads batch frames freq channels"),
        *_fields(integers="seen_channels dilation"),
        *_fields(views="x y", integers="groups"),
        *_fields(pointers="weight bias"),
    ]


#: The structure that each kernel takes
STRUCTURES = {
    "scan": ScanArguments,
    "scan_backward": ScanGradients,
    "conv": ConvArguments,
    "conv_backward": ConvGradients,
    "norm": NormArguments,
    "norm_backward": NormGradients,
    "rms_norm": RmsNormArguments,
    "mixer": MixerArguments,
    "conv3x3": Conv3x3Arguments,
    "conv3x3_weight": Conv3x3Gradients,
}
