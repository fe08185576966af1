"""Which precision to compute in, and what stays out of half precision."""

import contextlib
import logging
import os
import platform

import torch
from speechbrain.utils.distributed import if_main_process, infer_device
from speechbrain.utils.run_opts import RunOptions

logger = logging.getLogger(__name__)

#: ATen's and oneDNN's instruction sets of x86 that lack bfloat16 arithmetic;
#: environment variables may lower to them what the processor has
NARROW_ATEN = {"NO AVX", "DEFAULT", "AVX2"}
NARROW_ONEDNN = set(
    "SSE41 AVX AVX2 AVX2_VNNI AVX2_VNNI_2 AVX512_CORE AVX512_CORE_VNNI".split()
)


def at_least_float32(x):
    """Half-precision tensors as float32, all others as they are.

    Arguments
    ---------
    x : torch.Tensor
        Floating point.

    Returns
    -------
    torch.Tensor
        In float32 or float64.

    Example
    -------
    >>> at_least_float32(torch.ones(1, dtype=torch.bfloat16)).dtype
    torch.float32
    >>> at_least_float32(torch.ones(1, dtype=torch.float64)).dtype
    torch.float64
    """
    return x.to(torch.promote_types(x.dtype, torch.float32))


def computing_dtype(x):
    """The type that PyTorch's layers compute in, under autocast or not.

    Arguments
    ---------
    x : torch.Tensor
        What they are given.

    Returns
    -------
    torch.dtype
        That of autocast, if it is on for the tensor's device, else x's own.

    Example
    -------
    >>> with torch.autocast("cpu", torch.bfloat16):
    ...     computing_dtype(torch.zeros(1))
    torch.bfloat16
    """
    kind = x.device.type
    # devices without autocast, such as meta, cannot be asked
    if torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(
        kind
    ):
        return torch.get_autocast_dtype(kind)
    return x.dtype


def without_autocast(device_type):
    """A context that autocast leaves alone.

    Arguments
    ---------
    device_type : str
        Such as "cpu"; "meta", which has no autocast, included.

    Returns
    -------
    contextlib.AbstractContextManager
        To be entered once.

    Example
    -------
    >>> with torch.autocast("cpu", torch.bfloat16), without_autocast("cpu"):
    ...     torch.nn.functional.linear(*torch.ones(2, 1, 1)).dtype
    torch.float32
    """
    if device_type == "meta":
        return contextlib.nullcontext()
    return torch.autocast(device_type, enabled=False)


def choose_precision(wanted, device="cpu"):
    """The precision to take for the one that is asked for.

    "auto" takes float32. bfloat16 is faster where the hardware has it, 1.4 to
    1.8 times on a CPU, and costs nothing in the scores that
    ``benchmarks/precision.py`` has compared: PESQ 1.6879 against 1.6873. But
    that was one model of 16 channels and one block, and the paper's size has
    not been measured; with random weights single samples differ by 5 % of the
    peak, with 8 channels by a third of it; and SpeechBrain's own interface,
    or the same command on another processor, would give other waves.

    "bf16" takes bfloat16 unless that would be slower than float32, as it is
    on a CPU that has to emulate it; then it says so, in one line.

    Arguments
    ---------
    wanted : str
        "auto", "bf16", or another of SpeechBrain's names, taken as it is.
    device : str or torch.device
        Where the networks run.

    Returns
    -------
    str
        One of SpeechBrain's names: "fp32", "bf16", "fp16".

    Example
    -------
    >>> choose_precision("auto"), choose_precision("fp16", "cuda")
    ('fp32', 'fp16')
    """
    if wanted == "auto":
        return "fp32"
    if wanted == "bf16" and (reason := why_not_bf16(device)):
        if if_main_process():
            logger.warning("%s: computing in float32, which is faster", reason)
        return "fp32"
    return wanted


def settle_precisions(run_opts, hparams, names=("precision", "eval_precision")):
    """SpeechBrain's run options with the precisions that will be taken.

    Arguments
    ---------
    run_opts : dict or speechbrain.utils.run_opts.RunOptions
        The run options that were given; None for none.
    hparams : dict
        What stands in for options that were not given; None for nothing.
    names : list of str
        The options: precision, eval_precision.

    Returns
    -------
    speechbrain.utils.run_opts.RunOptions
        The same, and the precisions.

    Example
    -------
    >>> settle_precisions({"device": "cpu"}, {"precision": "auto"}).precision
    'fp32'
    """
    if isinstance(run_opts, RunOptions):
        run_opts = {name: run_opts[name] for name in run_opts.overridden_args}
    given = {"precision": "auto", **(hparams or {}), **(run_opts or {})}
    device = given.get("device") or infer_device()
    wanted = {name: given.get(name, "fp32") for name in names}
    # once for two options that say the same
    chosen = {w: choose_precision(w, device) for w in set(wanted.values())}
    settled = {name: chosen[w] for name, w in wanted.items()}
    return RunOptions.from_dictionary({**(run_opts or {}), **settled})


def why_not_bf16(device="cpu"):
    """Why bfloat16 would be slower than float32 on a device.

    A CPU must have AVX512_BF16 or AMX-BF16 (x86) or BF16 (arm64), and oneDNN,
    which uses them. A GPU must be NVIDIA's of 2020 (compute capability 8.0) or
    later, or AMD's.

    Arguments
    ---------
    device : str or torch.device
        Where the networks run.

    Returns
    -------
    str or None
        The reason, None if there is none.

    Example
    -------
    >>> why_not_bf16("meta") is None
    True
    """
    kind = torch.device(device).type
    if kind == "cuda" and not torch.cuda.is_bf16_supported(False):
        return "bf16: this GPU has no bfloat16 arithmetic"
    if kind == "cpu" and not _cpu_has_bf16():
        return (
            "bf16: this processor has no bfloat16 arithmetic that PyTorch "
            "uses (AVX512_BF16, AMX-BF16 or arm64's BF16)"
        )
    return None


def _cpu_has_bf16():
    if not torch.backends.mkldnn.is_available():
        return False
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return torch.ops.mkldnn._is_mkldnn_bf16_supported()
    # on x86 that one is content with AVX-512, which emulates it
    if torch.backends.cpu.get_cpu_capability() in NARROW_ATEN:
        return False
    if os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper() in NARROW_ONEDNN:
        return False
    return (
        torch.cpu._is_avx512_bf16_supported()
        or torch.cpu._is_amx_tile_supported()
    )
