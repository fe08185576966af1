"""The command line: what it prints, and a user's mistakes in one line."""

import subprocess
import sys

import pytest
import soundfile
import torch
from places import OFFICIAL

from speechbrain_semamba.cli import main
from speechbrain_semamba.processing import precision


@pytest.fixture
def noisy(tmp_path):
    path = tmp_path / "noisy.wav"
    soundfile.write(path, 0.1 * torch.randn(4000).numpy(), 16000)
    return path


def test_enhance(model_folder, noisy, tmp_path):
    out = tmp_path / "out.wav"
    assert (
        main(["enhance", str(noisy), str(out), "--model", str(model_folder)])
        == 0
    )
    assert soundfile.info(out).frames == 4000


def test_bf16_that_would_be_slower_is_float32(
    model_folder, noisy, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(precision, "_cpu_has_bf16", lambda: False)
    written = []
    for name in ("auto", "bf16"):
        out = tmp_path / f"{name}.wav"
        words = ["enhance", str(noisy), str(out), "--precision", name]
        assert main([*words, "--model", str(model_folder)]) == 0
        written.append(out.read_bytes())
    assert written[0] == written[1]
    messages = [m for m in caplog.messages if "bfloat16" in m]
    assert len(messages) == 1 and "computing in float32" in messages[0]


def test_convert_and_enhance(noisy, tmp_path, capsys):
    official = torch.load(OFFICIAL, weights_only=True)
    for name in ("generator", "discriminator"):
        torch.save(official[name], tmp_path / f"{name}.pth")
    words = ["convert", "-o", str(tmp_path / "model")]
    for name in ("generator", "discriminator"):
        words += [f"--{name}", str(tmp_path / f"{name}.pth")]
    assert main(words) == 0
    assert "channels=8" in capsys.readouterr().out
    out = str(tmp_path / "out.flac")
    words = ["enhance", str(noisy), out, "--model", str(tmp_path / "model")]
    assert main(words) == 0
    assert (
        main(
            [
                "convert",
                "--generator",
                str(tmp_path / "generator.pth"),
                "-o",
                str(tmp_path / "model"),
            ]
        )
        == 1
    )
    assert "exists already" in capsys.readouterr().err


def test_info_names_each_back_end(capsys):
    assert main(["info"]) == 0
    printed = capsys.readouterr().out
    assert "scan pytorch: ready" in printed
    assert "bf16" in printed
    assert "scan reference: ready" in printed
    assert "scan cuda: " in printed
    assert "scan cpu: " in printed


@pytest.mark.parametrize(
    "words, message",
    [
        (
            ["enhance", "no.wav", "o.wav", "--model", "{model}"],
            "no file no.wav",
        ),
        (
            ["enhance", "{noisy}", "o.wav", "--model", "no"],
            "model folder holds",
        ),
        (
            ["enhance", "{noisy}", "o.xyz", "--model", "{model}"],
            "ends in '.xyz'",
        ),
        (["export", "no", "out"], "a training run holds"),
        (
            ["enhance", "{noisy}", "o.wav", "--model", "{model}"]
            + ["--device", "abacus"],
            "--device abacus: ",
        ),
        (["convert", "--generator", "no.pth", "-o", "out"], "no.pth"),
        (
            ["convert", "--generator", "{noisy}", "-o", "out"],
            "no readable weights",
        ),
    ],
)
def test_mistakes_in_one_line(words, message, model_folder, noisy, capsys):
    words = [w.format(model=model_folder, noisy=noisy) for w in words]
    assert main(words) == 1
    error = capsys.readouterr().err.strip().split("\n")[-1]
    assert error.startswith("semamba: error: ") and message in error
    assert "Traceback" not in error


def test_without_the_extras(tmp_path):
    """Import and inference need none of what the extras install."""
    code = (
        "import sys\n"
        "for name in ('pesq', 'pystoi', 'tensorboard', 'loky', 'mamba_ssm'):\n"
        "    sys.modules[name] = None\n"
        "import speechbrain_semamba.evaluation.metrics\n"
        "import speechbrain_semamba.checkpoints.model_folder\n"
        "import speechbrain_semamba.inference.enhancement\n"
        "from speechbrain_semamba.cli import main\n"
        "sys.exit(main(['info']))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr


def test_help_needs_no_torch():
    code = (
        "import sys\n"
        "sys.modules['torch'] = None\n"
        "from speechbrain_semamba.cli import main\n"
        "main(['--help'])\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    for command in ("enhance", "export", "convert", "info"):
        assert command in run.stdout
