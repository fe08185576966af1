"""The selective scan on NVIDIA's GPUs: ``ops.triton`` behind the operator."""

import functools
import importlib.util

import torch

from speechbrain_semamba.ops.scan import cpu

#: The oldest compute capability that the kernels were compiled for
OLDEST = (7, 5)

#: The same operator, one schema, gradient and fake, on two devices
scan = cpu.scan


@functools.lru_cache(maxsize=None)
def why_not(device_type):
    """Why ``scan`` cannot run on a device, or None if it can.

    Arguments
    ---------
    device_type : str
        "cuda", "cpu", ...

    Returns
    -------
    str or None
        The reason in one line, with the way out.

    Example
    -------
    >>> why_not("cpu")
    'the kernel is for CUDA tensors'
    """
    if device_type != "cuda":
        return "the kernel is for CUDA tensors"
    if torch.version.hip is not None:
        return "the kernel is for NVIDIA GPUs, this PyTorch is for AMD's"
    if not torch.cuda.is_available():
        return "PyTorch finds no CUDA device"
    if torch.cuda.get_device_capability() < OLDEST:
        found = ".".join(map(str, torch.cuda.get_device_capability()))
        return f"the GPU must have compute capability 7.5 (2018), not {found}"
    # not imported here: that takes longer than to enhance a sentence
    if importlib.util.find_spec("triton") is None:
        return (
            "there is no triton, which PyTorch's CUDA wheels for Linux bring; "
            "pip install triton"
        )
    return None


def run_scan(
    u,
    delta,
    A,
    B,
    C,
    D,
    z,
    delta_bias,
    sizes,
    initial_state,
    reverse,
    keep_states,
):
    """``cpu.selective_scan`` for CUDA tensors; float16 as well."""
    from speechbrain_semamba.ops.triton import scan

    y, final, states = cpu.outputs(u, A, keep_states)
    given = (u, delta, A, B, C, D, z, delta_bias, sizes, reverse, cpu.CHUNK)
    kept = states if keep_states else None
    scan.run(scan.scan_arguments(*given), y, initial_state, final, kept)
    return y, final, states


def run_scan_backward(
    grad_y, u, delta, A, B, C, D, z, delta_bias, sizes, states, reverse
):
    """``cpu.selective_scan_backward`` for CUDA tensors."""
    from speechbrain_semamba.ops.triton import scan, scan_backward

    given = (u, delta, A, B, C, D, z, delta_bias, sizes, reverse, cpu.CHUNK)
    arguments = scan.scan_arguments(*given)
    grads = scan_backward.run(arguments, grad_y, states)
    grads["A"] = grads.pop("rate").T.contiguous()
    return [grads[name] for name in "u delta A B C D z bias".split()]


cpu.selective_scan.on("CUDA", run_scan)
cpu.selective_scan_backward.on("CUDA", run_scan_backward)
