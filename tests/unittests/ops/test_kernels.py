"""The compiled library: loading, instruction sets, threads, memory."""

import contextlib
import ctypes
import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from operator_runs import (
    RUNS,
    assert_identical,
    conv_tensors,
    scan_tensors,
    threads,
    with_gradients,
)
from operators import needs_kernels, pair_inputs
from torch.utils.data import DataLoader

from speechbrain_semamba.ops import kernels
from speechbrain_semamba.ops.arguments import STRUCTURES
from speechbrain_semamba.ops.causal_conv import causal_conv_silu
from speechbrain_semamba.ops.mamba_mixer import mamba_pair
from speechbrain_semamba.ops.rms_norm import rms_norm
from speechbrain_semamba.ops.selective_scan import selective_scan

pytestmark = needs_kernels
ALL_INSTRUCTIONS = pytest.mark.usefixtures("instructions")
EACH = pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)


def test_unknown_instruction_set():
    before = kernels.instructions()
    with pytest.raises(ValueError, match="'nonsense' is not available"):
        kernels.use_instructions("nonsense")
    assert kernels.instructions() == before


@pytest.mark.parametrize("name", ["plain", "nonsense"])
def test_instruction_set_from_the_environment(name):
    """In a process of its own: it holds for all of one."""
    code = "from speechbrain_semamba.ops import kernels as k; "
    done = subprocess.run(
        [sys.executable, "-c", code + "print(k.instructions())"],
        env={**os.environ, "SEMAMBA_INSTRUCTIONS": name},
        capture_output=True,
        text=True,
    )
    if name == "plain":
        assert done.stdout.strip() == "plain"
    else:
        assert done.returncode != 0
        last = done.stderr.strip().splitlines()[-1]
        assert "SEMAMBA_INSTRUCTIONS must be one of" in last
        assert "'nonsense'" in last


def test_reasons(monkeypatch, tmp_path):
    library, error = tmp_path / "kernels.so", tmp_path / "kernels.error"
    monkeypatch.setattr(kernels, "LIBRARY", library)
    monkeypatch.setattr(kernels, "BUILD_ERROR", error)

    def reason():
        loaded, text = kernels.load()
        assert loaded is None
        return text

    assert "they were not built; install a C++" in reason()
    error.write_text("the compiler failed (rain)\n")
    assert "kernels: the compiler failed (rain); inst" in reason()
    library.write_bytes(b"no library")
    assert "do not load (" in reason()


def test_library_that_fits_is_loaded():
    loaded, reason = kernels.load()
    assert reason is None
    assert loaded.semamba_instructions().decode() in kernels.INSTRUCTIONS


@pytest.mark.parametrize("name", STRUCTURES)
def test_library_with_other_structures_is_refused(monkeypatch, name):
    """As one that was built before a field was added here."""
    before = STRUCTURES[name]
    fields = {"_fields_": [("added", ctypes.c_int64)]}
    longer = type(before.__name__, (before,), fields)
    monkeypatch.setitem(kernels.STRUCTURES, name, longer)
    loaded, reason = kernels.load()
    size = ctypes.sizeof(before)
    assert loaded is None
    assert f"({before.__name__} is {size} there, {size + 8} here)" in reason
    assert "install the package again" in reason


def test_library_with_other_constants_is_refused(monkeypatch):
    monkeypatch.setattr(kernels, "MAX_WIDTH", 5)
    loaded, reason = kernels.load()
    assert loaded is None and "(max_width is 4 there, 5 here)" in reason


def test_library_without_a_function_is_refused(monkeypatch):
    monkeypatch.setitem(kernels.STRUCTURES, "newer", ctypes.Structure)
    loaded, reason = kernels.load()
    assert loaded is None and "(no function semamba_newer)" in reason


def test_library_of_something_else_is_refused(monkeypatch):
    """Not called, whatever functions it has."""
    difference = kernels.find_difference(ctypes.pythonapi)
    assert difference == "no function semamba_scan"


def test_nothing_to_do():
    """No items, or no steps."""
    for batch, length in ((0, 4), (2, 0)):
        for run, inputs in (
            (selective_scan, scan_tensors(batch, length, 5)),
            (causal_conv_silu, conv_tensors(batch, length, 5)),
        ):
            y = run(*inputs, backend="cpu")
            assert y.shape == (batch, length, 5)
            y, *gradients = with_gradients(y, inputs)
            for x, grad in zip(inputs, gradients):
                assert grad.shape == x.shape and not grad.any()
        assert rms_norm(y, torch.ones(5), 1e-5).shape == y.shape


# ---- threads, processes and memory


@EACH
def test_same_for_any_number_of_threads(run):
    with threads(1):
        expected = run()
    for count in (2, 3):
        with threads(count):
            assert_identical(run(), expected)


def test_two_calls_at_a_time():
    """The interpreter's lock is released while a kernel runs."""
    runs = [RUNS["ragged scan"], RUNS["ragged norm"]] * 8
    with threads(2), ThreadPoolExecutor(2) as pool:
        expected = [run() for run in runs]
        for ours, alone in zip(pool.map(lambda run: run(), runs), expected):
            assert_identical(ours, alone)


class Scans(torch.utils.data.Dataset):
    """Items that are worked on in the process that loads them."""

    def __len__(self):
        return 6

    def __getitem__(self, index):
        inputs = scan_tensors(3 + index, grad=False)
        scanned = selective_scan(*inputs, backend="cpu")
        mixed = mamba_pair(**pair_inputs(length=40 + index))
        return os.getpid(), torch.cat([scanned.flatten(), mixed.flatten()])


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(),
    reason="this system cannot fork",
)
def test_forked_worker_after_threads_in_the_parent():
    """The workers have none of the parent's threads, and wait for none."""
    dataset = Scans()
    with threads(2):
        expected = [y for _, y in (dataset[i] for i in range(len(dataset)))]
        loader = DataLoader(
            dataset,
            batch_size=None,
            num_workers=2,
            timeout=60,
            multiprocessing_context="fork",
        )
        loaded = list(loader)
    workers = {process for process, _ in loaded}
    assert len(workers) == 2 and os.getpid() not in workers
    assert_identical([y for _, y in loaded], expected)


@pytest.fixture
def poison(monkeypatch):
    """Fills memory that is not initialised with NaN, within a context."""

    @contextlib.contextmanager
    def poisoned():
        with monkeypatch.context() as patch:
            patch.setattr(
                torch.utils.deterministic, "fill_uninitialized_memory", True
            )
            before = torch.are_deterministic_algorithms_enabled()
            torch.use_deterministic_algorithms(True)
            try:
                yield
            finally:
                torch.use_deterministic_algorithms(before)

    return poisoned


def test_poison_poisons(poison):
    x = torch.zeros(2, 3, 4, 5)
    before = torch.are_deterministic_algorithms_enabled()
    with poison():
        for fresh in (
            x.new_empty(6),
            x.new_empty(6, dtype=torch.float64),
            x.bfloat16().new_empty(6),
            torch.empty_like(x, memory_format=torch.channels_last),
            torch.empty((1, 2, 3, 4), memory_format=torch.channels_last),
        ):
            assert fresh.isnan().all()
    assert torch.are_deterministic_algorithms_enabled() == before


@EACH
def test_every_result_is_written(run, poison):
    expected = run()
    with poison():
        assert_identical(run(), expected)


# ---- the exponential


def kernel_exp(x):
    y = torch.empty_like(x)
    library = ctypes.CDLL(str(kernels.LIBRARY))  # the one that is loaded
    library.semamba_exp(
        ctypes.c_void_p(x.data_ptr()),
        ctypes.c_void_p(y.data_ptr()),
        ctypes.c_int64(len(x)),
    )
    return y


@ALL_INSTRUCTIONS
def test_exp_is_that_of_floats():
    x = torch.linspace(-87, 88.3, 1_000_003)
    expected = x.double().exp()
    assert ((kernel_exp(x) - expected).abs() / expected).max() < 5e-7
    assert (kernel_exp(torch.zeros(3)) == 1).all()


@ALL_INSTRUCTIONS
def test_exp_stays_within_floats():
    small = kernel_exp(torch.tensor([-88.1, -100, -1e4, -3e38, -torch.inf]))
    assert (small >= 0).all() and (small < 2e-38).all()
    large = kernel_exp(torch.tensor([88.4, 100, 1e4, 3e38, torch.inf]))
    assert (large >= 2.3e38).all() and not large.isnan().any()


@ALL_INSTRUCTIONS
@pytest.mark.parametrize("bits", [0x7FC00000, 0x7F800200])
def test_exp_of_nan(bits):
    """Of any sign, and signalling or not."""
    x = torch.tensor([bits, bits - 2**31], dtype=torch.int32)
    x = x.view(torch.float32)
    assert x.isnan().all()
    assert kernel_exp(x).isnan().all()


def test_command_with_an_unknown_instruction_set():
    done = subprocess.run(
        [sys.executable, "-m", "speechbrain_semamba", "info"],
        env={**os.environ, "SEMAMBA_INSTRUCTIONS": "nonsense"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "SEMAMBA_INSTRUCTIONS must be one of" in line
