"""Transcripts: found, missing, unreadable."""

import pytest

from speechbrain_semamba.dataio.transcripts import read_transcripts


def test_names_with_dots_and_folders(tmp_path):
    (tmp_path / "p226").mkdir()
    (tmp_path / "p226" / "a.b.txt").write_text(" Call \u00e9.\r\n", "utf-8")
    (tmp_path / "c.txt").write_text("Call", "utf-8-sig")
    (tmp_path / "d.txt").write_text("\n")
    (tmp_path / "unasked.txt").write_bytes(b"\xff")
    expected = {"p226/a.b": "Call \u00e9.", "d": "", "c": "Call"}
    found = read_transcripts(tmp_path, list(expected))
    assert list(found.items()) == list(expected.items())


def test_all_that_is_wrong_is_named(tmp_path):
    (tmp_path / "a.txt").write_text("Call")
    (tmp_path / "b.txt").write_bytes(b"caf\xe9")
    (tmp_path / "c.txt").mkdir()
    with pytest.raises(ValueError) as error:
        read_transcripts(tmp_path, ["a", "b", "c", "p232_001"])
    rule, *faults = str(error.value).splitlines()
    assert "3 faults. Each file needs its transcript" in rule
    assert faults[0].startswith(f"{tmp_path / 'b.txt'}: unreadable ('utf-8'")
    assert faults[1].startswith(f"{tmp_path / 'c.txt'}: unreadable (")
    assert faults[2] == f"{tmp_path / 'p232_001.txt'}: missing"


def test_no_folder(tmp_path):
    with pytest.raises(ValueError, match="none/a.txt: missing"):
        read_transcripts(tmp_path / "none", ["a"])
