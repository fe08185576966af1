"""Values and gradients of every back end against the reference."""

import itertools
import logging
import sys
import types

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speechbrain_semamba.ops import selective_scan as module
from speechbrain_semamba.ops.scan import mamba_ssm as cuda
from speechbrain_semamba.ops.scan import pytorch
from speechbrain_semamba.ops.selective_scan import (
    BACKENDS,
    choose_backend,
    selective_scan,
)

READY = [
    name
    for name, backend in BACKENDS.items()
    if backend.why_not("cpu") is None and name != "reference"
]
LENGTHS = (1, 2, 63, 100, 321)


def make_inputs(length, batch=2, dim=5, state=3, dtype=torch.float64):
    """Arguments of the scan, of the sizes that Mamba gives them."""
    generator = torch.Generator().manual_seed(length)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    inputs = {
        "u": normal(batch, length, dim),
        "delta": normal(batch, length, dim),
        "A": -normal(dim, state).exp(),
        "B": normal(batch, length, state),
        "C": normal(batch, length, state),
        "D": normal(dim),
        "z": normal(batch, length, dim),
        "delta_bias": normal(dim) - 2,
    }
    return {k: v.to(dtype).requires_grad_() for k, v in inputs.items()}


def values_and_gradients(inputs, **options):
    y = selective_scan(**inputs, **options)
    weight = torch.cos(torch.arange(y.numel(), dtype=y.dtype)).view_as(y)
    given = [x for x in inputs.values() if x is not None]
    return [y, *torch.autograd.grad((y * weight).sum(), given)]


def assert_same(ours, reference, tolerance):
    for x, expected in zip(ours, reference):
        scale = expected.abs().max().clamp(min=1e-30)
        assert (x.double() - expected).abs().max() / scale < tolerance


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
    reference = values_and_gradients(
        make_inputs(length), backend="reference", **options
    )
    ours = values_and_gradients(
        make_inputs(length, dtype=dtype), backend=backend, **options
    )
    assert ours[0].dtype == dtype
    assert_same(ours, reference, tolerance)


@pytest.mark.parametrize("backend", READY)
@pytest.mark.parametrize("state", [1, 8, 16])
def test_optional_inputs_and_strides(backend, state):
    inputs = make_inputs(17, batch=3, dim=7, state=state)
    for name in ("D", "z", "delta_bias"):
        inputs[name] = None
    turned = inputs["u"].detach().transpose(1, 2).contiguous().transpose(1, 2)
    inputs["u"] = turned.requires_grad_()
    assert not inputs["u"].is_contiguous()
    reference = values_and_gradients(inputs, backend="reference")
    assert_same(values_and_gradients(inputs, backend=backend), reference, 1e-10)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("backend", [*READY, "reference"])
def test_gradcheck(backend, reverse):
    inputs = make_inputs(6, batch=2, dim=3, state=2)
    lengths = torch.tensor([1.0, 0.5])

    def run(*tensors):
        return selective_scan(
            *tensors, lengths=lengths, reverse=reverse, backend=backend
        )

    assert torch.autograd.gradcheck(run, tuple(inputs.values()))


@pytest.mark.parametrize("backend", [*READY, "reference"])
def test_ragged_equals_alone(backend):
    inputs = make_inputs(10)
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
    inputs = make_inputs(length, batch, dim, state)
    ours, expected = (
        values_and_gradients(inputs, reverse=reverse, backend=backend)
        for backend in ("auto", "reference")
    )
    assert_same(ours, expected, 1e-9)


def test_no_tensor_of_all_states():
    """Nothing as large as [batch, length, dim, state] is allocated."""
    sizes = []

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            if torch.is_tensor(out):
                sizes.append(out.untyped_storage().nbytes() // 8)
            return out

    batch, length, dim, state = 2, 100, 32, 16
    inputs = make_inputs(length, batch, dim, state)
    with Watch():
        values_and_gradients(inputs, backend="pytorch")
    assert len(sizes) > length
    assert max(sizes) < batch * length * dim * state / 4


def test_float32_state_under_autocast():
    inputs = make_inputs(63, dtype=torch.float32)
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
    inputs = make_inputs(4)
    inputs["B"] = inputs["B"][:, :-1]
    with pytest.raises(ValueError, match=r"B must be \[2, 4, 3\].*\[2, 3, 3\]"):
        selective_scan(**inputs)


def test_back_end_by_name_never_falls_back():
    with pytest.raises(RuntimeError, match="cannot run on cpu: the kernel is"):
        selective_scan(**make_inputs(4), backend="cuda")
    with pytest.raises(ValueError, match="one of .*'reference'.*not 'fast'"):
        selective_scan(**make_inputs(4), backend="fast")


def test_auto_logs_its_choice_once(caplog):
    module._choose.cache_clear()
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            choose_backend(torch.device("cpu"))
    assert caplog.text.count("selective scan on cpu: ") == 1


def fake_mamba_ssm(monkeypatch, kernel):
    """mamba_ssm as its documentation describes it, on our reference."""

    def selective_scan_fn(
        u, delta, A, B, C, D=None, z=None, delta_bias=None, delta_softplus=False
    ):
        if not delta_softplus:  # the reference always takes the softplus
            delta = delta + torch.log(-torch.expm1(-delta))
        y = BACKENDS["reference"].scan(
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


@pytest.fixture
def uncached():
    functions = (cuda.why_not, cuda.why_not_fused, module._choose)
    for function in functions:
        function.cache_clear()
    yield
    for function in functions:
        function.cache_clear()


@pytest.mark.parametrize(
    "reverse, ragged", itertools.product([False, True], repeat=2)
)
def test_cuda_adapter_turns_the_axes(monkeypatch, reverse, ragged):
    fake_mamba_ssm(monkeypatch, kernel=object())
    inputs = make_inputs(9)
    lengths = torch.tensor([1.0, 2 / 3]) if ragged else None
    y = cuda.scan(*inputs.values(), lengths, reverse)
    expected = selective_scan(
        **inputs, lengths=lengths, reverse=reverse, backend="reference"
    )
    valid = slice(0, 6)
    torch.testing.assert_close(y[:, valid], expected[:, valid])
    if not ragged:
        torch.testing.assert_close(y, expected)


def test_cuda_reasons(monkeypatch, uncached):
    assert "CUDA tensors" in cuda.why_not("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "no CUDA device" in cuda.why_not("cuda")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    cuda.why_not.cache_clear()
    monkeypatch.setitem(sys.modules, "mamba_ssm", None)
    assert "mamba_ssm does not import" in cuda.why_not("cuda")

    cuda.why_not.cache_clear()
    fake_mamba_ssm(monkeypatch, kernel=None)
    assert "MAMBA_KEEP_CUDA_BUILD" in cuda.why_not("cuda")

    cuda.why_not.cache_clear()
    fake_mamba_ssm(monkeypatch, kernel=object())
    assert cuda.why_not("cuda") is None
    monkeypatch.setitem(sys.modules, "causal_conv1d_cuda", None)
    assert "causal_conv1d" in cuda.why_not_fused("cuda")
    cuda.why_not_fused.cache_clear()
    monkeypatch.setitem(
        sys.modules, "causal_conv1d_cuda", types.ModuleType("c")
    )
    assert cuda.why_not_fused("cuda") is None
    assert choose_backend("cuda") == "cuda"


def test_pytorch_takes_no_checkpoints_without_gradient():
    inputs = {k: v.detach() for k, v in make_inputs(20).items()}
    y = pytorch.scan(*inputs.values(), None, False)
    assert y.grad_fn is None
