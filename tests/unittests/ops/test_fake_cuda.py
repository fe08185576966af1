"""CUDA tensors without data, on a machine that has no GPU.

PyTorch's autograd engine asks the driver for each device, so that it cannot run
backwards through them; gradients are called by hand here. A whole training step
through the same operators is in ``test_triton_training.py``.
"""

import collections
import dataclasses

import pytest
import torch
from operator_runs import conv_tensors, scan_tensors
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._python_dispatch import TorchDispatchMode

from speechbrain_semamba.lobes.models.semamba import SEMamba
from speechbrain_semamba.nnet.mamba import Mamba
from speechbrain_semamba.ops.backends import BACKENDS

pytestmark = pytest.mark.skipif(
    torch.cuda.is_available(), reason="a GPU runs these itself: make gpu"
)
HALVES = pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])


@pytest.fixture(autouse=True)
def fake(monkeypatch):
    """Tensors without data; Triton is taken to be ready."""
    row = dataclasses.replace(BACKENDS["triton"], why_not=lambda device: None)
    monkeypatch.setitem(BACKENDS, "triton", row)
    before = torch.is_autocast_enabled("cuda"), torch.get_autocast_dtype("cuda")
    with FakeTensorMode() as mode, torch.device("cuda"):
        yield mode
    torch.set_autocast_enabled("cuda", before[0])
    torch.set_autocast_dtype("cuda", before[1])


def autocast(dtype):
    """torch.autocast switches itself off where there is no GPU."""
    torch.set_autocast_enabled("cuda", True)
    torch.set_autocast_dtype("cuda", dtype)


class Ours(TorchDispatchMode):
    """Counts calls of our operators, by name, device and type."""

    def __init__(self):
        super().__init__()
        self.calls = collections.Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function.namespace == "semamba":
            x = args[0]
            name = function.__name__.partition(".")[0]
            self.calls[name, x.device.type, x.dtype] += 1
        return function(*args, **(kwargs or {}))


@HALVES
def test_generator_under_autocast(dtype):
    """The scan and the convolution in half precision, the CPU's not at all."""
    generator = SEMamba(channels=16, num_blocks=2)
    mag, lengths = torch.empty(2, 20, 201), torch.tensor([1.0, 0.5])
    autocast(dtype)
    with Ours() as ours:
        outputs = generator(mag, mag, lengths)
    for output in outputs:
        assert output.device.type == "cuda" and output.shape == mag.shape
    # two blocks, along time and frequency, there and back
    assert ours.calls == {
        ("selective_scan", "cuda", dtype): 8,
        ("causal_conv_silu", "cuda", dtype): 8,
    }


def semamba_nodes(graph):
    return [
        node.target.__name__.partition(".")[0]
        for node in graph.graph.nodes
        if str(node.target).startswith("semamba")
    ]


def test_make_fx_keeps_the_operators():
    mixer, x = Mamba(16), torch.empty(2, 20, 16)
    autocast(torch.float16)
    graph = make_fx(lambda x: mixer(x, reverse=True))(x)
    assert semamba_nodes(graph) == ["causal_conv_silu", "selective_scan"]


@pytest.mark.parametrize("grad", [False, True])
def test_compile_makes_one_graph(grad):
    """``fullgraph`` raises where a graph breaks."""
    mixer, x = Mamba(16), torch.empty(2, 20, 16)
    graphs = []

    def keep(graph, inputs):
        graphs.append(graph)
        return graph

    torch._dynamo.reset()
    autocast(torch.float16)
    with torch.set_grad_enabled(grad):
        y = torch.compile(
            lambda x: mixer(x, reverse=True), fullgraph=True, backend=keep
        )(x)
    assert y.device.type == "cuda" and y.requires_grad == grad
    (graph,) = graphs
    assert semamba_nodes(graph) == ["causal_conv_silu", "selective_scan"]


@HALVES
def test_gradients_have_the_types_of_their_tensors(dtype):
    u, delta, A, B, C, D, z, bias = scan_tensors(2, 20, 5, 3, False)
    u, delta, z = u.to(dtype), delta.to(dtype), z.to(dtype)
    tensors = u, delta, A, B, C, D, z, bias
    ours = torch.ops.semamba
    y, final, states = ours.selective_scan(*tensors, None, None, False, True)
    assert (y.dtype, final.dtype) == (dtype, torch.float32)
    grads = ours.selective_scan_backward(y, *tensors, None, states, False)
    x, *weights = conv_tensors(2, 5, 3, 3, False)
    inputs = x.to(dtype), *weights
    y = ours.causal_conv_silu(*inputs, False)
    grads += ours.causal_conv_silu_backward(y, *inputs, False)
    for grad, tensor in zip(grads, (*tensors, *inputs)):
        found = grad.device.type, grad.dtype, grad.shape
        assert found == ("cuda", tensor.dtype, tensor.shape)
