"""An epoch of the mini recipe on a card, in every precision."""

import subprocess
import sys

import pytest
import torch
from places import RECIPE, ROOT
from torchrun import Torchrun

OPTIONS = [
    "train.py",
    "hparams/semamba_mini.yaml",
    f"--data_folder={ROOT / 'samples' / 'voicebank_mini'}",
    "--number_of_epochs=1",
]


@pytest.fixture(autouse=True)
def extras():
    for name in ("pesq", "pystoi", "tensorboard"):
        pytest.importorskip(name, reason=f"{name} scores or logs a run")


def check_run(folder):
    log = (folder / "train_log.txt").read_text()
    assert "epoch: 1" in log and "test pesq: " in log and "nan" not in log
    assert (folder / "model" / "generator.ckpt").exists()


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_an_epoch(precision, tmp_path):
    if precision == "bf16" and not torch.cuda.is_bf16_supported(False):
        pytest.skip("this card has no bfloat16 arithmetic")
    options = f"--precision={precision}", f"--output_folder={tmp_path}"
    run = subprocess.run(
        [sys.executable, *OPTIONS, *options, "--device=cuda"],
        cwd=RECIPE,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    check_run(tmp_path)


def test_two_processes_on_one_card(tmp_path):
    """By gloo: NCCL refuses to share a card."""
    folder = tmp_path / "run"
    options = f"--output_folder={folder}", "--distributed_backend=gloo"
    with Torchrun(
        tmp_path, *OPTIONS, *options, "--device=cuda:0", cwd=RECIPE
    ) as run:
        assert run.finish(300) == 0, run.printed()[-3000:]
    check_run(folder)
