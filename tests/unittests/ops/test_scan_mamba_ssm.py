"""The adapter to mamba_ssm, with a stand-in for its kernels."""

import dataclasses
import itertools
import sys
import types

import pytest
import torch
from layers import build
from operators import scan, scan_inputs
from torch.nn.functional import linear

from speechbrain_semamba.nnet.mamba import Mamba
from speechbrain_semamba.ops.backends import (
    BACKENDS,
    choose_backend,
    find_fused_mixer,
)
from speechbrain_semamba.ops.causal_conv import causal_conv_silu
from speechbrain_semamba.ops.scan import mamba_ssm, reference
from speechbrain_semamba.processing.lengths import ValidSizes


def fake_mamba_ssm(monkeypatch, kernel):
    """mamba_ssm as its documentation describes it, on our reference."""

    def selective_scan_fn(
        u, delta, A, B, C, D=None, z=None, delta_bias=None, delta_softplus=False
    ):
        if not delta_softplus:  # the reference always takes the softplus
            delta = delta + torch.log(-torch.expm1(-delta))
        y = reference.scan(
            *(x.transpose(1, 2) for x in (u, delta)),
            A,
            *(x.transpose(1, 2) for x in (B, C)),
            D,
            None if z is None else z.transpose(1, 2),
            delta_bias,
            None,
            False,
        )
        return y.transpose(1, 2)

    interface = types.ModuleType("mamba_ssm.ops.selective_scan_interface")
    interface.selective_scan_cuda = kernel
    interface.selective_scan_fn = selective_scan_fn
    ops = types.ModuleType("mamba_ssm.ops")
    ops.selective_scan_interface = interface
    monkeypatch.setitem(sys.modules, "mamba_ssm", types.ModuleType("mamba_ssm"))
    monkeypatch.setitem(sys.modules, "mamba_ssm.ops", ops)
    monkeypatch.setitem(sys.modules, interface.__name__, interface)
    return interface


@pytest.mark.parametrize(
    "reverse, ragged", itertools.product([False, True], repeat=2)
)
def test_adapter_turns_the_axes(monkeypatch, reverse, ragged):
    fake_mamba_ssm(monkeypatch, kernel=object())
    inputs = scan_inputs(9)
    valid = ValidSizes(torch.tensor([9, 6]), 9) if ragged else None
    y = mamba_ssm.scan(*inputs.values(), valid, reverse)
    expected = scan("reference", lengths=valid, reverse=reverse)(**inputs)
    torch.testing.assert_close(y, expected)


def test_reasons(monkeypatch, uncached):
    assert "CUDA tensors" in mamba_ssm.why_not("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "no CUDA device" in mamba_ssm.why_not("cuda")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    mamba_ssm.why_not.cache_clear()
    monkeypatch.setitem(sys.modules, "mamba_ssm", None)
    assert "mamba_ssm does not import" in mamba_ssm.why_not("cuda")

    mamba_ssm.why_not.cache_clear()
    fake_mamba_ssm(monkeypatch, kernel=None)
    assert "MAMBA_KEEP_CUDA_BUILD" in mamba_ssm.why_not("cuda")

    mamba_ssm.why_not.cache_clear()
    fake_mamba_ssm(monkeypatch, kernel=object())
    assert mamba_ssm.why_not("cuda") is None
    monkeypatch.setitem(sys.modules, "causal_conv1d_cuda", None)
    assert "causal_conv1d" in mamba_ssm.why_not_fused("cuda")
    mamba_ssm.why_not_fused.cache_clear()
    monkeypatch.setitem(
        sys.modules, "causal_conv1d_cuda", types.ModuleType("c")
    )
    assert mamba_ssm.why_not_fused("cuda") is None
    assert choose_backend("cuda").name == "mamba_ssm"
    assert find_fused_mixer("cuda") is mamba_ssm.fused_mixer


def mamba_inner(
    xz,
    conv,
    conv_bias,
    x_proj,
    dt_proj,
    out_proj,
    out_bias,
    A,
    B,
    C,
    D,
    delta_bias,
    delta_softplus,
):
    """mamba_ssm's fused mixer as its documentation describes it."""
    assert out_bias is B is C is None and delta_softplus
    u, z = xz.transpose(1, 2).chunk(2, dim=-1)
    u = causal_conv_silu(u, conv.squeeze(1), conv_bias, backend="pytorch")
    rank, state = dt_proj.shape[1], A.shape[1]
    delta, B, C = linear(u, x_proj).split([rank, state, state], dim=-1)
    delta = linear(delta, dt_proj)
    y = scan("reference")(u, delta, A, B, C, D, z, delta_bias)
    return linear(y, out_proj)


@pytest.mark.parametrize("reverse", [False, True])
def test_fused_mixer_is_the_mixer(monkeypatch, reverse):
    interface = fake_mamba_ssm(monkeypatch, kernel=object())
    interface.mamba_inner_fn = mamba_inner
    row = dataclasses.replace(
        BACKENDS["pytorch"],
        fused_mixer=mamba_ssm.fused_mixer,
        why_not_fused=lambda device_type: None,
    )
    mixer, x = (
        build(Mamba, 20, 3, backend="pytorch").float(),
        torch.ones(2, 9, 20),
    )
    x = x * torch.linspace(-1, 1, 9)[:, None]
    expected = mixer(x, reverse=reverse)
    monkeypatch.setitem(BACKENDS, "pytorch", row)
    torch.testing.assert_close(mixer(x, reverse=reverse), expected)
    del interface.mamba_inner_fn
    with pytest.raises(ImportError):  # so it was called
        mixer(x, reverse=reverse)
