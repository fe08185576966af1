"""The Mamba mixer against its equations, and the block around it."""

import dataclasses
import math

import pytest
import torch
from layers import build, features, valid_frames
from operator_runs import with_gradients
from operators import needs_kernels

from speechbrain_semamba.nnet.mamba import Mamba, MambaBlock
from speechbrain_semamba.ops.backends import BACKENDS

SIZES = [
    {"channels": 3},
    {"channels": 3, "d_state": 2, "d_conv": 2, "expand": 2},
    {"channels": 20, "d_state": 5, "d_conv": 3, "expand": 1},
]


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def literal_mamba(mixer, x):
    """One item [length, channels], number by number, after the paper.

    Gu and Dao, arXiv:2312.00752: figure 3 for the block, algorithm 2 and
    equation 2 for the recurrence (B by Euler's rule, as in their code).
    """
    w = {k: v.tolist() for k, v in mixer.named_parameters()}
    dim, width = len(w["D"]), len(w["conv1d.weight"][0][0])
    states, rank = len(w["A_log"][0]), len(w["dt_proj.weight"][0])

    def times(matrix, vector):
        return [sum(a * b for a, b in zip(row, vector)) for row in matrix]

    past = [[0.0] * dim for _ in range(width)]
    h = [[0.0] * states for _ in range(dim)]
    result = []
    for frame in x.tolist():
        both = times(w["in_proj.weight"], frame)
        z = both[dim:]
        past = past[1:] + [both[:dim]]
        u = []
        for d in range(dim):
            taps = w["conv1d.weight"][d][0]
            v = sum(taps[k] * past[k][d] for k in range(width))
            v += w["conv1d.bias"][d]
            u.append(v * sigmoid(v))
        selected = times(w["x_proj.weight"], u)
        low, B = selected[:rank], selected[rank : rank + states]
        C = selected[rank + states :]
        raw = times(w["dt_proj.weight"], low)
        y = []
        for d in range(dim):
            step = math.log1p(math.exp(raw[d] + w["dt_proj.bias"][d]))
            for n in range(states):
                decay = math.exp(-step * math.exp(w["A_log"][d][n]))
                h[d][n] = decay * h[d][n] + step * B[n] * u[d]
            v = sum(C[n] * h[d][n] for n in range(states)) + w["D"][d] * u[d]
            y.append(v * z[d] * sigmoid(z[d]))
        result.append(times(w["out_proj.weight"], y))
    return torch.tensor(result, dtype=torch.float64)


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("length", [1, 2, 12])
def test_against_the_equations(sizes, length):
    mixer = build(Mamba, **sizes)
    x = features(2, length, sizes["channels"])
    expected = torch.stack([literal_mamba(mixer, item) for item in x])
    torch.testing.assert_close(mixer(x), expected)
    backward = torch.stack([literal_mamba(mixer, item.flip(0)) for item in x])
    torch.testing.assert_close(mixer(x, reverse=True), backward.flip(1))


@pytest.mark.parametrize("cls", [Mamba, MambaBlock])
@pytest.mark.parametrize("backend", ["pytorch", "reference"])
def test_reverse_is_flipped_forward(cls, backend):
    net = build(cls, channels=5, backend=backend)
    x = features(2, 11, 5)
    expected = net(x.flip(1)).flip(1)
    torch.testing.assert_close(net(x, reverse=True), expected)
    assert (net(x) - expected).abs().max() > 1e-3


@pytest.mark.parametrize("reverse", [False, True])
def test_causal(reverse):
    """Nothing comes from steps that are still to be run."""
    mixer = build(Mamba, channels=4)
    x = features(1, 9, 4).requires_grad_()
    (grad,) = torch.autograd.grad(mixer(x, reverse=reverse)[0, 5].sum(), x)
    touched = grad[0].abs().sum(dim=1) > 0
    expected = range(5, 9) if reverse else range(6)
    assert touched.nonzero().flatten().tolist() == list(expected)


@pytest.mark.parametrize("reverse", [False, True])
def test_ragged_equals_alone(reverse):
    mixer = build(Mamba, channels=4)
    sizes = (10, 6, 1)
    x = features(3, 10, 4)
    for item, size in zip(x, sizes):
        item[size:] = 0
    y = mixer(x, valid_frames(sizes, 10), reverse)
    for i, size in enumerate(sizes):
        alone = mixer(x[i : i + 1, :size], reverse=reverse)[0]
        torch.testing.assert_close(y[i, :size], alone)
        assert not y[i, size:].any()


@pytest.mark.parametrize("channels", [3, 64])
def test_initial_step_size(channels):
    """Log-uniform between a thousandth and a tenth."""
    torch.manual_seed(0)
    mixer = Mamba(channels, expand=64)
    step = torch.nn.functional.softplus(mixer.dt_proj.bias.double())
    assert step.min() >= 1e-3 * (1 - 1e-4)
    assert step.max() <= 1e-1 * (1 + 1e-4)
    # the middle of a log-uniform law is the geometric mean
    assert (step < 1e-2).double().mean().item() == pytest.approx(0.5, abs=0.15)
    bound = mixer.dt_rank**-0.5
    assert 0.9 * bound < mixer.dt_proj.weight.abs().max() <= bound


def test_initial_decay_and_skip():
    mixer = Mamba(3, d_state=4, expand=2)
    expected = -torch.tensor([1.0, 2.0, 3.0, 4.0]).expand(6, 4)
    torch.testing.assert_close(mixer.A, expected)
    assert (mixer.D == 1).all()


@pytest.mark.parametrize(
    "given, expected",
    [
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_decay_is_float32_or_better(given, expected):
    mixer = Mamba(3).to(given)
    assert mixer.A.dtype == expected


def fusing(**sizes):
    return Mamba(3, backend="pytorch", **sizes)


@pytest.mark.parametrize("reverse", [False, True])
def test_fused_is_called_and_used(fused, reverse):
    mixer, x = fusing(), torch.randn(2, 5, 3)
    y = mixer(x, reverse=reverse)
    assert y.shape == (2, 5, 3) and (y == 7).all()
    ((xz, *weights, A, D, out_proj, direction),) = fused
    torch.testing.assert_close(xz, mixer.in_proj(x))
    torch.testing.assert_close(A, mixer.A)
    expected = [
        mixer.conv1d.weight,
        mixer.conv1d.bias,
        mixer.x_proj.weight,
        mixer.dt_proj.weight,
        mixer.dt_proj.bias,
    ]
    assert len(weights) == 5
    assert all(x is y for x, y in zip(weights, expected))
    assert D is mixer.D and out_proj is mixer.out_proj.weight
    assert direction is reverse


def test_not_fused_with_lengths(fused):
    y = fusing()(torch.randn(2, 5, 3), valid_frames((5, 5), 5))
    assert not fused and not (y == 7).any()


def test_not_fused_where_it_cannot_run(fused, monkeypatch):
    row = dataclasses.replace(
        BACKENDS["pytorch"], why_not_fused=lambda device_type: "missing"
    )
    monkeypatch.setitem(BACKENDS, "pytorch", row)
    fusing()(torch.randn(2, 5, 3))
    assert not fused


def test_not_fused_with_another_back_end(fused):
    Mamba(3, backend="reference")(torch.randn(2, 5, 3))
    assert not fused


def test_block_is_norm_mixer_residual():
    block = build(MambaBlock, channels=5)
    x = features(2, 7, 5)
    power = x.square().mean(dim=-1, keepdim=True)
    normed = x / (power + 1e-5).sqrt() * block.norm.weight
    torch.testing.assert_close(block(x), x + block.mixer(normed))


@pytest.mark.parametrize("cls", [Mamba, MambaBlock])
def test_every_parameter_gets_a_gradient(cls):
    net = build(cls, channels=3, d_state=2)
    net(features(2, 6, 3)).square().sum().backward()
    for name, weight in net.named_parameters():
        assert weight.grad is not None and weight.grad.any(), name


@needs_kernels
def test_compiled_block_is_the_same():
    torch.manual_seed(0)
    block = MambaBlock(8, d_state=4, expand=2, backend="cpu")
    x = features(2, 9, 8).float().requires_grad_()
    inputs = [x, *block.parameters()]
    torch._dynamo.reset()
    fast = torch.compile(block, fullgraph=True, backend="aot_eager")
    for ours, expected in zip(
        with_gradients(fast(x), inputs), with_gradients(block(x), inputs)
    ):
        torch.testing.assert_close(ours, expected)
