"""The networks of peers, step by step."""

import numpy as np
import pytest
from places import ROOT


@pytest.fixture
def peer_systems(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import peer_systems

    return peer_systems


def write_sum(path):
    """A network whose output, and whose next state, is the sum of all so far."""
    onnx = pytest.importorskip("onnx", reason="ONNX is not installed")
    make = onnx.helper

    def values(*names):
        kind = onnx.TensorProto.FLOAT
        return [make.make_tensor_value_info(n, kind, [2]) for n in names]

    nodes = [
        make.make_node("Add", ["x", "state"], ["y"]),
        make.make_node("Identity", ["y"], ["next"]),
    ]
    inputs, outputs = values("x", "state"), values("y", "next")
    graph = make.make_graph(nodes, "sum", inputs, outputs)
    opset = [make.make_opsetid("", 13)]
    path.parent.mkdir(parents=True)
    onnx.save(make.make_model(graph, opset_imports=opset, ir_version=8), path)


def test_states_of_a_network_begin_at_zero_and_go_on(
    peer_systems, tmp_path, monkeypatch
):
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    write_sum(tmp_path / "sums" / "asset" / "sum.onnx")
    (tmp_path / "sums" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    run = peer_systems.onnx_network("sums", "sum.onnx")
    wave = np.arange(2, dtype=np.float32)
    states = None
    for count in (1, 2, 3):
        found, states = run(wave, states)
        np.testing.assert_array_equal(found, count * wave)
    np.testing.assert_array_equal(run(wave)[0], wave)
