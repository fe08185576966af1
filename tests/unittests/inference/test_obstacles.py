"""What forbids to write outputs; the table of the command line has more."""

import pytest

from speechbrain_semamba.inference.folders import obstacles
from speechbrain_semamba.inference.folders.inputs import Input
from speechbrain_semamba.inference.folders.obstacles import (
    check_free,
    check_outputs,
)


def one(tmp_path):
    (tmp_path / "a.wav").touch()
    return [Input(str(tmp_path / "a.wav"), "a.wav")]


def test_folder_that_cannot_be_written_to(tmp_path, monkeypatch):
    """Also as root, who may write everywhere."""
    out = tmp_path / "new" / "out"
    words = one(tmp_path), [str(out / "a.wav")], str(out)
    check_outputs(*words)
    monkeypatch.setattr(obstacles.os, "access", lambda path, how: False)
    with pytest.raises(PermissionError, match=f"{tmp_path} cannot be written"):
        check_outputs(*words)
    assert not out.exists()


def test_folder_in_the_way(tmp_path):
    (tmp_path / "out" / "a.wav").mkdir(parents=True)
    out = str(tmp_path / "out")
    with pytest.raises(IsADirectoryError, match="stands in the way"):
        check_outputs(one(tmp_path), [f"{out}/a.wav"], out)


def test_input_folder_in_the_output_folder_is_none(tmp_path):
    """What is written beside it is not found in it."""
    inner = tmp_path / "out" / "noisy"
    inner.mkdir(parents=True)
    (inner / "a.wav").touch()
    item = Input(str(inner / "a.wav"), "a.wav", folder=str(inner))
    target = tmp_path / "out" / "a.wav"
    assert check_outputs([item], [str(target)], tmp_path / "out") is None
    assert not target.exists()


def test_outputs_that_are_there(tmp_path):
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).symlink_to("nowhere")
    names = [str(tmp_path / f"{letter}.wav") for letter in "abc"]
    with pytest.raises(FileExistsError, match=r"a.wav exists already \(and 1 "):
        check_free(names)
    check_free(names[2:])
