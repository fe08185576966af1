"""What words stand for: files, folders, patterns, pipes."""

import os

import pytest
from places import ROOT

from speechbrain_semamba.inference.folders import inputs
from speechbrain_semamba.inference.folders.inputs import find_inputs


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder to be in, with a few files."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.wav", "d/b.wav", "d/x/c.flac", "d/x/n.txt", "[ab].wav"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def found(*words):
    return [(item.path, item.place) for item in find_inputs(words)]


def test_files_and_folders(here):
    assert found("a.wav", "d/x/c.flac") == [
        ("a.wav", "a.wav"),
        ("d/x/c.flac", "c.flac"),
    ]
    assert found("d") == [
        ("d/b.wav", "b.wav"),
        ("d/x/c.flac", os.path.join("x", "c.flac")),
    ]
    # any ending, if it is named
    assert found("d/x/n.txt") == [("d/x/n.txt", "n.txt")]


def test_each_file_once(here):
    assert len(found("a.wav", "./a.wav", str(here / "a.wav"))) == 1
    assert len(found("d", "d/b.wav")) == 2


def test_a_name_that_exists_is_no_pattern(here):
    assert found("[ab].wav") == [("[ab].wav", "[ab].wav")]
    os.remove("[ab].wav")
    assert found("[ab].wav") == [("a.wav", "a.wav")]


def test_patterns_keep_the_tree_below_what_is_fixed(here):
    assert found("d/*/*") == [("d/x/c.flac", os.path.join("x", "c.flac"))]
    deep = find_inputs([f"{here}/**/*.wav"])
    assert {item.place for item in deep} == {"a.wav", "[ab].wav", "d/b.wav"}
    # a folder that matches gives its files
    assert [item.place for item in find_inputs(["d*"])] == [
        "d/b.wav",
        "d/x/c.flac",
    ]


def test_a_pattern_does_not_lead_out_of_the_output_folder(here):
    os.mkdir("e")
    assert [item.place for item in find_inputs(["e*/../d/b.wav"])] == [
        "d/b.wav"
    ]
    assert [item.place for item in find_inputs(["d/x*/../../a.wav"])] == [
        "a.wav"
    ]


def test_pipes(here):
    os.mkfifo("pipe.wav")
    words = ["-", "pipe.wav", "a.wav"]
    assert [item.is_pipe for item in find_inputs(words)] == [True, True, False]
    assert found("-")[0][1] == "stdin.wav"


def test_a_file_named_like_stdin(here):
    (here / "-").touch()
    assert [item.is_pipe for item in find_inputs(["./-"])] == [False]


def test_links_in_circles(here):
    (here / "d" / "x" / "up").symlink_to(here / "d")
    assert len(found("d")) == 2


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_may_not_be_read(kind, here, monkeypatch):
    """Also as root, who may read everything."""
    if kind == "file":
        monkeypatch.setattr(inputs.os, "access", lambda path, how: False)
        with pytest.raises(PermissionError, match="a.wav may not be read"):
            find_inputs(["a.wav"])
        return
    scandir = os.scandir

    def refuse(path):
        if os.path.basename(path) == "x":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(PermissionError, match="d/x"):
        find_inputs(["d"])


def test_other_things_than_files():
    with pytest.raises(FileNotFoundError, match="there is no file"):
        find_inputs([""])
    assert find_inputs(["/dev/null"])[0].is_pipe
    assert not find_inputs([str(ROOT / "README.md")])[0].is_pipe
