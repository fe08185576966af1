"""Adapter to the CUDA kernels of mamba_ssm (github.com/state-spaces/mamba).

``scan`` needs its compiled Mamba-1 kernel; ``fused_mixer``, which runs a
whole Mamba mixer in one kernel, needs causal_conv1d as well.
"""

import functools

import torch
from torch.nn.functional import softplus

_REBUILD = (
    "MAMBA_KEEP_CUDA_BUILD=TRUE pip install --no-cache-dir "
    "--no-build-isolation mamba-ssm"
)


@functools.lru_cache(maxsize=None)
def why_not(device_type="cuda"):
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
    if not torch.cuda.is_available():
        return "PyTorch finds no CUDA device"
    try:
        from mamba_ssm.ops import selective_scan_interface
    except ImportError as error:
        return (
            f"mamba_ssm does not import ({error}); on a machine with nvcc, "
            f"{_REBUILD} causal-conv1d"
        )
    # from July 2026 on mamba_ssm imports without its compiled kernel
    if getattr(selective_scan_interface, "selective_scan_cuda", None) is None:
        return f"mamba_ssm was built without its Mamba-1 kernel; {_REBUILD} --force-reinstall --no-deps"
    return None


@functools.lru_cache(maxsize=None)
def why_not_fused(device_type="cuda"):
    """Why ``fused_mixer`` cannot run on a device, or None if it can."""
    reason = why_not(device_type)
    if reason is not None:
        return reason
    try:
        import causal_conv1d_cuda  # noqa: F401
    except ImportError as error:
        return (
            f"the kernel of causal_conv1d does not import ({error}); "
            "pip install --no-build-isolation causal-conv1d"
        )
    return None


def scan(u, delta, A, B, C, D, z, delta_bias, valid, reverse):
    """Arguments as ``ops.backends.Backend`` says; mamba_ssm has length last."""
    from mamba_ssm.ops.selective_scan_interface import selective_scan_fn

    if valid is not None:
        mask = valid.mask.unsqueeze(-1)
        # a step of zero leaves the state as it is, so the softplus must
        # come before the mask, outside the kernel
        delta = delta if delta_bias is None else delta + delta_bias
        delta, delta_bias = softplus(delta) * mask, None

    def turn(x):
        if x is None:
            return None
        return (x.flip(1) if reverse else x).transpose(1, 2).contiguous()

    y = selective_scan_fn(
        turn(u),
        turn(delta),
        A.contiguous(),
        turn(B),
        turn(C),
        D,
        z=turn(z),
        delta_bias=delta_bias,
        delta_softplus=valid is None,
    ).transpose(1, 2)
    y = y.flip(1) if reverse else y
    return y if valid is None else y * mask


def fused_mixer(
    xz, conv, conv_bias, x_proj, dt_proj, delta_bias, A, D, out_proj, reverse
):
    """Everything of a Mamba mixer after its input projection.

    Arguments
    ---------
    xz : torch.Tensor
        Projected input, and gate [batch, length, 2 * dim].
    conv, conv_bias : torch.Tensor
        Filters of the causal convolution [dim, 1, width], and its bias [dim].
    x_proj : torch.Tensor
        Weight that gives the step size's low rank, B and C
        [rank + 2 * state, dim].
    dt_proj, delta_bias : torch.Tensor
        Weight that gives the step size [dim, rank], and its bias [dim].
    A : torch.Tensor
        Decay rates [dim, state], negative.
    D : torch.Tensor
        Skip connection [dim].
    out_proj : torch.Tensor
        Weight of the output projection [channels, dim].
    reverse : bool
        Run from the last step to the first.

    Returns
    -------
    torch.Tensor
        Output [batch, length, channels].
    """
    from mamba_ssm.ops.selective_scan_interface import mamba_inner_fn

    xz = xz.flip(1) if reverse else xz
    y = mamba_inner_fn(
        xz.transpose(1, 2).contiguous(),
        conv,
        conv_bias,
        x_proj,
        dt_proj,
        out_proj,
        None,  # no bias of the output projection
        A,
        None,  # B and C depend on the input
        None,
        D.float(),
        delta_bias=delta_bias.float(),
        delta_softplus=True,
    )
    return y.flip(1) if reverse else y
