"""Each benchmark as a command, with sizes so small that only it is tested."""

import os
import subprocess
import sys

import pytest
import soundfile
import torch
from places import ROOT

from speechbrain_semamba.evaluation.metrics import METRICS
from speechbrain_semamba.ops import kernels

BENCHMARKS = ROOT / "benchmarks"
REASON = kernels.why_not()


def run_benchmark(name, *options):
    """What it prints, with one thread for all that is not told otherwise."""
    run = subprocess.run(
        [sys.executable, BENCHMARKS / name, *map(str, options)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return run.stdout


def rows_of(text, first):
    """The lines below the head of a table whose first column has a name."""
    lines = iter(text.splitlines())
    assert any(line.startswith(f"| {first} |") for line in lines), text
    next(lines)
    rows = []
    for line in lines:
        if not line.startswith("| "):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


@pytest.mark.skipif(REASON is not None, reason=str(REASON))
def test_cpu(tmp_path):
    table = tmp_path / "table.md"
    tiny = "--models tiny --seconds 0.1 --threads 1 --repeats 1".split()
    tiny += "--scan 2 5 3 2 --steps tiny,1,0.1 --train --profile".split()
    printed = run_benchmark("cpu.py", *tiny, "--output", table)
    assert table.read_text().strip() == printed.strip()
    enhancements = rows_of(printed, "model | precision")
    assert [row[1] for row in enhancements] == ["fp32", "bf16"]
    error = float(enhancements[0][-1])
    assert error < 1e-3
    assert len(rows_of(printed, "precision | pass")) == 3
    (step,) = rows_of(printed, "model | batch")
    assert step[:4] == ["tiny", "1", "0.1", "1"]
    assert float(step[-1]) < 1e-6
    assert "aten::mkldnn_convolution" in printed


def test_precision(model_folder):
    corpus = ROOT / "samples" / "voicebank_mini"
    printed = run_benchmark(
        *("precision.py", "--model", model_folder),
        *("--data_folder", corpus, "--workers", 0, "--files", 1),
    )
    rows = rows_of(printed, "precision | pesq")
    assert [row[0] for row in rows] == ["fp32", "bf16"]
    for scores in zip(*(map(float, row[1:]) for row in rows)):
        assert scores[0] == pytest.approx(scores[1], rel=0.1)
    assert "1 files" in printed


@pytest.mark.skipif(REASON is not None, reason=str(REASON))
def test_int8():
    corpus = ROOT / "samples" / "voicebank_mini"
    printed = run_benchmark(
        *("int8.py", "--data_folder", corpus, "--workers", 0),
        *("--files", 1, "--repeats", 1),
    )
    assert len(rows_of(printed, "layer | fp32")) == 4
    rows = rows_of(printed, "precision | pesq")
    assert [row[0] for row in rows] == ["fp32", "int8"]
    assert rows[0] != rows[1]
    for scores in zip(*(map(float, row[1:]) for row in rows)):
        assert scores[0] == pytest.approx(scores[1], rel=0.1)


def test_windows(model_folder):
    corpus = ROOT / "samples" / "voicebank_mini"
    printed = run_benchmark(
        *("windows.py", "--model", model_folder, "--data_folder", corpus),
        *"--seconds 4 --windows 2 4 --overlaps 0.5 --workers 0".split(),
    )
    rows = rows_of(printed, "windows | pesq")
    names = ["noisy", "whole", "2 s, 0.5 s overlap", "4 s, 0.5 s overlap"]
    assert [row[0] for row in rows] == names
    assert float(rows[2][4]) < -10
    assert rows[3][4] == "-inf"  # one window is the whole


def test_pesq_wait(tmp_path):
    table = tmp_path / "table.md"
    printed = run_benchmark(
        *("pesq_wait.py", "--rounds", 1, "--batch", 1, "--seconds", 0.01),
        *("--output", table),
    )
    assert table.read_text().strip() == printed.strip()
    rows = rows_of(printed, "networks' time (s)")
    assert len(rows) == 3
    for _, _, step, wait, _ in rows:
        assert 1000 * float(step) >= float(wait) - 1


def test_long_files(model_folder):
    printed = run_benchmark(
        *("long_files.py", "--model", model_folder, "--window", 0.2),
        *("--seconds", 0.1, 1),
    )
    rows = rows_of(printed, "audio (s)")
    assert [row[0] for row in rows] == ["0.1", "1"]
    for _, factor, peak, for_file in rows:
        assert float(factor) > 0
        assert 0 <= float(for_file) < float(peak)


def test_metrics(tmp_path):
    table = tmp_path / "table.md"
    options = "--files", 1, "--repeats", 1, "--output", table
    printed = run_benchmark("metrics.py", *options)
    assert table.read_text().strip() == printed.strip()
    costs = rows_of(printed, "metric | ms a second | share")
    assert [row[0] for row in costs] == [*METRICS, "all of one pair"]
    shares = [float(row[2].split()[0]) for row in costs[:-1]]
    assert sum(shares) == pytest.approx(100, abs=1)
    literal = rows_of(printed, "metric | ms a second | frame at a time")
    names = [row[0] for row in literal]
    assert names == ["ssnr", "llr", "wss", "ssnr + llr + wss"]
    assert all(float(row[-1]) < 1e-6 for row in literal[:3])
    assert "824 files" in printed


def test_peers(tmp_path):
    """With what every installation has: the model that ships."""
    noisy, out = tmp_path / "noisy", tmp_path / "out"
    noisy.mkdir()
    wave = 0.1 * torch.randn(4000).numpy()
    soundfile.write(noisy / "a.wav", wave, 16000)
    printed = run_benchmark("peers.py", "--noisy", noisy, "--output", out)
    for name in ("semamba-small", "semamba-small+pcs"):
        assert f"| {name} |" in printed
        assert f"{name}={out / name}" in printed
        assert soundfile.info(out / name / "a.wav").frames == 4000


def write_network(path, operator, shape, *states):
    """An ONNX file that applies an operator, and hands its states on."""
    onnx = pytest.importorskip("onnx", reason="ONNX is not installed")
    make, inputs, outputs, nodes = onnx.helper, [], [], []
    for index, size in enumerate((shape, *states)):
        names, kind = (f"x{index}", f"y{index}"), onnx.TensorProto.FLOAT
        values = [make.make_tensor_value_info(n, kind, size) for n in names]
        inputs.append(values[0]), outputs.append(values[1])
        operation = "Identity" if index else operator
        nodes.append(make.make_node(operation, [names[0]], [names[1]]))
    graph = make.make_graph(nodes, "network", inputs, outputs)
    opset = [make.make_opsetid("", 13)]
    path.parent.mkdir(parents=True, exist_ok=True)
    (path.parents[1] / "__init__.py").touch()
    onnx.save(make.make_model(graph, opset_imports=opset, ir_version=8), path)


def test_peers_of_onnx_runtime(tmp_path, monkeypatch):
    """With networks that change nothing, in packages that hold just these."""
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    folder, noisy, out = (tmp_path / name for name in ("of", "noisy", "out"))
    gtcrn, dtln = (folder / f"fasr_enhancement_{n}" for n in ("gtcrn", "dtln"))
    frame, block, state = (1, 257, 1, 2), (1, 1, 512), (1, 2, 128, 2)
    write_network(gtcrn / "asset/gtcrn_simple.onnx", "Identity", frame, [3])
    # the mask is 1 where there is sound
    write_network(dtln / "asset/model_1.onnx", "Sign", (1, 1, 257), state)
    write_network(dtln / "asset/model_2.onnx", "Identity", block, state)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    noisy.mkdir()
    wave = 0.02 * torch.randn(4001, generator=torch.Generator().manual_seed(0))
    soundfile.write(noisy / "a.wav", wave.numpy(), 16000, subtype="FLOAT")
    printed = run_benchmark("peers.py", "--noisy", noisy, "--output", out)
    delays = {row[0]: row[2] for row in rows_of(printed, "system")}
    assert (delays["gtcrn"], delays["dtln"]) == ("0", "24")
    # each sample of the wave is in four of DTLN's blocks
    for name, factor in (("gtcrn", 1), ("dtln", 4)):
        made = torch.from_numpy(soundfile.read(out / name / "a.wav")[0])
        assert torch.allclose(made.float(), factor * wave, atol=1e-3)


def without_interpreter(monkeypatch):
    """The tests of the kernels set it; these compile, or set it themselves."""
    pytest.importorskip("triton", reason="Triton is not installed")
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)


@pytest.mark.skipif(REASON is not None, reason=str(REASON))
def test_gpu(tmp_path, monkeypatch):
    """In the interpreter: both back ends agree with the reference."""
    without_interpreter(monkeypatch)
    file = tmp_path / "table.md"
    printed = run_benchmark(
        *("gpu.py", "--interpret", "--repeats", 1, "--scan", 2, 5, 3, 2),
        *("--precisions", "fp32", "bf16", "--steps", "--output", file),
    )
    assert file.read_text().strip() == printed.strip()
    scans = rows_of(printed, "batch length dim state")
    kinds = "forward", "forward and backward"
    names = [[k, name] for k in kinds for name in ("triton", "pytorch")]
    assert [row[2:4] for row in scans] == names * 2
    assert all(float(row[-1]) < 1e-5 for row in scans[:4])


def test_gpu_steps():
    """Those of the interpreter would take minutes."""
    printed = run_benchmark(
        *("gpu.py", "--interpret", "--repeats", 1, "--scan", 1, 1, 1, 1),
        *("--backends", "pytorch", "--steps", "tiny,1,0.1"),
    )
    steps = rows_of(printed, "model | batch")
    precisions = ["fp32", "bf16", "fp16"]
    assert [row[3:5] for row in steps] == [[p, "pytorch"] for p in precisions]
    assert [row[6] for row in steps] == ["1"] * 3
    assert float(steps[0][-1]) < 1e-5


def test_gpu_bounds():
    printed = run_benchmark("gpu_bounds.py", "--model", "tiny")
    calls = rows_of(printed, "call | type")
    assert len(calls) == 10
    for rows in (calls[:5], calls[5:]):
        *parts, whole = (list(map(float, row[2:])) for row in rows)
        for total, *column in zip(whole, *parts):
            assert sum(column) == pytest.approx(total, rel=0.02)


def test_triton_resources(monkeypatch):
    """They compile for three generations, and spill no register."""
    without_interpreter(monkeypatch)
    printed = run_benchmark(
        *("triton_resources.py", "--states", 16, "--types", "bf16"),
        *("--capabilities", 80, 90, 100),
    )
    rows = rows_of(printed, "kernel | states")
    kernels = ["scan", "scan_backward", "conv", "conv_backward"]
    assert [row[0] for row in rows] == kernels
    for row in rows:
        assert all(0 < int(registers) <= 255 for registers in row[3:6])
        assert row[6] == "0", f"{row[0]} spills {row[6]} bytes"


def test_each_script_is_tested():
    scripts = {
        path.stem
        for path in BENCHMARKS.glob("*.py")
        if "__main__" in path.read_text(encoding="utf-8")
    }
    assert {f"test_{name}" for name in scripts} <= set(globals())
