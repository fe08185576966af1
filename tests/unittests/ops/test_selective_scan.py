"""Values and gradients of every back end against the reference."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from operators import assert_same, cast, scan, scan_inputs, values_and_gradients

from speechbrain_semamba.ops.backends import BACKENDS
from speechbrain_semamba.ops.selective_scan import selective_scan
from speechbrain_semamba.processing.lengths import ValidSizes

READY = [
    name
    for name, row in BACKENDS.items()
    if row.why_not("cpu") is None and name != "reference"
]
LENGTHS = (1, 2, 63, 100, 321)


@pytest.mark.parametrize("backend", READY)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(
    "dtype, tolerance", [(torch.float64, 1e-10), (torch.float32, 1e-4)]
)
def test_against_reference(backend, reverse, ragged, length, dtype, tolerance):
    lengths = torch.tensor([0.5, 1.0]) if ragged else None
    options = {"lengths": lengths, "reverse": reverse}
    inputs = scan_inputs(length)
    expected = values_and_gradients(scan("reference", **options), inputs)
    inputs = cast(inputs, dtype)
    ours = values_and_gradients(scan(backend, **options), inputs)
    assert ours["y"].dtype == dtype
    assert_same(ours, expected, (tolerance, tolerance))


@pytest.mark.parametrize("backend", READY)
@pytest.mark.parametrize("state", [1, 8, 16])
def test_optional_inputs_and_strides(backend, state):
    inputs = scan_inputs(17, dim=7, state=state, batch=3)
    for name in ("D", "z", "delta_bias"):
        inputs[name] = None
    inputs["u"] = inputs["u"].transpose(1, 2).contiguous().transpose(1, 2)
    assert not inputs["u"].is_contiguous()
    expected = values_and_gradients(scan("reference"), inputs)
    ours = values_and_gradients(scan(backend), inputs)
    assert_same(ours, expected, (1e-10, 1e-10))


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("backend", [*READY, "reference"])
def test_gradcheck(backend, reverse):
    inputs = scan_inputs(6, dim=3, state=2)
    inputs = [x.requires_grad_() for x in inputs.values()]
    lengths = torch.tensor([1.0, 0.5])

    def run(*tensors):
        return selective_scan(
            *tensors, lengths=lengths, reverse=reverse, backend=backend
        )

    assert torch.autograd.gradcheck(run, inputs)


@pytest.mark.parametrize("backend", [*READY, "reference"])
def test_ragged_equals_alone(backend):
    inputs = scan_inputs(10)
    per_item = ("u", "delta", "B", "C", "z")
    for reverse in (False, True):
        options = {"reverse": reverse, "backend": backend}
        together = selective_scan(
            **inputs, lengths=torch.tensor([0.6, 1.0]), **options
        )
        alone = {
            k: v[:1, :6] if k in per_item else v for k, v in inputs.items()
        }
        expected = selective_scan(**alone, **options)[0]
        torch.testing.assert_close(together[0, :6], expected)
        assert together[0, 6:].abs().max() == 0


@settings(max_examples=25, deadline=None)
@given(
    batch=st.integers(1, 5),
    length=st.integers(1, 40),
    dim=st.integers(1, 20),
    state=st.integers(1, 9),
    reverse=st.booleans(),
)
def test_any_shape(batch, length, dim, state, reverse):
    inputs = scan_inputs(length, dim, state, batch)
    ours, expected = (
        values_and_gradients(scan(backend, reverse=reverse), inputs)
        for backend in ("auto", "reference")
    )
    assert_same(ours, expected, (1e-9, 1e-9))


def test_float32_state_under_autocast():
    inputs = cast(scan_inputs(63), torch.float32)
    expected = selective_scan(**inputs)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(selective_scan(**inputs), expected)
        half = {k: v.bfloat16() for k, v in inputs.items() if k != "A"}
        y = selective_scan(**half, A=inputs["A"])
    assert y.dtype == torch.bfloat16
    exact = {k: v.float() for k, v in half.items()}
    torch.testing.assert_close(
        y, selective_scan(**exact, A=inputs["A"]).bfloat16()
    )


def test_wrong_shape_is_named():
    inputs = scan_inputs(4)
    inputs["B"] = inputs["B"][:, :-1]
    with pytest.raises(ValueError, match=r"B must be \[2, 4, 3\].*\[2, 3, 3\]"):
        selective_scan(**inputs)


@pytest.mark.parametrize("backend", [*READY, "reference"])
def test_lengths_may_be_sizes_already(backend):
    inputs, sizes = scan_inputs(10), torch.tensor([6, 10])
    expected = scan(backend, lengths=sizes / 10)(**inputs)
    y = scan(backend, lengths=ValidSizes(sizes, 10))(**inputs)
    assert torch.equal(y, expected) and not y[0, 6:].any()


def test_lengths_of_another_batch_are_an_error():
    with pytest.raises(ValueError, match=r"lengths must be \[2\].*\[3\]"):
        selective_scan(**scan_inputs(4), lengths=torch.ones(3))
