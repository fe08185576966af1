"""What the tests of several operators need."""

import pytest

from speechbrain_semamba.ops import backends, kernels
from speechbrain_semamba.ops.scan import mamba_ssm


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
        backends._log_once,
    )
    for function in functions:
        function.cache_clear()
    yield
    for function in functions:
        function.cache_clear()
