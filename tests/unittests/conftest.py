"""What the tests of several operators and layers need."""

import dataclasses
import os

# before anything imports Triton: its kernels run on CPU tensors
os.environ.setdefault("TRITON_INTERPRET", "1")

import pytest
import torch

from speechbrain_semamba.ops import backends, kernels
from speechbrain_semamba.ops.backends import BACKENDS
from speechbrain_semamba.ops.scan import mamba_ssm, triton


@pytest.fixture(params=kernels.INSTRUCTIONS)
def instructions(request):
    """The test runs once for every instruction set of this machine."""
    before = kernels.instructions()
    try:
        kernels.use_instructions(request.param)
    except ValueError as error:
        pytest.skip(str(error))
    assert kernels.instructions() == request.param
    yield request.param
    kernels.use_instructions(before)


@pytest.fixture
def uncached():
    """Reasons are found and logged anew, before the test and after it."""
    functions = (
        mamba_ssm.why_not,
        mamba_ssm.why_not_fused,
        triton.why_not,
        backends._log_once,
    )
    for function in functions:
        function.cache_clear()
    yield
    for function in functions:
        function.cache_clear()


@pytest.fixture
def fused(monkeypatch):
    """A back end with a fused mixer, whose calls are recorded."""
    calls = []

    def fused_mixer(*tensors):
        calls.append(tensors)
        return torch.full(tensors[0].shape[:2] + (3,), 7.0)

    row = dataclasses.replace(
        BACKENDS["pytorch"],
        fused_mixer=fused_mixer,
        why_not_fused=lambda device_type: None,
    )
    monkeypatch.setitem(BACKENDS, "pytorch", row)
    return calls
