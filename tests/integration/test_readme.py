"""The Python examples of README.md run as they stand."""

import re
import shlex
import shutil
from pathlib import Path

import soundfile
import torch

from speechbrain_semamba.cli import _make_parser
from speechbrain_semamba.ops.backends import BACKENDS

README = Path(__file__).parents[2] / "README.md"


def test_python_examples(model_folder, tmp_path, monkeypatch):
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.S)
    assert len(blocks) >= 3
    monkeypatch.chdir(tmp_path)
    shutil.copytree(model_folder, "model")
    noise = 0.1 * torch.randn(8000, 2).numpy()
    soundfile.write("noisy.wav", noise[:, 0], 16000)
    soundfile.write("stereo_48kHz.flac", noise, 48000)
    names = {"noisy": torch.randn(2, 4000), "lengths": torch.tensor([1, 0.5])}
    for block in blocks:
        exec(compile(block, str(README), "exec"), names)  # noqa: S102
    assert soundfile.info("enhanced.wav").frames == 8000
    assert soundfile.info("enhanced.flac").channels == 2
    assert names["enhanced"].shape == (2, 4000)
    assert names["stretched"].shape == (1, 16000)
    assert names["stretched"].abs().max().item() == 1


def test_shell_examples_are_what_the_command_takes():
    lines = re.findall(
        r"semamba (?:enhance|convert|export) .*", README.read_text()
    )
    shown = [line for line in lines if "`" not in line]
    assert len(shown) >= 7
    for line in shown:
        words = shlex.split(line.split(" > ")[0])[1:]
        assert _make_parser().parse_args(words).run


def test_picture_of_the_architecture_shows_every_room():
    picture = README.read_text().split("The folder tree is")[1].split("```")[1]
    package = README.parent / "speechbrain_semamba"
    rooms = {p.parent.name for p in package.glob("*/__init__.py")}
    assert rooms | {"csrc"} == set(re.findall(r"(\w+)/", picture)) - {"models"}


def test_table_of_back_ends():
    table = README.read_text().split("| back end |")[1].split("\n\n")[0]
    assert re.findall(r"^\| `(\w+)`", table, re.M) == list(BACKENDS)
