"""Scan and convolution on a card against the reference in float64."""

import pytest
import torch
from operators import (
    REVERSE,
    TOLERANCES,
    assert_equal,
    assert_same,
    cast,
    conv_inputs,
    scan,
    scan_inputs,
    values_and_gradients,
)

from speechbrain_semamba.ops.backends import BACKENDS, UnavailableBackend
from speechbrain_semamba.ops.causal_conv import causal_conv_silu
from speechbrain_semamba.ops.selective_scan import selective_scan

#: Largest error of a value and of a gradient, over the largest magnitude
HALVES = {torch.bfloat16: (2e-2, 4e-2), torch.float16: (3e-3, 1e-2)}
BY_NAME = pytest.mark.parametrize(
    "backend", [name for name in BACKENDS if name not in ("cpu", "reference")]
)


def ready(backend):
    if reason := BACKENDS[backend].why_not("cuda"):
        pytest.skip(reason)


def on_card(inputs):
    return {k: v if v is None else v.cuda() for k, v in inputs.items()}


def back(found):
    return {k: v.cpu() for k, v in found.items()}


@BY_NAME
@REVERSE
@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize(
    "length, dim, state",
    [(1, 5, 1), (17, 37, 8), (100, 256, 16), (321, 64, 32)],
)
def test_scan(backend, length, dim, state, ragged, reverse):
    ready(backend)
    lengths = torch.tensor([0.6, 1.0]) if ragged else None
    options = {"lengths": lengths, "reverse": reverse}
    inputs = scan_inputs(length, dim, state)
    expected = values_and_gradients(scan("reference", **options), inputs)
    if ragged:
        options["lengths"] = lengths.cuda()
    for dtype in (torch.float32, *BACKENDS[backend].half):
        given = on_card(cast(inputs, torch.float32))
        for name in ("u", "delta", "z"):
            given[name] = given[name].to(dtype)
        ours = values_and_gradients(scan(backend, **options), given)
        assert ours["y"].dtype == dtype
        tolerances = {**TOLERANCES, **HALVES}[dtype]
        assert_same(back(ours), expected, tolerances, dtype)


@BY_NAME
@REVERSE
@pytest.mark.parametrize("width", [2, 4])
def test_conv(backend, width, reverse):
    ready(backend)
    inputs = conv_inputs(100, 256, width, 3)
    options = {"reverse": reverse, "backend": "pytorch"}
    expected = values_and_gradients(
        lambda **x: causal_conv_silu(**x, **options), inputs
    )
    options["backend"] = backend
    for dtype in (torch.float32, *BACKENDS[backend].half):
        ours = values_and_gradients(
            lambda **x: causal_conv_silu(**x, **options),
            on_card(cast(inputs, dtype)),
        )
        assert ours["y"].dtype == dtype
        tolerances = {**TOLERANCES, **HALVES}[dtype]
        assert_same(back(ours), expected, tolerances, dtype)


@BY_NAME
def test_same_bits_every_time(backend):
    if backend == "mamba_ssm":
        pytest.skip("its gradients are added up in no fixed order")
    ready(backend)
    inputs = on_card(cast(scan_inputs(100, 256, 16, 64), torch.float32))
    first = values_and_gradients(scan(backend), inputs)
    for _ in range(3):
        assert_equal(values_and_gradients(scan(backend), inputs), first)


def test_on_a_card_that_is_not_the_current_one():
    if torch.cuda.device_count() < 2:
        pytest.skip("there is one card")
    ready("triton")
    inputs = cast(scan_inputs(20), torch.float32)
    expected = selective_scan(**on_card(inputs), backend="triton").cpu()
    assert torch.cuda.current_device() == 0
    inputs = {k: v.to("cuda:1") for k, v in inputs.items()}
    ours = selective_scan(**inputs, backend="triton")
    assert torch.equal(ours.cpu(), expected)


def test_auto_is_ready_and_the_cpus_is_not():
    assert selective_scan(**on_card(scan_inputs(4))).device.type == "cuda"
    with pytest.raises(UnavailableBackend):
        selective_scan(**on_card(scan_inputs(4)), backend="cpu")
