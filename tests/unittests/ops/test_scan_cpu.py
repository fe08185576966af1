"""The compiled scan against its formula, for every instruction set.

``test_selective_scan.py`` has what every back end of the scan must do.
"""

import functools
import itertools
import random
import subprocess
import sys

import pytest
import torch
from operator_runs import scan_tensors
from operators import (
    DIMS,
    DTYPES,
    REVERSE,
    TOLERANCES,
    assert_all_rounded,
    assert_equal,
    assert_same,
    cast,
    needs_kernels,
    normal,
    scan,
    scan_inputs,
    strided,
    values_and_gradients,
)
from torch.nn.functional import silu, softplus

from speechbrain_semamba.ops.arguments import GROUPS
from speechbrain_semamba.ops.scan import cpu

pytestmark = [needs_kernels, pytest.mark.usefixtures("instructions")]


def scan_cases():
    """Each length, dim and state together; all else is drawn."""
    draw = random.Random(0).choice
    for sizes in itertools.product(
        (1, 2, 3, 17, 63, 100, 321), DIMS, (1, 8, 16, 32)
    ):
        batch, ragged = draw((1, 5)), draw((False, True))
        yield (*sizes, batch, ragged, draw((False, True)))


@functools.lru_cache(maxsize=None)
def scan_case(case):
    """Inputs, options, and what the reference makes of them."""
    *sizes, batch, ragged, reverse = case
    lengths = torch.tensor([0.6, 1.0, 0.05, 0.33, 0.8])[:batch]
    options = {"lengths": lengths if ragged else None, "reverse": reverse}
    inputs = scan_inputs(*sizes, batch)
    expected = values_and_gradients(scan("reference", **options), inputs)
    return inputs, options, expected


@pytest.mark.parametrize("case", scan_cases(), ids=str)
def test_scan(case):
    inputs, options, expected = scan_case(case)
    for dtype, tolerances in TOLERANCES.items():
        ours = values_and_gradients(scan(**options), cast(inputs, dtype))
        assert ours["y"].dtype == dtype
        assert_same(ours, expected, tolerances, dtype)


@REVERSE
@pytest.mark.parametrize("absent", ["D", "z", "delta_bias"])
def test_scan_without(absent, reverse):
    inputs = {**scan_inputs(20, 7), absent: None}
    expected = values_and_gradients(scan("reference", reverse=reverse), inputs)
    for dtype, tolerances in TOLERANCES.items():
        ours = values_and_gradients(scan(reverse=reverse), cast(inputs, dtype))
        assert_same(ours, expected, tolerances)


@REVERSE
def test_scan_of_more_items_than_groups(reverse):
    """Gradients of the weights are summed over parts of the batch."""
    inputs = scan_inputs(3, batch=GROUPS + 6)
    options = {"reverse": reverse}
    expected = values_and_gradients(scan("reference", **options), inputs)
    ours = values_and_gradients(scan(**options), inputs)
    assert_same(ours, expected, TOLERANCES[torch.float64])


@REVERSE
@DTYPES
def test_scan_of_strided_inputs(dtype, reverse):
    inputs = cast(scan_inputs(19, 21, 8), dtype)
    turned = {k: strided(k, v) for k, v in inputs.items()}
    assert not any(v.is_contiguous() for v in turned.values())
    options = {"lengths": torch.tensor([1.0, 0.7]), "reverse": reverse}
    expected = values_and_gradients(scan(**options), inputs)
    assert_equal(values_and_gradients(scan(**options), turned), expected)


@pytest.mark.parametrize("name", ["u", "delta", "B", "C", "z"])
def test_scan_of_a_transposed_input(name):
    inputs = scan_inputs(19, 6)
    x = inputs[name]
    turned = {**inputs, name: x.transpose(1, 2).contiguous().transpose(1, 2)}
    assert turned[name].stride(-1) != 1
    expected = values_and_gradients(scan(), inputs)
    assert_equal(values_and_gradients(scan(), turned), expected)


def test_scan_of_an_expanded_gradient():
    """The gradient of a plain sum is a single number with strides of 0."""
    inputs = scan_inputs(19, 6)
    ours = values_and_gradients(scan(), inputs, weigh=False)
    expected = values_and_gradients(scan("reference"), inputs, weigh=False)
    assert_same(ours, expected, TOLERANCES[torch.float64])


@REVERSE
def test_scan_in_bfloat16(reverse):
    inputs = cast(scan_inputs(50, 37, 16), torch.float32)
    half = {
        k: v.bfloat16() if k in ("u", "delta", "z") else v
        for k, v in inputs.items()
    }
    options = {"lengths": torch.tensor([1.0, 0.7]), "reverse": reverse}
    ours = values_and_gradients(scan(**options), half)
    exact = values_and_gradients(scan(**options), cast(half, torch.float32))
    assert_all_rounded(ours, exact, ("y", "u", "delta", "z"))


def test_bfloat16_rounds_as_pytorch_does():
    """Half way between two numbers it takes the even one."""
    u = torch.arange(-255.0, 256).bfloat16().view(1, 1, -1)
    rate, skip = -torch.ones(u.shape[2], 1), torch.full(u.shape[2:], 1.5)
    none = torch.zeros(1, 1, 1)
    y = scan()(u, torch.zeros_like(u), rate, none, none, skip)
    expected = 1.5 * u.float()
    halves = (y.float() - expected).abs() == 0.5
    assert (y.float() > expected)[halves].any()
    assert (y.float() < expected)[halves].any()
    assert torch.equal(y, expected.bfloat16())


def test_scan_of_float16_is_that_of_float32():
    half = {k: v.half() for k, v in scan_inputs(20).items()}
    y = scan()(**half)
    exact = scan()(**cast(half, torch.float32))
    assert y.dtype == torch.float16
    assert torch.equal(y, exact.half())


@REVERSE
@DTYPES
@pytest.mark.parametrize("name", ["u", "delta", "B", "C", "z"])
def test_nan_reaches_what_depends_on_it_alone(name, dtype, reverse):
    inputs = cast(scan_inputs(20, 21, batch=3), dtype)
    clean = scan(reverse=reverse)(**inputs)
    inputs[name] = inputs[name].clone()
    inputs[name][1, 7, 2] = torch.nan
    y = scan(reverse=reverse)(**inputs)
    expected = scan("reference", reverse=reverse)(**inputs).isnan()
    assert expected.any() and not expected.all()
    assert torch.equal(y.isnan(), expected)
    assert torch.equal(y[~expected], clean[~expected])


@pytest.mark.parametrize("bits", [0x7FC00000, 0x7FFFFFFF])
@pytest.mark.parametrize("name", ["u", "B"])
def test_nan_survives_bfloat16(name, bits):
    """Also one that rounding up would carry into the sign."""
    inputs = cast(scan_inputs(20), torch.float32)
    inputs[name][1, 7, 2] = torch.tensor(bits, dtype=torch.int32).view(
        torch.float32
    )
    assert inputs[name].isnan().sum() == 1
    inputs["u"] = inputs["u"].bfloat16()
    y = scan()(**inputs)
    expected = scan("reference")(**inputs).isnan()
    assert y.dtype == torch.bfloat16
    assert expected.any() and torch.equal(y.isnan(), expected)


@REVERSE
@DTYPES
def test_scan_never_reads_padding(dtype, reverse):
    inputs = cast(scan_inputs(40, 7), dtype)
    options = {"lengths": torch.tensor([0.5, 1.0]), "reverse": reverse}
    expected = values_and_gradients(scan(**options), inputs)
    for name in ("u", "delta", "B", "C", "z"):
        inputs[name][0, 20:] = torch.nan
    ours = values_and_gradients(scan(**options), inputs)
    assert_equal(ours, expected)
    for name in ("y", "u", "delta", "B", "C", "z"):
        assert not ours[name][0, 20:].any()


@DTYPES
def test_scan_of_extreme_numbers(dtype):
    """Steps of 0 and 100, decays of e^-500, gates far from zero."""
    inputs = scan_inputs(24, 6)
    for channel, delta in enumerate([-100.0, 100.0, 100.0]):
        inputs["delta"][:, ::2, channel] = delta
    inputs["A"][1] = -5.0
    inputs["z"][:, ::3, 3] = 200.0
    inputs["z"][:, ::3, 4] = -200.0
    inputs["delta_bias"][2] = 0.0
    expected = values_and_gradients(scan("reference"), inputs)
    ours = values_and_gradients(scan(), cast(inputs, dtype))
    assert_same(ours, expected, TOLERANCES[dtype])
    # all large numbers are in a few channels; compare the others too
    for name in ("y", "u", "delta", "z"):
        for channel in range(6):
            column = (..., slice(channel, channel + 1))
            assert_same(
                {name: ours[name][column]},
                {name: expected[name][column]},
                [10 * x for x in TOLERANCES[dtype]],
                channel,
            )


def test_softplus_and_silu_are_those_of_floats():
    """A single step gives the softplus, or without B the gate alone."""
    x = torch.linspace(-86, 86, 100_001).view(1, 1, -1)
    one, none = torch.ones_like(x), torch.zeros(1, 1, 1)
    rate, skip = -torch.ones(x.shape[2], 1), torch.ones(x.shape[2])
    exact = x.double()
    for y, expected in (
        (scan()(one, x, rate, none + 1, none + 1), softplus(exact)),
        (scan()(one, one, rate, none, none, skip, x), silu(exact)),
    ):
        assert (y - expected).abs().max() < 1e-6 * expected.abs().max()
        near = expected.abs() > 1e-30
        assert ((y - expected) / expected)[near].abs().max() < 2e-6


def test_decay_is_that_of_floats():
    """What is left of a state after a step, down to the smallest floats."""
    u = torch.tensor([1.0, 0.0]).view(1, 2, 1).expand(1, 2, 200_001)
    rate = -torch.linspace(0, 100, u.shape[2])[:, None]
    delta = torch.full_like(u, 0.5413248546)  # softplus gives 1
    one = torch.ones(1, 2, 1)
    first, left = scan()(u, delta, rate, one, one)[0].double()
    step = first[0]  # since B and u are 1
    exact = (step * rate[:, 0].double()).exp()
    error = (left / first / exact - 1).abs()
    # the exponent is a float, of which 2^-22 may be off
    near = exact > 1.2e-38
    assert (error < 7e-7 - 2.0**-22 * exact.log())[near].all()
    assert (left[~near] < 2e-38).all() and not near.all()
    assert left[0] == first[0]


def scan_with_states(inputs, sizes=None, initial=None, reverse=False):
    """Output and final state."""
    y, final, _ = cpu.selective_scan(
        *inputs.values(), sizes, initial, reverse, True
    )
    return y, final


def part(inputs, *items):
    """A slice of items and steps of what has them."""
    return {k: v[items] if v.dim() == 3 else v for k, v in inputs.items()}


HALVES = (slice(20), slice(20, None))


@REVERSE
@pytest.mark.parametrize("state", [3, 8, 16])
def test_halves_carry_the_state_over(state, reverse):
    inputs = scan_inputs(37, 7, state)
    whole, final = scan_with_states(inputs, reverse=reverse)
    carried, y = None, torch.empty_like(whole)
    for half in reversed(HALVES) if reverse else HALVES:
        given = part(inputs, slice(None), half)
        y[:, half], carried = scan_with_states(given, None, carried, reverse)
    torch.testing.assert_close(y, whole, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(carried, final, rtol=1e-12, atol=1e-12)


def test_gradient_with_an_initial_state():
    """What follows a state has the gradients it has in the whole."""
    inputs = scan_inputs(37, 7)
    first, second = (part(inputs, slice(None), half) for half in HALVES)
    _, carried = scan_with_states(first)

    def second_half(**inputs):
        return scan()(**inputs)[:, 20:]

    def after(**inputs):
        return scan_with_states(inputs, initial=carried)[0]

    expected = values_and_gradients(second_half, inputs)
    ours = values_and_gradients(after, second)
    for name in ("u", "delta", "z"):
        expected[name] = expected[name][:, 20:]
        torch.testing.assert_close(ours[name], expected[name])


@REVERSE
def test_final_state_is_that_of_the_items_own_end(reverse):
    inputs = scan_inputs(20, 7, batch=3)
    sizes = (20, 11, 0)
    _, final = scan_with_states(inputs, torch.tensor(sizes), reverse=reverse)
    for i, size in enumerate(sizes[:2]):
        alone = part(inputs, slice(i, i + 1), slice(size))
        _, expected = scan_with_states(alone, reverse=reverse)
        assert expected.any()
        torch.testing.assert_close(final[i], expected[0])
    assert not final[2].any()


def test_item_without_a_step():
    """The public function has at least one; the operator need not."""
    inputs = scan_inputs(20, 7)
    initial = normal(2, 3, 7)

    def ours(**inputs):
        sizes = torch.tensor([0, 20])
        y, final = scan_with_states(inputs, sizes, initial)
        assert torch.equal(final[0], initial[0])
        return y

    found = values_and_gradients(ours, inputs)
    for name in ("y", "u", "delta", "z", "B", "C"):
        assert not found[name][0].any() and found[name][1].any()


@REVERSE
@pytest.mark.parametrize("state", [2, 8])
def test_gradcheck_of_the_scan(state, reverse):
    """Over more steps than lie between two kept states."""
    inputs = scan_inputs(cpu.CHUNK + 3, 3, state, 1)
    inputs = [x.requires_grad_() for x in inputs.values()]

    def run(*tensors):
        sizes = torch.tensor([cpu.CHUNK + 2])
        return cpu.selective_scan(*tensors, sizes, None, reverse, True)[0]

    assert torch.autograd.gradcheck(run, inputs)


# ---- what it refuses


def test_no_gradient_of_the_initial_state():
    initial = normal(3, 5, 37).float().requires_grad_()
    with pytest.raises(RuntimeError, match="no gradient for its initial"):
        cpu.selective_scan(*scan_tensors(), None, initial, False, True)


def test_gradient_without_kept_states_is_an_error():
    """In a process of its own, which must not crash."""
    code = """if True:
        import torch
        from speechbrain_semamba.ops.scan import cpu
        x = torch.ones(1, 20, 5, requires_grad=True)
        rates, B = -torch.ones(5, 3), torch.ones(1, 20, 3)
        inputs = x, x, rates, B, B, None, None, None, None, None
        y, _, _ = cpu.selective_scan(*inputs, False, False)
        y.sum().backward()
    """
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, timeout=60
    )
    assert done.returncode == 1, done.returncode
    assert b"keep_states" in done.stderr


def test_double_gradient_is_an_error():
    inputs = scan_tensors()
    y = scan()(*inputs)
    (grad,) = torch.autograd.grad(
        y.square().sum(), inputs[:1], create_graph=True
    )
    with pytest.raises(RuntimeError, match="selective_scan_backward"):
        grad.sum().backward()
