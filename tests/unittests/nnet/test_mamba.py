"""The Mamba mixer against its equations, and the blocks around it."""

import dataclasses
import math

import pytest
import torch
from layers import build, features, valid_frames, zeroed
from operator_runs import with_gradients
from operators import needs_kernels

from speechbrain_semamba.nnet import mamba as module
from speechbrain_semamba.nnet.mamba import (
    BidirectionalMamba,
    Mamba,
    MambaBlock,
    TFMamba,
)
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


def test_fused_knows_both_directions_of_a_pair(fused):
    BidirectionalMamba(3, backend="pytorch")(torch.randn(2, 5, 3))
    assert [reverse for *_, reverse in fused] == [False, True]


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


def test_pair_joins_both_directions():
    net = build(BidirectionalMamba, channels=5)
    x = features(2, 7, 5)
    forward = net.forward_block(x)
    backward = net.backward_block(x.flip(1)).flip(1)
    weight, bias = net.projection.weight, net.projection.bias
    expected = x + forward @ weight[:, :5].T + backward @ weight[:, 5:].T + bias
    torch.testing.assert_close(net(x), expected)


def test_tf_mamba_runs_along_time_then_frequency():
    """Each column of time by itself, then each row of frequency."""
    net = build(TFMamba, channels=3)
    x = features(2, 3, 4, 6)
    y = torch.empty_like(x)
    for b in range(2):
        for f in range(6):
            y[b, :, :, f] = net.time(x[b, :, :, f].T[None])[0].T
    expected = torch.empty_like(x)
    for b in range(2):
        for t in range(4):
            expected[b, :, t] = net.freq(y[b, :, t].T[None])[0].T
    torch.testing.assert_close(net(x), expected)


def test_tf_mamba_ragged_equals_alone():
    net = build(TFMamba, channels=3)
    sizes = (10, 6, 1)
    x = features(3, 3, 10, 4)
    for item, size in zip(x, sizes):
        item[:, size:] = 0
    y = net(x, valid_frames(sizes, 10))
    assert y.shape == x.shape
    for i, size in enumerate(sizes):
        alone = net(x[i : i + 1, :, :size])[0]
        torch.testing.assert_close(y[i, :, :size], alone)


@pytest.mark.parametrize("cls", [Mamba, MambaBlock, BidirectionalMamba])
def test_every_parameter_gets_a_gradient(cls):
    net = build(cls, channels=3, d_state=2)
    net(features(2, 6, 3)).square().sum().backward()
    for name, weight in net.named_parameters():
        assert weight.grad is not None and weight.grad.any(), name


def test_sizes_reach_the_mixer():
    sizes = {"d_state": 2, "d_conv": 3, "expand": 5, "backend": "reference"}
    net = TFMamba(channels=4, **sizes)
    for pair in (net.time, net.freq):
        for block in (pair.forward_block, pair.backward_block):
            assert block.mixer.A_log.shape == (20, 2)
            assert block.mixer.conv1d.weight.shape == (20, 1, 3)
            assert block.mixer.backend == "reference"


@needs_kernels
@pytest.mark.parametrize(
    "batch, ragged, width",
    [(1, False, 4), (1, True, 4), (3, False, 5), (3, True, 4)],
)
def test_slices_of_tf_mamba(monkeypatch, batch, ragged, width):
    """A few sequences at a time, and a rest; all at once with gradients.

    A width of 5 is one that the compiled convolution does not have.
    """
    ours, plain = (
        build(TFMamba, 3, d_state=4, d_conv=width, backend=backend)
        for backend in ("cpu", "pytorch")
    )
    x, valid = features(batch, 3, 7, 5), None
    if ragged:
        valid = valid_frames((5, 7, 1)[:batch], 7)
        x = zeroed(x, valid)
    expected = plain(x, valid)
    torch.testing.assert_close(ours(x, valid), expected)
    calls = []
    ours.time.register_forward_hook(lambda *call: calls.append(call))
    bytes_of_two = 2 * 7 * (4 * 3) * 8
    for size, count in ((1, 5), (bytes_of_two, 3)):
        monkeypatch.setattr(module, "SLICE", size)
        calls.clear()
        for mode in (torch.inference_mode, torch.no_grad):
            with mode():
                torch.testing.assert_close(ours(x, valid), expected)
        assert len(calls) == 2 * batch * count


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
