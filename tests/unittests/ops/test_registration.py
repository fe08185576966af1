"""Python functions as operators, and what PyTorch expects of ours."""

import contextlib
import itertools

import pytest
import torch
from operator_runs import (
    conv3x3_tensors,
    conv_tensors,
    norm_tensors,
    scan_tensors,
)
from operators import needs_kernels, normal, pair_inputs
from torch import Tensor

from speechbrain_semamba.ops import mamba_mixer, rms_norm  # noqa: F401
from speechbrain_semamba.ops.instance_norm import instance_norm_prelu
from speechbrain_semamba.ops.registration import cpu_tensors_as, operator
from speechbrain_semamba.ops.scan import cpu


@pytest.fixture(scope="module")
def doubled():
    """An operator of the tests' own, with its shapes and its gradient."""

    @operator
    def _double_of_tests(x: Tensor, times: int) -> Tensor:
        """Twice, so many times."""
        return x * 2**times

    @_double_of_tests.fake
    def _(x, times):
        return torch.empty_like(x)

    def save(ctx, inputs, output):
        _, ctx.times = inputs

    def backward(ctx, grad):
        return grad * 2**ctx.times, None

    _double_of_tests.gradient(backward, save)
    return _double_of_tests


def test_operator_is_the_function_with_shapes_and_gradient(doubled):
    x = torch.tensor([1.0, 3.0]).requires_grad_()
    y = doubled(x, 2)
    assert y.tolist() == [4.0, 12.0]
    (grad,) = torch.autograd.grad(y.sum(), x)
    assert grad.tolist() == [4.0, 4.0]
    # the name has no underscore in front, and the docstring is kept
    overload = torch.ops.semamba.double_of_tests.default
    assert torch.equal(overload(x, 1), 2 * x)
    assert doubled.__doc__ == "Twice, so many times."
    assert doubled(x.to("meta"), 2).shape == x.shape
    torch.library.opcheck(overload, (x, 2))


def test_operator_without_a_gradient_refuses():
    @operator
    def _flat_of_tests(x: Tensor) -> Tensor:
        return x.clone()

    _flat_of_tests.no_gradient()
    y = _flat_of_tests(torch.ones(2, requires_grad=True))
    with pytest.raises(RuntimeError, match="flat_of_tests has no gradient"):
        y.sum().backward()


def test_another_device_s_function_runs_on_that_device(monkeypatch):
    """Triton launches on the current one, whichever has the tensors."""
    entered = []

    @contextlib.contextmanager
    def device_of(x):
        entered.append(x)
        yield

    @operator
    def _third_of_tests(x: Tensor) -> Tensor:
        return x / 3

    monkeypatch.setattr(torch.cuda, "device_of", device_of)
    _third_of_tests.on("CUDA", lambda x: x * 5)
    x = torch.ones(1)
    assert _third_of_tests(3 * x) == 1 and not entered
    with cpu_tensors_as("CUDA"):
        assert _third_of_tests(x) == 5
    assert len(entered) == 1
    assert _third_of_tests(3 * x) == 1


# ---- what PyTorch expects of an operator


OPERATORS = (
    "selective_scan",
    "selective_scan_backward",
    "causal_conv_silu",
    "causal_conv_silu_backward",
    "instance_norm_prelu",
    "instance_norm_prelu_backward",
    "rms_norm",
    "mamba_pair",
    "conv3x3",
    "conv3x3_weight",
    "joined_conv3x3",
)


def operator_samples():
    """Names of operators, and arguments for them."""
    for grad, reverse in itertools.product((False, True), repeat=2):
        tensors = scan_tensors(2, 20, 5, 3, grad)
        yield "selective_scan", (*tensors, None, None, reverse, True)
        yield "causal_conv_silu", (*conv_tensors(2, 5, 3, 3, grad), reverse)
    for grad in (False, True):
        *few, _, _, _ = scan_tensors(2, 20, 5, 3, grad)
        sizes = torch.tensor([20, 3])
        ragged = (*few, None, None, None, sizes, normal(2, 3, 5).float())
        yield "selective_scan", (*ragged, False, True)
        sizes = torch.tensor([3, 2])
        for channels in (1, 3):
            tensors = norm_tensors(channels, 3, 4, 2, grad)
            yield "instance_norm_prelu", (*tensors, sizes, 1e-5)
            alone = (*tensors[:-1], None, None)
            yield "instance_norm_prelu", (*alone, 1e-5)
        yield "conv3x3", (*conv3x3_tensors(3, 2, 4, 5, grad), 2)
    half = [x.bfloat16() for x in conv_tensors(2, 5, 3, 3, False)]
    yield "causal_conv_silu", (*half, False)
    yield "rms_norm", (normal(2, 5, 7).float(), normal(7).float(), 1e-5)
    yield "rms_norm", (normal(2, 7, 5).bfloat16().mT, normal(7).float(), 1e-5)
    pair = list(pair_inputs().values())
    yield "mamba_pair", (*pair, None)
    x = pair[0].bfloat16().transpose(1, 2)
    yield "mamba_pair", (x, *pair[1:], torch.tensor([3, 2]))
    yield "mamba_pair", (pair[0].mT.contiguous().mT, *pair[1:], None)
    yield from backward_samples()


def backward_samples():
    tensors = scan_tensors(2, 20, 5, 3, False)
    y, _, states = cpu.selective_scan(*tensors, None, None, False, True)
    given = (y, *tensors, None, states, False)
    yield "selective_scan_backward", given
    few = (*tensors[:5], None, None, None, torch.tensor([20, 3]))
    yield "selective_scan_backward", (y, *few, states, True)
    half = (y.bfloat16(), tensors[0].bfloat16(), *tensors[1:])
    yield "selective_scan_backward", (*half, None, states, False)
    x, *weights = conv_tensors(2, 5, 3, 3, False)
    yield "causal_conv_silu_backward", (x, x, *weights, True)
    yield "causal_conv_silu_backward", (x.bfloat16(),) * 2 + (*weights, True)
    x, *_ = conv3x3_tensors(3, 2, 4, 5, False)
    yield "conv3x3_weight", (x, x[:, :2], 2)
    x, weight, bias = conv3x3_tensors(6, 2, 4, 5, False)
    yield "joined_conv3x3", ([x[:, :3], x[:, 3:]], weight, bias, 2)
    for channels, sizes in ((3, None), (1, torch.tensor([3, 2]))):
        tensors = norm_tensors(channels, 3, 4, 2, False)
        y, mean, inverse = instance_norm_prelu(*tensors, sizes, 1e-5)
        rest = (sizes, mean, inverse, 1e-5)
        given = (y, *tensors[:-1], *rest)
        yield "instance_norm_prelu_backward", given


@needs_kernels
@pytest.mark.parametrize("name", OPERATORS)
def test_opcheck(name):
    """Schema, shapes without data, autograd, and tracing with gradients."""
    operator = getattr(torch.ops.semamba, name).default
    samples = [x for other, x in operator_samples() if other == name]
    assert samples
    for arguments in samples:
        result = torch.library.opcheck(operator, arguments)
        assert len(result) == 4 and set(result.values()) == {"SUCCESS"}


def test_every_operator_is_checked():
    names = torch._C._dispatch_get_all_op_names()
    ours = {x.partition("::")[2] for x in names if x.startswith("semamba::")}
    ours = {name for name in ours if not name.endswith("_of_tests")}
    assert ours == set(OPERATORS)
