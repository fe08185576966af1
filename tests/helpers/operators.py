"""Inputs of the compiled operators, and how their results are compared."""

import functools
import itertools

import pytest
import torch

from speechbrain_semamba.ops import kernels
from speechbrain_semamba.ops.selective_scan import selective_scan

needs_kernels = pytest.mark.skipif(
    kernels.why_not() is not None, reason=str(kernels.why_not())
)

#: Largest error of a value and of a gradient, over the largest magnitude
TOLERANCES = {torch.float64: (1e-10, 1e-9), torch.float32: (1e-5, 1e-4)}
DTYPES = pytest.mark.parametrize("dtype", TOLERANCES)
REVERSE = pytest.mark.parametrize("reverse", [False, True])
#: Odd ones leave a part of the last vector empty
DIMS = (5, 32, 37)


def normal(*shape, seed=0):
    """In float64, but exact in float32, so both get the same input."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator).double()


def scan_inputs(length, dim=5, state=3, batch=2):
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
    """The public function with a back end."""
    return functools.partial(selective_scan, backend=backend, **options)


def conv_inputs(length, dim, width, batch):
    """Arguments of the causal convolution."""
    return {
        "x": normal(batch, length, dim, seed=1),
        "weight": normal(dim, width, seed=2),
        "bias": normal(dim, seed=3),
    }


def conv3x3_inputs(batch, channels, outputs, frames, freq):
    """Arguments of the 3x3 convolution."""
    return {
        "x": normal(batch, channels, frames, freq, seed=1),
        "weight": normal(outputs, channels, 3, 3, seed=2),
        "bias": normal(outputs, seed=3),
    }


def joined_inputs(maps, channels, outputs, frames, freq, batch=2):
    """Arguments of the 3x3 convolution of joined maps."""
    wide = conv3x3_inputs(batch, maps * channels, outputs, frames, freq)
    x = wide.pop("x")
    return {"maps": list(x.split(channels, dim=1)), **wide}


def norm_inputs(batch, channels, frames, freq, more=3, sizes=None):
    """Arguments of the instance normalisation."""
    return {
        "x": 2 * normal(batch, channels, frames, freq, seed=1) + 1,
        "weight": normal(channels, seed=2),
        "bias": normal(channels, seed=3),
        "slope": normal(channels, seed=4),
        "seen": normal(batch, more, frames, freq, seed=5) if more else None,
        "sizes": None if sizes is None else torch.tensor(sizes),
    }


def pair_inputs(channels=5, dim=37, state=3, width=4, batch=2, length=20):
    """Arguments of the pair of Mambas, without the valid sizes; float32."""
    rank = -(-channels // 16)

    def weights(seed):
        seeds = itertools.count(seed)

        def draw(*shape):
            return normal(*shape, seed=next(seeds)).float() / shape[-1] ** 0.5

        return [
            draw(channels) + 1,
            draw(2 * dim, channels),
            draw(dim, width),
            draw(dim),
            draw(rank + 2 * state, dim),
            draw(dim, rank),
            draw(dim) - 2,
            -draw(dim, state).exp(),
            draw(dim),
            draw(channels, dim),
        ]

    return {
        "x": normal(batch, 3, length, channels, seed=1).float(),
        "forward": weights(100),
        "backward": weights(200),
        "projection": normal(channels, 2 * channels, seed=2).float() / channels,
        "bias": normal(channels, seed=3).float(),
        "eps": [1e-5, 1e-2],
    }


def is_float(x):
    return x is not None and x.is_floating_point()


def cast(inputs, dtype):
    """The floating-point ones as another type."""
    return {k: v.to(dtype) if is_float(v) else v for k, v in inputs.items()}


def strided(name, tensor):
    """The same numbers as Mamba's slices, or with the last axis not dense."""
    if name in ("u", "z", "B", "C"):  # between other features of a projection
        around = torch.full_like(tensor, 9.0)
        joined = torch.cat([around[..., :1], tensor, around], dim=-1)
        return joined[..., 1 : 1 + tensor.shape[-1]]
    if tensor.dim() == 1:
        return torch.stack([tensor, tensor + 1], dim=1)[:, 0]
    return tensor.transpose(-1, -2).contiguous().transpose(-1, -2)


def values_and_gradients(function, inputs, weigh=True):
    """The result "y", and gradients of a sum of it by the inputs' names."""
    inputs = {
        k: v.detach().requires_grad_() if is_float(v) else v
        for k, v in inputs.items()
    }
    y = function(**inputs)
    weight = torch.cos(torch.arange(y.numel())).view(y.shape)
    weight = weight.bfloat16().to(y)  # the same number in any type
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
