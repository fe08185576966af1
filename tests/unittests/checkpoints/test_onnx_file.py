"""The generator as an ONNX file."""

import sys

import pytest
import torch
from torch.torch_version import TorchVersion

from speechbrain_semamba.checkpoints import onnx_file
from speechbrain_semamba.checkpoints.onnx_file import write_onnx
from speechbrain_semamba.lobes.models.semamba import SEMamba

SIZES = {"channels": 4, "num_blocks": 1, "d_state": 2, "expand": 1, "n_fft": 40}


@pytest.fixture
def generator():
    torch.manual_seed(0)
    return SEMamba(**SIZES)


def need_extra():
    if torch.__version__ < (2, 8):
        pytest.skip("torch before 2.8 cannot write the scan")
    for name in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(name, reason=f"no {name}: pip install '.[onnx]'")


def test_same_as_the_generator_at_any_length(generator, tmp_path):
    need_extra()
    import onnxruntime

    write_onnx(generator, tmp_path / "g.onnx", n_fft=40)
    assert [p.name for p in tmp_path.iterdir()] == ["g.onnx"]
    session = onnxruntime.InferenceSession(tmp_path / "g.onnx")
    # 10 is the number of bands inside, 1 the size that tracing may take as is
    for frames in (1, 10, 64, 201):
        mag, phase = torch.rand(2, 1, frames, 21)
        outputs = session.run(
            None, {"mag": mag.numpy(), "phase": phase.numpy()}
        )
        with torch.no_grad():
            expected = torch.polar(*generator(mag, phase))
        ours = torch.polar(*map(torch.from_numpy, outputs))
        torch.testing.assert_close(ours, expected, atol=1e-4, rtol=0)
    assert all(p.requires_grad for p in generator.parameters())
    assert generator.encoder.conv_in.backend == "auto"


def test_program_that_computes_something_else(generator, tmp_path, monkeypatch):
    need_extra()
    monkeypatch.setattr(onnx_file, "TOLERANCE", -1.0)
    with pytest.raises(ValueError, match="g.onnx would differ .* of the peak"):
        write_onnx(generator, tmp_path / "g.onnx", n_fft=40)
    assert list(tmp_path.iterdir()) == []


def test_torch_that_is_too_old(generator, tmp_path, monkeypatch):
    monkeypatch.setattr(torch, "__version__", TorchVersion("2.7.1"))
    with pytest.raises(ImportError, match="torch 2.8 or newer.*found 2.7.1"):
        write_onnx(generator, tmp_path / "g.onnx", n_fft=40)


def test_missing_package(generator, tmp_path, monkeypatch):
    monkeypatch.setattr(torch, "__version__", TorchVersion("2.8.0"))
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"ONNX files need onnx;.*\.\[onnx\]"):
        write_onnx(generator, tmp_path / "g.onnx", n_fft=40)
