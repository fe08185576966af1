"""The back ends of the selective scan: what each can do, and which one runs."""

import functools
import logging
import os
from dataclasses import dataclass
from typing import Callable, Optional, Tuple

import torch

from speechbrain_semamba.ops.scan import (
    cpu,
    mamba_ssm,
    pytorch,
    reference,
    triton,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Backend:
    """What there is to know of a back end.

    Arguments
    ---------
    name : str
        What it is asked for by.
    scan : callable
        Takes what ``ops.selective_scan`` takes, with ``ValidSizes`` for the
        lengths, all tensors in float32 or float64.
    why_not : callable
        Maps the type of a device, such as "cuda", to the reason why ``scan``
        cannot run there, in one line with the way out, or to None.
    device : str
        The only type of device that it is for; None for all.
    half : tuple of torch.dtype
        What u, delta and z may be beside float32 and float64.
    fused_mixer : callable
        Runs a whole Mamba mixer, see ``scan.mamba_ssm``; None for none.
    why_not_fused : callable
        As ``why_not``, of ``fused_mixer``.
    operators : bool
        Whether its scan is the operator semamba::selective_scan; then the
        convolution is semamba::causal_conv_silu.
    cpu_kernels : bool
        Whether the other compiled operators go with it.
    """

    name: str
    scan: Callable
    why_not: Callable
    device: Optional[str] = None
    half: Tuple[torch.dtype, ...] = ()
    fused_mixer: Optional[Callable] = None
    why_not_fused: Optional[Callable] = None
    operators: bool = False
    cpu_kernels: bool = False


#: Of the environment: what "auto" takes
VARIABLE = "SEMAMBA_BACKEND"

#: "auto" takes the first that is ready; those for one device come first, and
#: last the reference, so that it is taken by name alone
BACKENDS = {
    row.name: row
    for row in (
        Backend(
            "mamba_ssm",
            mamba_ssm.scan,
            mamba_ssm.why_not,
            device="cuda",
            fused_mixer=mamba_ssm.fused_mixer,
            why_not_fused=mamba_ssm.why_not_fused,
        ),
        Backend(
            "triton",
            triton.scan,
            triton.why_not,
            device="cuda",
            half=(torch.bfloat16, torch.float16),
            operators=True,
        ),
        Backend(
            "cpu",
            cpu.scan,
            cpu.why_not,
            device="cpu",
            half=(torch.bfloat16,),
            operators=True,
            cpu_kernels=True,
        ),
        Backend("pytorch", pytorch.scan, pytorch.why_not),
        Backend("reference", reference.scan, reference.why_not),
    )
}


class UnavailableBackend(RuntimeError, ValueError):
    """A back end that was asked for by name, and cannot run here."""


def choose_backend(device, backend="auto"):
    """The back end that will run on a device.

    Arguments
    ---------
    device : torch.device
        Where the tensors are.
    backend : str
        "auto", or a key of ``BACKENDS``, which never falls back. "auto" is
        what ``SEMAMBA_BACKEND`` in the environment says, if it is there.

    Returns
    -------
    Backend
        A row of ``BACKENDS``.

    Raises
    ------
    ValueError
        If there is no back end of this name.
    UnavailableBackend
        If the back end asked for by name cannot run here; says why.

    Example
    -------
    >>> choose_backend("cpu", "pytorch").name
    'pytorch'
    """
    device_type = torch.device(device).type
    asked = "the scan back end"
    if backend == "auto" and VARIABLE in os.environ:
        asked, backend = VARIABLE, os.environ[VARIABLE]
    if backend == "auto":
        return _choose_first(device_type)
    if backend not in BACKENDS:
        raise ValueError(
            f"{asked} must be 'auto' or one of {list(BACKENDS)}, "
            f"not {backend!r}"
        )
    reason = _reason(backend, "why_not", device_type)
    if reason is not None:
        way_out = f"; or unset {VARIABLE}" if asked == VARIABLE else ""
        raise UnavailableBackend(
            f"scan back end {backend!r} cannot run on {device_type}: "
            f"{reason}{way_out}"
        )
    return BACKENDS[backend]


def use_operators(x, backend="auto"):
    """Whether the scan and the convolution beside it are our operators.

    Arguments
    ---------
    x : torch.Tensor
        What they would work on.
    backend : str
        "auto", or a key of ``BACKENDS``.

    Returns
    -------
    bool
        True if they go with the back end, and have the tensor's type.

    Example
    -------
    >>> use_operators(torch.zeros(1), "pytorch")
    False
    """
    row = choose_backend(x.device, backend)
    return row.operators and _reads(row, x)


def use_cpu_kernels(x, backend="auto"):
    """Whether the CPU's operators beside these two are to be used.

    Arguments
    ---------
    x : torch.Tensor
        What they would work on.
    backend : str
        "auto", or a key of ``BACKENDS``.

    Returns
    -------
    bool
        True if they go with the back end, and have the tensor's type.

    Example
    -------
    >>> use_cpu_kernels(torch.zeros(1), "pytorch")
    False
    """
    row = choose_backend(x.device, backend)
    return row.cpu_kernels and _reads(row, x)


def _reads(row, x):
    return x.dtype in (torch.float32, torch.float64, *row.half)


def find_fused_mixer(device, backend="auto"):
    """The kernel that runs a whole Mamba mixer, if the back end has one.

    Arguments
    ---------
    device : torch.device
        Where the tensors are.
    backend : str
        "auto", or a key of ``BACKENDS``.

    Returns
    -------
    callable or None
        The ``fused_mixer`` of the back end that runs there.

    Example
    -------
    >>> find_fused_mixer(torch.device("cpu")) is None
    True
    """
    row = choose_backend(device, backend)
    if row.fused_mixer is None:
        return None
    device_type = torch.device(device).type
    ready = _reason(row.name, "why_not_fused", device_type) is None
    return row.fused_mixer if ready else None


def _reason(name, question, device_type):
    """What a row answers: None, or a reason."""
    return getattr(BACKENDS[name], question)(device_type)


# torch.compile takes the answer, and does not follow it into imports and CUDA:
# what torch.compiler.assume_constant_result does, which imports the compiler
_reason._dynamo_marked_constant = True


def _choose_first(device_type):
    """What "auto" takes; there is always a row that runs on every device."""
    reasons = []
    for row in BACKENDS.values():
        if row.device not in (None, device_type):
            continue
        reason = _reason(row.name, "why_not", device_type)
        if reason is None:
            # a log would break torch.compile's graph in two
            if not torch.compiler.is_compiling():
                _log_once(device_type, row, tuple(reasons))
            return row
        reasons.append(f"{row.name}: {reason}")


@functools.lru_cache(maxsize=None)
def _log_once(device_type, row, reasons):
    """A warning if what is made for the device is missing."""
    choice = f"selective scan on {device_type}: {row.name}"
    if row.device is None and reasons:
        logger.warning("%s, which is slow (%s)", choice, "; ".join(reasons))
    else:
        logger.info(choice)
