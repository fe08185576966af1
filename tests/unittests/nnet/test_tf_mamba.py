"""Mamba in both directions, along time and along frequency."""

import copy
import pickle

import pytest
import torch
from layers import build, features, valid_frames, zeroed
from operators import needs_kernels

from speechbrain_semamba.nnet import tf_mamba as module
from speechbrain_semamba.nnet.tf_mamba import BidirectionalMamba, TFMamba
from speechbrain_semamba.ops.mamba_mixer import mamba_pair


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


def test_fused_knows_both_directions_of_a_pair(fused):
    BidirectionalMamba(3, backend="pytorch")(torch.randn(2, 5, 3))
    assert [reverse for *_, reverse in fused] == [False, True]


def test_every_parameter_gets_a_gradient():
    net = build(BidirectionalMamba, channels=3, d_state=2)
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


# ---- when the compiled kernel takes the place of the layers


@pytest.fixture
def kernel_calls(monkeypatch):
    """Counts the calls of the kernel."""
    calls = []

    def call(*arguments):
        calls.append(arguments)
        return mamba_pair(*arguments)

    monkeypatch.setattr(module, "mamba_pair", call)
    return calls


def pair(**options):
    return build(BidirectionalMamba, channels=5, **options).float()


@needs_kernels
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_kernel_where_nobody_wants_a_gradient(kernel_calls, dtype):
    net, x = pair(), features(2, 7, 5).to(dtype)
    with torch.no_grad():
        ours = net(x)
    net.requires_grad_(False)
    assert torch.equal(net(x), ours) and len(kernel_calls) == 2
    expected = net.double()(x.double())
    assert len(kernel_calls) == 2
    tolerance = 1e-5 if dtype == torch.float32 else 1e-2
    assert ours.dtype == dtype
    assert (ours - expected).abs().max() < tolerance * expected.abs().max()


@needs_kernels
def test_kernel_gets_all_sequences_at_once(kernel_calls):
    net = build(TFMamba, channels=3).float().requires_grad_(False)
    x, valid = features(3, 3, 10, 4), valid_frames((10, 6, 1), 10)
    x = zeroed(x, valid)
    y = net(x.float(), valid)
    assert [x.shape for x, *_ in kernel_calls] == [(3, 4, 10, 3), (3, 10, 4, 3)]
    expected = net.double()(x, valid)
    close = zeroed(y - expected, valid).abs().max()
    assert 0 < close < 1e-5 * expected.abs().max()


def hook(net):
    net.backward_block.mixer.x_proj.register_forward_hook(lambda *call: None)


def pre_hook(net):
    net.register_forward_pre_hook(lambda *call: None)


def other_layer(net):
    class Other(torch.nn.Linear):
        pass

    net.forward_block.mixer.in_proj = Other(5, 40, bias=False)


def parametrization(net):
    torch.nn.utils.parametrizations.weight_norm(net.projection)


def pytorch(net):
    net.forward_block.mixer.backend = "pytorch"
    net.backward_block.mixer.backend = "pytorch"


@needs_kernels
@pytest.mark.parametrize(
    "change", [hook, pre_hook, other_layer, parametrization, pytorch]
)
def test_no_kernel_where_layers_are_seen(kernel_calls, change):
    net, x = pair(), features(2, 7, 5).float()
    change(net)
    with torch.no_grad():
        net(x)
    assert not kernel_calls


@needs_kernels
def test_no_kernel_for_gradients(kernel_calls):
    net, x = pair(), features(2, 7, 5).float()
    net(x)
    net.requires_grad_(False)
    net(x.requires_grad_())
    assert not kernel_calls


def trained(net):
    net(features(2, 7, 5).float()).square().sum().backward()
    torch.optim.SGD(net.parameters(), lr=0.1).step()
    return net


def loaded(net):
    state = {k: v + 0.1 for k, v in net.state_dict().items()}
    net.load_state_dict(state)
    return net


def edited(net):
    net.forward_block.mixer.A_log.data.mul_(1.1)
    net.projection.weight.data[0] = 0.5
    return net


def cast_and_back(net):
    return net.bfloat16().float()


def copied(net):
    return loaded(copy.deepcopy(net))


def pickled(net):
    return edited(pickle.loads(pickle.dumps(net)))


@needs_kernels
@pytest.mark.parametrize(
    "change", [trained, loaded, edited, cast_and_back, copied, pickled]
)
def test_kernel_follows_the_weights(kernel_calls, change):
    net, x = pair(), features(2, 7, 5).float()
    with torch.no_grad():
        before = net(x)
    net = change(net)
    with torch.no_grad():
        after = net(x)
    assert len(kernel_calls) == 2
    expected = copy.deepcopy(net).double()(x.double())
    scale = expected.abs().max()
    assert (after - expected).abs().max() < 1e-5 * scale
    assert (before - expected).abs().max() > 1e-4 * scale


@needs_kernels
def test_compiled_pair_is_the_same():
    net, x = pair(), features(2, 7, 5).float()
    torch._dynamo.reset()
    fast = torch.compile(net, fullgraph=True, backend="aot_eager")
    with torch.no_grad():
        assert torch.equal(fast(x), net(x))
