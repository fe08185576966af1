"""The compiled CPU kernels against the formulas, for every instruction set.

``test_selective_scan.py`` has what every back end of the scan must do.
"""

import ctypes
import functools
import itertools
import random

import pytest
import torch
from torch.nn.functional import prelu, rms_norm, silu, softplus

from speechbrain_semamba.nnet.normalization import InstanceNorm
from speechbrain_semamba.ops import kernels
from speechbrain_semamba.ops.causal_conv import causal_conv_silu
from speechbrain_semamba.ops.instance_norm import instance_norm_prelu
from speechbrain_semamba.ops.rms_norm import rms_norm as our_rms_norm
from speechbrain_semamba.ops.scan import cpu
from speechbrain_semamba.ops.selective_scan import selective_scan

REASON = kernels.why_not()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))

#: Largest error of a value and of a gradient, over the largest magnitude
TOLERANCES = {torch.float64: (1e-10, 1e-9), torch.float32: (1e-5, 1e-4)}
DTYPES = pytest.mark.parametrize("dtype", TOLERANCES)
REVERSE = pytest.mark.parametrize("reverse", [False, True])
#: Odd ones leave a part of the last vector empty
DIMS = (5, 32, 37)


@pytest.fixture(autouse=True, params=kernels.INSTRUCTIONS)
def instructions(request):
    """Each test runs once for every instruction set."""
    before = kernels.instructions()
    try:
        kernels.use_instructions(request.param)
    except ValueError as error:
        pytest.skip(str(error))
    assert kernels.instructions() == request.param
    yield request.param
    kernels.use_instructions(before)


def normal(*shape, seed=0):
    """In float64, but exact in float32, so both get the same input."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator).double()


def cast(inputs, dtype):
    """The floating-point ones as another type."""
    return {
        k: v.to(dtype) if v is not None and v.is_floating_point() else v
        for k, v in inputs.items()
    }


def values_and_gradients(function, inputs, weigh=True):
    """The result "y", and gradients of a sum of it by the inputs' names."""
    inputs = {
        k: v.detach().requires_grad_()
        if v is not None and v.is_floating_point()
        else v
        for k, v in inputs.items()
    }
    y = function(**inputs)
    weight = torch.cos(torch.arange(y.numel())).view(y.shape)
    weight = weight.bfloat16().to(y.dtype)  # the same number in any type
    (y * weight if weigh else y).sum().backward()
    found = {"y": y.detach()}
    for name, tensor in inputs.items():
        if tensor is not None and tensor.requires_grad:
            found[name] = tensor.grad
    return found


def assert_same(ours, expected, tolerances, case=""):
    assert ours.keys() == expected.keys()
    for name, wanted in expected.items():
        scale = wanted.abs().max().clamp(min=1e-30)
        error = (ours[name].double() - wanted).abs().max() / scale
        assert error < tolerances[name != "y"], (name, case)


def assert_equal(ours, expected):
    assert ours.keys() == expected.keys()
    for name, wanted in expected.items():
        assert torch.equal(ours[name], wanted), name


def assert_rounded(half, exact):
    """Each bfloat16 is the nearest, or nearly, to the float32 number."""
    assert half.dtype == torch.bfloat16
    distance = (half.double() - exact.double()).abs()
    assert (distance <= 1.01 * 2**-8 * exact.abs() + 1e-30).all()


def assert_all_rounded(ours, exact, names):
    assert ours.keys() == exact.keys()
    for name, tensor in ours.items():
        if name in names:
            assert_rounded(tensor, exact[name])
        else:
            torch.testing.assert_close(tensor, exact[name])


# ---- the selective scan


def make_inputs(length, dim=5, state=3, batch=2):
    """Arguments of the scan, of the sizes that Mamba gives them."""
    return {
        "u": normal(batch, length, dim, seed=1),
        "delta": normal(batch, length, dim, seed=2),
        "A": -normal(dim, state, seed=3).float().exp().double(),
        "B": normal(batch, length, state, seed=4),
        "C": normal(batch, length, state, seed=5),
        "D": normal(dim, seed=6),
        "z": normal(batch, length, dim, seed=7),
        "delta_bias": normal(dim, seed=8) - 2,
    }


def scan(backend="cpu", **options):
    return functools.partial(selective_scan, backend=backend, **options)


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
    inputs = make_inputs(*sizes, batch)
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
    inputs = {**make_inputs(20, 7), absent: None}
    expected = values_and_gradients(scan("reference", reverse=reverse), inputs)
    for dtype, tolerances in TOLERANCES.items():
        ours = values_and_gradients(scan(reverse=reverse), cast(inputs, dtype))
        assert_same(ours, expected, tolerances)


@REVERSE
def test_scan_of_more_items_than_groups(reverse):
    """Gradients of the weights are summed over parts of the batch."""
    inputs = make_inputs(3, batch=kernels.GROUPS + 6)
    options = {"reverse": reverse}
    expected = values_and_gradients(scan("reference", **options), inputs)
    ours = values_and_gradients(scan(**options), inputs)
    assert_same(ours, expected, TOLERANCES[torch.float64])


def strided(name, tensor):
    """The same numbers as Mamba's slices, or with the last axis not dense."""
    if name in ("u", "z", "B", "C"):  # between other features of a projection
        around = torch.full_like(tensor, 9.0)
        joined = torch.cat([around[..., :1], tensor, around], dim=-1)
        return joined[..., 1 : 1 + tensor.shape[-1]]
    if tensor.dim() == 1:
        return torch.stack([tensor, tensor + 1], dim=1)[:, 0]
    return tensor.transpose(-1, -2).contiguous().transpose(-1, -2)


@REVERSE
@DTYPES
def test_scan_of_strided_inputs(dtype, reverse):
    inputs = cast(make_inputs(19, 21, 8), dtype)
    turned = {k: strided(k, v) for k, v in inputs.items()}
    assert not any(v.is_contiguous() for v in turned.values())
    options = {"lengths": torch.tensor([1.0, 0.7]), "reverse": reverse}
    expected = values_and_gradients(scan(**options), inputs)
    assert_equal(values_and_gradients(scan(**options), turned), expected)


@pytest.mark.parametrize("name", ["u", "delta", "B", "C", "z"])
def test_scan_of_a_transposed_input(name):
    inputs = make_inputs(19, 6)
    x = inputs[name]
    turned = {**inputs, name: x.transpose(1, 2).contiguous().transpose(1, 2)}
    assert turned[name].stride(-1) != 1
    expected = values_and_gradients(scan(), inputs)
    assert_equal(values_and_gradients(scan(), turned), expected)


def test_scan_of_an_expanded_gradient():
    """The gradient of a plain sum is a single number with strides of 0."""
    inputs = make_inputs(19, 6)
    ours = values_and_gradients(scan(), inputs, weigh=False)
    expected = values_and_gradients(scan("reference"), inputs, weigh=False)
    assert_same(ours, expected, TOLERANCES[torch.float64])


@REVERSE
def test_scan_in_bfloat16(reverse):
    inputs = cast(make_inputs(50, 37, 16), torch.float32)
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
    half = {k: v.half() for k, v in make_inputs(20).items()}
    y = scan()(**half)
    exact = scan()(**cast(half, torch.float32))
    assert y.dtype == torch.float16
    assert torch.equal(y, exact.half())


@REVERSE
@DTYPES
@pytest.mark.parametrize("name", ["u", "delta", "B", "C", "z"])
def test_nan_reaches_what_depends_on_it_alone(name, dtype, reverse):
    inputs = cast(make_inputs(20, 21, batch=3), dtype)
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
    inputs = cast(make_inputs(20), torch.float32)
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
    inputs = cast(make_inputs(40, 7), dtype)
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
    inputs = make_inputs(24, 6)
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


# ---- states from one call of the operator to the next


def scan_with_states(inputs, steps=None, initial=None, reverse=False):
    """Output and final state."""
    y, final, _ = cpu.selective_scan(
        *inputs.values(), steps, initial, reverse, True
    )
    return y, final


def part(inputs, *items):
    """A slice of items and steps of what has them."""
    return {k: v[items] if v.dim() == 3 else v for k, v in inputs.items()}


HALVES = (slice(20), slice(20, None))


@REVERSE
@pytest.mark.parametrize("state", [3, 8, 16])
def test_halves_carry_the_state_over(state, reverse):
    inputs = make_inputs(37, 7, state)
    whole, final = scan_with_states(inputs, reverse=reverse)
    carried, y = None, torch.empty_like(whole)
    for half in reversed(HALVES) if reverse else HALVES:
        some = part(inputs, slice(None), half)
        y[:, half], carried = scan_with_states(some, None, carried, reverse)
    torch.testing.assert_close(y, whole, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(carried, final, rtol=1e-12, atol=1e-12)


def test_gradient_with_an_initial_state():
    """What follows a state has the gradients it has in the whole."""
    inputs = make_inputs(37, 7)
    first, second = (part(inputs, slice(None), half) for half in HALVES)
    _, carried = scan_with_states(first)

    def late(**inputs):
        return scan()(**inputs)[:, 20:]

    def after(**inputs):
        return scan_with_states(inputs, initial=carried)[0]

    expected = values_and_gradients(late, inputs)
    ours = values_and_gradients(after, second)
    for name in ("u", "delta", "z"):
        expected[name] = expected[name][:, 20:]
        torch.testing.assert_close(ours[name], expected[name])


@REVERSE
def test_final_state_is_that_of_the_items_own_end(reverse):
    inputs = make_inputs(20, 7, batch=3)
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
    inputs = make_inputs(20, 7)
    initial = normal(2, 3, 7)

    def ours(**inputs):
        steps = torch.tensor([0, 20])
        y, final = scan_with_states(inputs, steps, initial)
        assert torch.equal(final[0], initial[0])
        return y

    found = values_and_gradients(ours, inputs)
    for name in ("y", "u", "delta", "z", "B", "C"):
        assert not found[name][0].any() and found[name][1].any()


@REVERSE
@pytest.mark.parametrize("state", [2, 8])
def test_gradcheck_of_the_scan(state, reverse):
    """Over more steps than lie between two kept states."""
    inputs = make_inputs(cpu.CHUNK + 3, 3, state, 1)
    inputs = [x.requires_grad_() for x in inputs.values()]

    def run(*tensors):
        steps = torch.tensor([cpu.CHUNK + 2])
        return cpu.selective_scan(*tensors, steps, None, reverse, True)[0]

    assert torch.autograd.gradcheck(run, inputs)


# ---- the convolution


def conv_inputs(length, dim, width, batch):
    return {
        "x": normal(batch, length, dim, seed=1),
        "weight": normal(dim, width, seed=2),
        "bias": normal(dim, seed=3),
    }


def conv(backend="cpu", reverse=False):
    return functools.partial(causal_conv_silu, reverse=reverse, backend=backend)


@functools.lru_cache(maxsize=None)
def conv_reference(sizes, reverse):
    inputs = conv_inputs(*sizes)
    return values_and_gradients(conv("pytorch", reverse), inputs)


@REVERSE
@pytest.mark.parametrize("width", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("length", [1, 2, 3, 17, 100])
def test_conv(length, width, reverse):
    """Also widths that the kernel does not have."""
    for dim, batch in itertools.product(DIMS, (1, 5)):
        sizes = (length, dim, width, batch)
        expected = conv_reference(sizes, reverse)
        inputs = conv_inputs(*sizes)
        for dtype, tolerances in TOLERANCES.items():
            ours = values_and_gradients(
                conv(reverse=reverse), cast(inputs, dtype)
            )
            assert ours["y"].dtype == dtype
            assert_same(ours, expected, tolerances, (sizes, dtype))


def test_conv_of_more_items_than_groups():
    sizes = (3, 5, 4, kernels.GROUPS + 6)
    ours = values_and_gradients(conv(), conv_inputs(*sizes))
    expected = conv_reference(sizes, False)
    assert_same(ours, expected, TOLERANCES[torch.float64])


@REVERSE
@DTYPES
def test_conv_of_strided_inputs(dtype, reverse):
    inputs = cast(conv_inputs(19, 21, 4, 2), dtype)
    expected = values_and_gradients(conv(reverse=reverse), inputs)
    turned = {
        "x": torch.cat([inputs["x"] + 1, inputs["x"]], dim=-1)[..., 21:],
        "weight": inputs["weight"].T.contiguous().T,
        "bias": strided("bias", inputs["bias"]),
    }
    assert not any(v.is_contiguous() for v in turned.values())
    assert_equal(values_and_gradients(conv(reverse=reverse), turned), expected)
    turned["x"] = strided("", inputs["x"])
    assert turned["x"].stride(-1) != 1
    assert_equal(values_and_gradients(conv(reverse=reverse), turned), expected)


def test_conv_of_an_expanded_gradient():
    inputs = conv_inputs(19, 6, 4, 2)
    ours = values_and_gradients(conv(), inputs, weigh=False)
    expected = values_and_gradients(conv("pytorch"), inputs, weigh=False)
    assert_same(ours, expected, TOLERANCES[torch.float64])


@REVERSE
def test_conv_in_bfloat16(reverse):
    half = cast(conv_inputs(50, 37, 4, 2), torch.bfloat16)
    ours = values_and_gradients(conv(reverse=reverse), half)
    exact = values_and_gradients(
        conv(reverse=reverse), cast(half, torch.float32)
    )
    assert_all_rounded(ours, exact, ours)


def test_conv_of_extreme_numbers():
    inputs = conv_inputs(20, 5, 4, 1)
    inputs["x"][:, ::2, 1] = 200.0
    inputs["x"][:, ::2, 2] = -200.0
    expected = values_and_gradients(conv("pytorch"), inputs)
    ours = values_and_gradients(conv(), cast(inputs, torch.float32))
    assert_same(ours, expected, TOLERANCES[torch.float32])


@REVERSE
def test_nan_stays_in_its_window(reverse):
    inputs = cast(conv_inputs(20, 5, 3, 2), torch.float32)
    inputs["x"][1, 9, 4] = torch.nan
    found = conv(reverse=reverse)(**inputs).isnan().nonzero().tolist()
    steps = (7, 8, 9) if reverse else (9, 10, 11)
    assert found == [[1, t, 4] for t in steps]


@REVERSE
@pytest.mark.parametrize("width", [2, 3, 4])
def test_gradcheck_of_the_conv(width, reverse):
    inputs = conv_inputs(6, 3, width, 2)
    inputs = [x.requires_grad_() for x in inputs.values()]
    assert torch.autograd.gradcheck(conv(reverse=reverse), inputs)


# ---- instance normalisation with PReLU


def norm_inputs(batch, channels, frames, freq, more=3, valid=None):
    return {
        "x": 2 * normal(batch, channels, frames, freq, seed=1) + 1,
        "weight": normal(channels, seed=2),
        "bias": normal(channels, seed=3),
        "slope": normal(channels, seed=4),
        "seen": normal(batch, more, frames, freq, seed=5) if more else None,
        "frames": None if valid is None else torch.tensor(valid),
    }


def norm(eps=1e-5, **inputs):
    return instance_norm_prelu(**inputs, eps=eps)[0]


def norm_formula(x, weight, bias, slope, seen, frames):
    valid = None
    if frames is not None:
        valid = torch.arange(x.shape[2]) < frames[:, None]
        valid = valid[:, None, :, None].to(x.dtype)
    parameters = {"weight": weight, "bias": bias}
    y = torch.func.functional_call(
        InstanceNorm(x.shape[1]), parameters, (x, valid)
    )
    y = prelu(y, slope)
    return y if seen is None else torch.cat([y, seen], dim=1)


#: frames and freq; 256 positions are added up by themselves
NORM_SIZES = ((3, 5), (16, 16), (7, 40), (27, 29))


@functools.lru_cache(maxsize=None)
def norm_case(*sizes):
    inputs = norm_inputs(*sizes)
    return inputs, values_and_gradients(norm_formula, inputs)


@pytest.mark.parametrize("channels", [1, 5, 16, 37])
@pytest.mark.parametrize("more", [0, 3])
@pytest.mark.parametrize("frames, freq", NORM_SIZES)
def test_norm(channels, more, frames, freq):
    for valid in (None, (frames, 1, frames - 1)):
        inputs, expected = norm_case(3, channels, frames, freq, more, valid)
        for dtype, tolerances in TOLERANCES.items():
            ours = values_and_gradients(norm, cast(inputs, dtype))
            assert ours["y"].dtype == dtype
            assert ours["y"].is_contiguous(memory_format=torch.channels_last)
            assert_same(ours, expected, tolerances, (valid, dtype))


@pytest.mark.parametrize("valid", [None, (27, 11)])
@DTYPES
def test_norm_of_any_memory_format(dtype, valid):
    inputs = cast(norm_inputs(2, 21, 27, 29, 3, valid), dtype)
    expected = values_and_gradients(norm, inputs)
    last = dict(inputs)
    for name in ("x", "seen"):
        assert inputs[name].is_contiguous()
        last[name] = inputs[name].contiguous(memory_format=torch.channels_last)
    ours = values_and_gradients(norm, last)
    assert_equal(ours, expected)
    # every other channel of a wider tensor
    wide = inputs["x"].repeat_interleave(2, dim=1)[:, ::2]
    ours = values_and_gradients(norm, {**inputs, "x": wide})
    assert_equal(ours, expected)


def test_norm_of_a_mean_far_above_the_spread():
    inputs = norm_inputs(2, 5, 20, 31)
    inputs["x"] = (normal(2, 5, 20, 31) + 1000).float().double()
    expected = values_and_gradients(norm_formula, inputs)
    ours = values_and_gradients(norm, cast(inputs, torch.float32))
    assert_same(ours, expected, (1e-3, 1e-3))


@pytest.mark.parametrize("valid", [None, (27, 11)])
def test_norm_in_bfloat16(valid):
    half = cast(norm_inputs(2, 21, 27, 29, 3, valid), torch.bfloat16)
    ours = values_and_gradients(norm, half)
    exact = values_and_gradients(norm, cast(half, torch.float32))
    assert_all_rounded(ours, exact, ours)


def test_norm_never_reads_padding():
    inputs = norm_inputs(2, 5, 27, 29, 0, (11, 0))
    clean = values_and_gradients(norm, inputs)
    inputs["x"][0, :, 11:] = torch.nan
    inputs["x"][1] = torch.nan
    ours = values_and_gradients(norm, inputs)
    assert_equal(ours, clean)
    for name in ("x", "y"):
        assert ours[name][0, :, :11].any()
        assert not ours[name][0, :, 11:].any() and not ours[name][1].any()


def test_norm_gives_the_statistics():
    inputs = norm_inputs(2, 5, 27, 29, 0, (27, 11))
    _, mean, inverse = instance_norm_prelu(**inputs, eps=0.5)
    for i, frames in enumerate((27, 11)):
        valid = inputs["x"][i, :, :frames]
        expected = (valid.var(dim=(1, 2), correction=0) + 0.5).rsqrt()
        torch.testing.assert_close(mean[i], valid.mean(dim=(1, 2)))
        torch.testing.assert_close(inverse[i], expected)


def test_nan_stays_in_its_channel():
    inputs = norm_inputs(2, 5, 3, 4, more=0)
    inputs["x"][1, 2, 0, 0] = torch.nan
    found = norm(**inputs).isnan()
    assert found[1, 2].all() and found.sum() == 12


def test_norm_of_silence():
    """All numbers the same, and so zero at the corner of the PReLU."""
    inputs = norm_inputs(2, 5, 3, 4)
    inputs["x"] = torch.ones_like(inputs["x"])
    inputs["bias"] = torch.zeros(5).double()
    expected = values_and_gradients(norm_formula, inputs)
    ours = values_and_gradients(norm, inputs)
    assert_same(ours, expected, TOLERANCES[torch.float64])


@pytest.mark.parametrize("more", [0, 2])
@pytest.mark.parametrize("valid", [None, (3, 2)])
def test_gradcheck_of_the_norm(more, valid):
    inputs = norm_inputs(2, 3, 3, 4, more, valid)
    frames = inputs.pop("frames")
    given = [x for x in inputs.values() if x is not None]

    def run(x, weight, bias, slope, seen=None):
        return instance_norm_prelu(x, weight, bias, slope, seen, frames, 0.1)[0]

    assert torch.autograd.gradcheck(run, [x.requires_grad_() for x in given])


# ---- root-mean-square normalisation


@pytest.mark.parametrize("channels", [1, 5, 16, 37])
def test_rms_norm(channels):
    x, weight = normal(3, 7, channels, seed=1), normal(channels, seed=2)
    between = torch.cat([x + 1, x, x], dim=-1)[..., channels : 2 * channels]
    turned = x.permute(2, 0, 1).contiguous().permute(1, 2, 0)
    middle = x.transpose(0, 1).contiguous().transpose(0, 1)
    for strided_x in (x, between, turned, middle):
        for dtype, (tolerance, _) in TOLERANCES.items():
            y = our_rms_norm(strided_x.to(dtype), weight.to(dtype), 0.1)
            expected = rms_norm(x, (channels,), weight, 0.1)
            assert y.dtype == dtype and y.is_contiguous()
            assert (y - expected).abs().max() < tolerance * expected.abs().max()


def test_rms_norm_in_bfloat16():
    x, weight = normal(3, 7, 37).bfloat16(), normal(37, seed=2).float()
    y = our_rms_norm(x, weight, 1e-5)
    assert_rounded(y, our_rms_norm(x.float(), weight, 1e-5))


# ---- the exponential


def kernel_exp(x):
    y = torch.empty_like(x)
    kernels.library().semamba_exp(
        ctypes.c_void_p(x.data_ptr()),
        ctypes.c_void_p(y.data_ptr()),
        ctypes.c_int64(len(x)),
    )
    return y


def test_exp_is_that_of_floats():
    x = torch.linspace(-87, 88.3, 1_000_003)
    expected = x.double().exp()
    assert ((kernel_exp(x) - expected).abs() / expected).max() < 5e-7
    assert (kernel_exp(torch.zeros(3)) == 1).all()


def test_exp_stays_within_floats():
    small = kernel_exp(torch.tensor([-88.1, -100, -1e4, -3e38, -torch.inf]))
    assert (small >= 0).all() and (small < 2e-38).all()
    large = kernel_exp(torch.tensor([88.4, 100, 1e4, 3e38, torch.inf]))
    assert (large >= 2.3e38).all() and not large.isnan().any()


@pytest.mark.parametrize("bits", [0x7FC00000, 0x7F800200])
def test_exp_of_nan(bits):
    """Of any sign, and signalling or not."""
    x = torch.tensor([bits, bits - 2**31], dtype=torch.int32)
    x = x.view(torch.float32)
    assert x.isnan().all()
    assert kernel_exp(x).isnan().all()
