"""The table of back ends, the choice, and its reasons."""

import ast
import dataclasses
import logging
from pathlib import Path

import pytest
import torch
from operators import cast, conv_inputs, needs_kernels, scan, scan_inputs
from places import ROOT

from speechbrain_semamba.ops import kernels
from speechbrain_semamba.ops.backends import (
    BACKENDS,
    Backend,
    choose_backend,
    find_fused_mixer,
    use_cpu_kernels,
)
from speechbrain_semamba.ops.causal_conv import causal_conv_silu
from speechbrain_semamba.ops.scan import cpu
from speechbrain_semamba.ops.selective_scan import selective_scan

CPU = torch.device("cpu")


def never(device_type):
    return "rain; wait"


@pytest.fixture
def without_kernels(monkeypatch, uncached):
    """As where they were not built."""
    monkeypatch.setattr(kernels, "why_not", lambda: "no compiled kernels: rain")


def test_back_end_by_name_says_why_not(without_kernels):
    with pytest.raises(RuntimeError, match="'cpu' cannot run on cpu: .* rain"):
        scan("cpu")(**scan_inputs(4))
    with pytest.raises(RuntimeError, match="rain"):
        causal_conv_silu(**conv_inputs(4, 5, 3, 1), backend="cpu")
    assert choose_backend("cpu").name == "pytorch"


@pytest.mark.parametrize(
    "name", [row.name for row in BACKENDS.values() if row.device == "cuda"]
)
def test_back_end_by_name_never_falls_back(name):
    with pytest.raises(RuntimeError, match="cannot run on cpu: the kernel is"):
        scan(name)(**scan_inputs(4))


def test_unknown_back_end_names_those_there_are():
    with pytest.raises(ValueError, match="one of .*'reference'.*not 'fast'"):
        scan("fast")(**scan_inputs(4))


def test_not_for_other_devices():
    assert "on the CPU" in cpu.why_not("cuda")
    assert "on the CPU" in cpu.why_not("meta")


def test_auto_logs_its_choice_once(caplog, uncached):
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            choose_backend(CPU)
    assert caplog.text.count("selective scan on cpu: ") == 1


# ---- the environment


def test_environment_says_what_auto_is(monkeypatch):
    monkeypatch.setenv("SEMAMBA_BACKEND", "reference")
    assert choose_backend(CPU).name == "reference"
    assert choose_backend(CPU, "pytorch").name == "pytorch"
    monkeypatch.setenv("SEMAMBA_BACKEND", "mamba_ssm")
    with pytest.raises(RuntimeError, match="cannot run on cpu.*unset SEMAMBA"):
        choose_backend(CPU)
    monkeypatch.setenv("SEMAMBA_BACKEND", "fast")
    with pytest.raises(ValueError, match="SEMAMBA_BACKEND must be .*'fast'"):
        choose_backend(CPU)


# ---- where "auto" is slow


def test_one_warning_where_the_kernels_are_missing(without_kernels, caplog):
    x = torch.ones(1)
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            selective_scan(**scan_inputs(4))
            assert not use_cpu_kernels(x)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == (
        "selective scan on cpu: pytorch, which is slow "
        "(cpu: no compiled kernels: rain)"
    )


@needs_kernels
def test_no_warning_where_the_kernels_are_there(uncached, caplog):
    with caplog.at_level(logging.INFO):
        choose_backend(CPU)
    (record,) = caplog.records
    assert record.levelno == logging.INFO


def test_no_warning_of_what_was_asked_for(without_kernels, caplog):
    scan("pytorch")(**scan_inputs(4))
    assert not caplog.records


def test_no_warning_of_another_devices_back_end(uncached, caplog):
    """The CPU's kernels are nothing that a meta tensor misses."""
    assert choose_backend("meta").name == "pytorch"
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


def test_warning_does_not_break_a_compiled_graph(without_kernels, caplog):
    """``fullgraph`` raises where a graph breaks."""
    inputs = cast(scan_inputs(4), torch.float32)
    torch._dynamo.reset()
    fast = torch.compile(
        lambda **inputs: selective_scan(**inputs),
        fullgraph=True,
        backend="eager",
    )
    expected = scan("pytorch")(**inputs)
    torch.testing.assert_close(fast(**inputs), expected)


def test_compile_does_not_follow_a_reason(monkeypatch):
    """It may import and ask CUDA; either would break the graph."""

    def why_not(device_type):
        try:
            import nothing_of_this_name  # noqa: F401
        except ImportError as error:
            return str(error)

    row = dataclasses.replace(BACKENDS["mamba_ssm"], why_not=why_not)
    monkeypatch.setitem(BACKENDS, "mamba_ssm", row)
    torch._dynamo.reset()
    fast = torch.compile(
        lambda x: x + len(choose_backend("cuda").name),
        fullgraph=True,
        backend="eager",
    )
    assert fast(torch.ones(1)) == 1 + len(choose_backend("cuda").name)


# ---- a back end is a file and a row


def test_a_new_row_is_all_that_it_takes(monkeypatch):
    """It is chosen, gets its half type, and is asked for by its name."""
    given = []

    def newest(u, delta, A, B, C, D, z, delta_bias, valid, reverse):
        given.append((u.dtype, A.dtype, valid, reverse))
        return u + 1

    row = Backend("newest", newest, lambda device: None, half=(torch.float16,))
    table = {"newest": row, **BACKENDS}
    monkeypatch.setattr("speechbrain_semamba.ops.backends.BACKENDS", table)
    inputs = cast(scan_inputs(4), torch.float16)
    for backend in ("auto", "newest"):
        y = selective_scan(**inputs, reverse=True, backend=backend)
        assert torch.equal(y, inputs["u"] + 1)
    wide = cast(inputs, torch.bfloat16)
    assert selective_scan(**wide).dtype == torch.bfloat16
    half, single = torch.float16, torch.float32
    assert given == [(half, single, None, True)] * 2 + [
        (single, single, None, False)
    ]
    assert not use_cpu_kernels(inputs["u"])
    assert find_fused_mixer(CPU) is None


def test_names_are_those_of_the_rows():
    assert all(name == row.name for name, row in BACKENDS.items())
    assert not BACKENDS["reference"].half
    with pytest.raises(dataclasses.FrozenInstanceError):
        BACKENDS["reference"].name = "other"


@pytest.mark.parametrize("room", ["nnet", "lobes"])
def test_no_name_is_written_outside_its_row(room):
    for path in Path(ROOT, "speechbrain_semamba", room).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                names = {node.value, *node.value.split('"')} & set(BACKENDS)
                assert not names, f"{path}: {names}"


# ---- what goes with a back end


@needs_kernels
def test_cpu_kernels_have_types():
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        assert use_cpu_kernels(torch.ones(1, dtype=dtype))
    for dtype in (torch.float16, torch.int64):
        assert not use_cpu_kernels(torch.ones(1, dtype=dtype))
    for name in ("pytorch", "reference"):
        assert not use_cpu_kernels(torch.ones(1), name)
    assert not use_cpu_kernels(torch.ones(1, device="meta"))


def test_fused_mixer_has_reasons_of_its_own(monkeypatch):
    def mixer():
        pass

    row = dataclasses.replace(
        BACKENDS["pytorch"], fused_mixer=mixer, why_not_fused=never
    )
    monkeypatch.setitem(BACKENDS, "pytorch", row)
    assert find_fused_mixer(CPU, "pytorch") is None
    row = dataclasses.replace(row, why_not_fused=lambda device: None)
    monkeypatch.setitem(BACKENDS, "pytorch", row)
    assert find_fused_mixer(CPU, "pytorch") is mixer
    assert find_fused_mixer(CPU, "reference") is None
