"""A run of each compiled operator, for what all of them have to do."""

import contextlib

import torch
from operators import (
    conv3x3_inputs,
    conv_inputs,
    joined_inputs,
    norm_inputs,
    normal,
    pair_inputs,
    scan_inputs,
)

from speechbrain_semamba.ops.arguments import GROUPS
from speechbrain_semamba.ops.causal_conv import causal_conv_silu
from speechbrain_semamba.ops.conv3x3 import conv3x3_weight, joined_conv3x3
from speechbrain_semamba.ops.instance_norm import instance_norm_prelu
from speechbrain_semamba.ops.mamba_mixer import mamba_pair
from speechbrain_semamba.ops.rms_norm import rms_norm
from speechbrain_semamba.ops.scan import cpu
from speechbrain_semamba.ops.selective_scan import selective_scan


@contextlib.contextmanager
def threads(count):
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def in_float32(inputs, grad):
    return [
        None if x is None else x.float().requires_grad_(grad)
        for x in inputs.values()
    ]


def scan_tensors(batch=3, length=40, dim=37, state=5, grad=True):
    """u, delta, A, B, C, D, z and delta_bias."""
    return in_float32(scan_inputs(length, dim, state, batch), grad)


def conv_tensors(batch=3, length=40, dim=37, width=4, grad=True):
    """x, weight and bias."""
    return in_float32(conv_inputs(length, dim, width, batch), grad)


def conv3x3_tensors(channels=21, outputs=13, frames=27, freq=29, grad=True):
    """x, weight and bias."""
    inputs = conv3x3_inputs(2, channels, outputs, frames, freq)
    return in_float32(inputs, grad)


def norm_tensors(channels=21, frames=27, freq=29, more=3, grad=True):
    """x, weight, bias, slope and seen."""
    inputs = norm_inputs(2, channels, frames, freq, more)
    del inputs["sizes"]
    return in_float32(inputs, grad)


def with_gradients(y, inputs):
    """The result of an operator and what autograd makes of it."""
    inputs = [x for x in inputs if x is not None]
    weight = torch.cos(torch.arange(y.numel())).view(y.shape).to(y.dtype)
    return [y.detach(), *torch.autograd.grad((y * weight).sum(), inputs)]


def run_scan(reverse=False, lengths=None, batch=3):
    inputs = scan_tensors(batch)
    if lengths is not None:
        lengths = torch.tensor(lengths)
    y = selective_scan(*inputs, lengths=lengths, reverse=reverse, backend="cpu")
    return with_gradients(y, inputs)


def run_conv(reverse=False, width=4, batch=3):
    inputs = conv_tensors(batch, width=width)
    y = causal_conv_silu(*inputs, reverse, "cpu")
    return with_gradients(y, inputs)


def run_norm(sizes=None, more=3, channels=21):
    inputs = norm_tensors(channels, more=more)
    sizes = None if sizes is None else torch.tensor(sizes)
    y, mean, inverse = instance_norm_prelu(*inputs, sizes, 1e-5)
    return [mean, inverse, *with_gradients(y, inputs)]


def run_conv3x3_weight(channels=21, dilation=2):
    x, *_ = conv3x3_tensors(channels, grad=False)
    grad_y, *_ = conv3x3_tensors(13, grad=False)
    return list(conv3x3_weight(grad_y, x, dilation))


def run_joined_conv3x3(maps=3, channels=21, dilation=2):
    inputs = joined_inputs(maps, channels, 13, 27, 29)
    maps = [x.float() for x in inputs["maps"]]
    weights = inputs["weight"].float(), inputs["bias"].float()
    return [joined_conv3x3(maps, *weights, dilation)]


def run_states():
    """What only the operator gives: the final state and those between."""
    inputs = scan_tensors(grad=False)
    sizes = torch.tensor([40, 17, 0])
    return list(cpu.selective_scan(*inputs, sizes, None, True, True))


def run_rms_norm():
    x, weight = normal(3, 400, 37).float(), normal(37, seed=1).float()
    return [rms_norm(x, weight, 1e-5)]


def run_pair(sizes=None, dtype=torch.float32):
    inputs = pair_inputs(channels=21, length=101)
    inputs["x"] = inputs["x"].to(dtype)
    sizes = None if sizes is None else torch.tensor(sizes)
    return [mamba_pair(**inputs, sizes=sizes)]


def run_half():
    u, delta, A, B, C, _, z, _ = scan_tensors(grad=False)
    u, delta, z = (x.bfloat16() for x in (u, delta, z))
    sizes = torch.tensor([40, 17, 0])
    x, *weights = norm_tensors(grad=False)
    scanned = u, delta, A, B, C, None, z, None, sizes, None
    return [
        *cpu.selective_scan(*scanned, False, True),
        causal_conv_silu(u, *conv_tensors(grad=False)[1:], backend="cpu"),
        *instance_norm_prelu(x.bfloat16(), *weights, sizes[:2], 1e-5),
        rms_norm(u, A[:, 0], 1e-5),
    ]


#: Each gives results and gradients of one operator
RUNS = {
    "scan": run_scan,
    "reverse scan": lambda: run_scan(True),
    "ragged scan": lambda: run_scan(False, [0.5, 1.0, 0.05]),
    "ragged reverse scan": lambda: run_scan(True, [0.5, 1.0, 0.05]),
    "scan of many": lambda: run_scan(batch=GROUPS + 7),
    "states": run_states,
    "conv": run_conv,
    "reverse conv": lambda: run_conv(True, 2),
    "conv of many": lambda: run_conv(batch=GROUPS + 7),
    "norm": run_norm,
    "norm of one": lambda: run_norm(more=0, channels=1),
    "ragged norm": lambda: run_norm([11, 27]),
    "rms norm": run_rms_norm,
    "pair": run_pair,
    "ragged pair": lambda: run_pair([101, 0]),
    "pair in bfloat16": lambda: run_pair(dtype=torch.bfloat16),
    "joined conv3x3": run_joined_conv3x3,
    "joined conv3x3 of one": lambda: run_joined_conv3x3(1, 1, 30),
    "conv3x3 weight": run_conv3x3_weight,
    "conv3x3 weight of one": lambda: run_conv3x3_weight(1, 30),
    "all in bfloat16": run_half,
}


def assert_identical(ours, expected):
    assert len(ours) == len(expected)
    for x, y in zip(ours, expected):
        assert not y.isnan().any()
        assert torch.equal(x, y)
