"""The Triton kernels against their formulas, in Triton's interpreter.

The public functions and the operators' gradients are those of the CPU; only
what is launched under them is another's.
"""

import functools
import random

import pytest
import torch
from operator_runs import conv_tensors, scan_tensors
from operators import (
    DIMS,
    REVERSE,
    TOLERANCES,
    assert_equal,
    assert_same,
    cast,
    conv_inputs,
    needs_kernels,
    normal,
    scan,
    scan_inputs,
    strided,
    values_and_gradients,
)
from torch.nn.functional import silu, softplus

from speechbrain_semamba.ops.causal_conv import causal_conv_silu
from speechbrain_semamba.ops.registration import cpu_tensors_as
from speechbrain_semamba.ops.scan import cpu

pytest.importorskip("triton", reason="Triton is not installed")
# the back end "cpu" is what brings CPU tensors to the operators
pytestmark = [needs_kernels, pytest.mark.usefixtures("interpreted")]

#: The largest rounding error, in units of the last digit: the interpreter cuts
#: a bfloat16 off, where a GPU rounds
HALVES = pytest.mark.parametrize(
    "dtype, digits", [(torch.bfloat16, 1), (torch.float16, 0.5)]
)
SINGLE, DOUBLE = (TOLERANCES[x] for x in (torch.float32, torch.float64))


@pytest.fixture
def interpreted():
    """Our operators run in Triton's interpreter."""
    with cpu_tensors_as("CUDA"):
        yield


def assert_rounded(ours, exact, digits):
    bound = digits * torch.finfo(ours.dtype).eps * exact.abs()
    # what float32 itself leaves open, of sums
    bound = bound + 1e-5 * exact.abs().max()
    assert ((ours - exact).abs() <= bound).all()


def scan_cases():
    """Length, dim, state, batch, raggedness, direction."""
    draw = random.Random(0).choice
    for length, state in [(1, 1), (2, 8), (5, 16), (17, 32)]:
        for reverse in (False, True):
            ragged = draw((False, True))
            yield length, draw(DIMS), state, 1 + ragged, ragged, reverse
    yield 35, 5, 8, 2, True, True


@pytest.mark.parametrize("case", scan_cases(), ids=str)
def test_scan(case):
    *sizes, ragged, reverse = case
    lengths = torch.tensor([0.6, 1.0]) if ragged else None
    options = {"lengths": lengths, "reverse": reverse}
    inputs = scan_inputs(*sizes)
    expected = values_and_gradients(scan("reference", **options), inputs)
    for dtype, tolerances in TOLERANCES.items():
        ours = values_and_gradients(scan(**options), cast(inputs, dtype))
        assert ours["y"].dtype == dtype
        assert_same(ours, expected, tolerances, dtype)


@pytest.mark.parametrize("absent", ["D", "z", "delta_bias"])
def test_scan_without(absent):
    inputs = {**scan_inputs(6, 7), absent: None}
    expected = values_and_gradients(scan("reference"), inputs)
    assert_same(values_and_gradients(scan(), inputs), expected, DOUBLE)


@REVERSE
def test_scan_of_strided_inputs(reverse):
    inputs = scan_inputs(9, 21, 8)
    turned = {k: strided(k, v) for k, v in inputs.items()}
    turned["u"] = strided("", inputs["u"])
    assert not any(v.is_contiguous() for v in turned.values())
    assert turned["u"].stride(-1) != 1
    options = {"lengths": torch.tensor([1.0, 0.7]), "reverse": reverse}
    expected = values_and_gradients(scan(**options), inputs)
    assert_equal(values_and_gradients(scan(**options), turned), expected)


def test_scan_of_an_expanded_gradient():
    """The gradient of a plain sum is a single number with strides of 0."""
    inputs = scan_inputs(9, 6)
    ours = values_and_gradients(scan(), inputs, weigh=False)
    expected = values_and_gradients(scan("reference"), inputs, weigh=False)
    assert_same(ours, expected, DOUBLE)


@HALVES
def test_scan_in_half_precision(dtype, digits):
    """Read and written so, computed in float32."""
    inputs = cast(scan_inputs(6, 37, 16), torch.float32)
    half = {
        k: v.to(dtype) if k in ("u", "delta", "z") else v
        for k, v in inputs.items()
    }
    sizes = torch.tensor([6, 3])
    outputs = {}

    def operator(**inputs):
        keep = (sizes, None, False, True)
        return cpu.selective_scan(*inputs.values(), *keep)[0]

    for kind in (dtype, torch.float32):
        outputs[kind] = values_and_gradients(
            operator, half if kind == dtype else cast(half, torch.float32)
        )
    for name, ours in outputs[dtype].items():
        exact = outputs[torch.float32][name]
        assert ours.dtype == half.get(name, half["u"]).dtype
        assert_rounded(ours, exact, digits)


@REVERSE
def test_scan_never_reads_padding(reverse):
    inputs = scan_inputs(10, 7)
    options = {"lengths": torch.tensor([0.5, 1.0]), "reverse": reverse}
    expected = values_and_gradients(scan(**options), inputs)
    for name in ("u", "delta", "B", "C", "z"):
        inputs[name][0, 5:] = torch.nan
    ours = values_and_gradients(scan(**options), inputs)
    assert_equal(ours, expected)
    for name in ("y", "u", "delta", "B", "C", "z"):
        assert not ours[name][0, 5:].any()


@pytest.mark.parametrize("name", ["u", "delta", "B", "C", "z"])
def test_nan_reaches_what_depends_on_it_alone(name):
    inputs = scan_inputs(12, 5)
    inputs[name][1, 7, 2] = torch.nan
    y = scan()(**inputs)
    expected = scan("reference")(**inputs).isnan()
    assert expected.any() and not expected.all()
    assert torch.equal(y.isnan(), expected)


def test_scan_of_extreme_numbers():
    """Steps of 0 and 100, decays of e^-500, gates far from zero."""
    inputs = scan_inputs(12, 6)
    for channel, delta in enumerate([-100.0, 100.0, 100.0]):
        inputs["delta"][:, ::2, channel] = delta
    inputs["A"][1] = -5.0
    inputs["z"][:, ::3, 3] = 200.0
    inputs["z"][:, ::3, 4] = -200.0
    inputs["delta_bias"][2] = 0.0
    expected = values_and_gradients(scan("reference"), inputs)
    ours = values_and_gradients(scan(), cast(inputs, torch.float32))
    assert_same(ours, expected, SINGLE)


def test_softplus_and_silu_are_those_of_floats():
    """A single step gives the softplus, or without B the gate alone."""
    x = torch.linspace(-86, 86, 601).view(1, 1, -1)
    one, none = torch.ones_like(x), torch.zeros(1, 1, 1)
    rate, skip = -torch.ones(x.shape[2], 1), torch.ones(x.shape[2])
    exact = x.double()
    steps = scan()(one, x, rate, none + 1, none + 1)
    gates = scan()(one, one, rate, none, none, skip, x)
    for y, expected in ((steps, softplus(exact)), (gates, silu(exact))):
        near = expected.abs() > 1e-30
        assert ((y - expected) / expected)[near].abs().max() < 2e-6


@REVERSE
def test_halves_carry_the_state_over(reverse):
    inputs = scan_inputs(21, 7)
    sizes = torch.tensor([21, 21])
    halves = (slice(8), slice(8, None))

    def run(half, sizes, initial):
        given = [x[:, half] if x.dim() == 3 else x for x in inputs.values()]
        return cpu.selective_scan(*given, sizes, initial, reverse, True)

    whole, final, _ = run(slice(None), sizes, None)
    carried, y = None, torch.empty_like(whole)
    for half in reversed(halves) if reverse else halves:
        y[:, half], carried, _ = run(half, None, carried)
    torch.testing.assert_close(y, whole, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(carried, final, rtol=1e-12, atol=1e-12)
    assert final.any()


def test_item_without_a_step():
    """The public function has at least one; the operator need not."""
    inputs, initial = scan_inputs(6, 7), normal(2, 3, 7)
    finals = []

    def ours(**inputs):
        keep = torch.tensor([0, 6]), initial, False, True
        y, final, _ = cpu.selective_scan(*inputs.values(), *keep)
        finals.append(final)
        return y

    found = values_and_gradients(ours, inputs)
    assert torch.equal(finals[0][0], initial[0])
    for name in ("y", "u", "delta", "z", "B", "C"):
        assert not found[name][0].any() and found[name][1].any()


# ---- the convolution


def conv(backend="cpu", reverse=False):
    return functools.partial(causal_conv_silu, reverse=reverse, backend=backend)


@REVERSE
@pytest.mark.parametrize(
    "length, width, dim", [(1, 4, 37), (2, 3, 5), (3, 4, 5), (33, 2, 5)]
)
def test_conv(length, width, dim, reverse):
    """One of them over more steps than a program has."""
    inputs = conv_inputs(length, dim, width, 2)
    expected = values_and_gradients(conv("pytorch", reverse), inputs)
    for dtype, tolerances in TOLERANCES.items():
        ours = values_and_gradients(conv(reverse=reverse), cast(inputs, dtype))
        assert ours["y"].dtype == dtype
        assert_same(ours, expected, tolerances)


def test_conv_of_strided_inputs():
    inputs = conv_inputs(19, 21, 4, 2)
    expected = values_and_gradients(conv(), inputs)
    turned = {
        "x": torch.cat([inputs["x"] + 1, inputs["x"]], dim=-1)[..., 21:],
        "weight": inputs["weight"].T.contiguous().T,
        "bias": strided("bias", inputs["bias"]),
    }
    assert not any(v.is_contiguous() for v in turned.values())
    assert_equal(values_and_gradients(conv(), turned), expected)


@HALVES
def test_conv_in_half_precision(dtype, digits):
    half = cast(conv_inputs(5, 37, 4, 1), dtype)

    def operator(x, weight, bias):
        name = torch.ops.semamba.causal_conv_silu
        return name(x, weight, bias, False)

    ours = values_and_gradients(operator, half)
    exact = values_and_gradients(operator, cast(half, torch.float32))
    for name, tensor in ours.items():
        assert tensor.dtype == dtype
        assert_rounded(tensor, exact[name], digits)


# ---- as operators


def operator_samples(half):
    """Names of operators, and arguments for them."""
    tensors = scan_tensors(2, 3, 5, 3)
    x, *weights = conv_tensors(1, 5, 3, 3)
    for i in (0, 1, 6):
        tensors[i] = tensors[i].detach().to(half).requires_grad_()
    x = x.detach().to(half).requires_grad_()
    sizes = torch.tensor([3, 1])
    yield "selective_scan", (*tensors, sizes, None, True, True)
    yield "causal_conv_silu", (x, *weights, True)
    flat = [v.detach() for v in tensors]
    y, _, states = cpu.selective_scan(*flat, sizes, None, True, True)
    yield "selective_scan_backward", (y, *flat, sizes, states, True)
    flat = [v.detach() for v in (x, x, *weights)]
    yield "causal_conv_silu_backward", (*flat, True)


@pytest.mark.parametrize("half", [torch.float32, torch.float16])
def test_opcheck(half):
    """Schema, shapes and types without data, autograd, tracing."""
    samples = list(operator_samples(half))
    assert len(samples) == 4
    for name, arguments in samples:
        operator = getattr(torch.ops.semamba, name).default
        result = torch.library.opcheck(operator, arguments)
        assert len(result) == 4 and set(result.values()) == {"SUCCESS"}


def test_it_is_triton_that_runs(monkeypatch):
    """Not the CPU's kernels, which would pass these tests as well."""
    from speechbrain_semamba.ops.triton import conv as kernels
    from speechbrain_semamba.ops.triton import scan as scan_kernels

    def stop(*arguments, **options):
        raise ArithmeticError

    monkeypatch.setattr(scan_kernels, "run", stop)
    monkeypatch.setattr(kernels, "run", stop)
    with pytest.raises(ArithmeticError):
        scan()(**scan_inputs(3))
    with pytest.raises(ArithmeticError):
        conv()(**conv_inputs(3, 5, 4, 1))
