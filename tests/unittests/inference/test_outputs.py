"""What enhanced files are called."""

import pytest

from speechbrain_semamba.inference.folders import outputs
from speechbrain_semamba.inference.folders.inputs import Input
from speechbrain_semamba.inference.folders.outputs import name_outputs


@pytest.mark.parametrize(
    "place, ending, expected",
    [
        ("a.wav", None, "a.wav"),
        ("x/a.FLAC", None, "x/a.FLAC"),
        ("x/a.FLAC", "ogg", "x/a.ogg"),
        ("a.opus", "wav", "a.wav"),
        ("take.2", None, "take.2.wav"),
        ("take.2", "flac", "take.2.flac"),
        ("63", None, "63.wav"),
        ("a.raw", None, "a.raw.wav"),
        ("-a {}$\n.wav", "flac", "-a {}$\n.flac"),
    ],
)
def test_names_in_a_folder(place, ending, expected):
    found = name_outputs([Input("in", place)], "out", ending)
    assert found == [f"out/{expected}"]


def test_without_an_encoder_it_becomes_wav(monkeypatch):
    monkeypatch.setattr(outputs, "can_write", lambda name: name != "MP3")
    inputs = [Input("a.mp3", "a.mp3"), Input("b.ogg", "b.ogg")]
    assert name_outputs(inputs, "out") == ["out/a.wav", "out/b.ogg"]


def test_file_or_folder(tmp_path):
    one, other = Input("a.wav", "a.wav"), Input("b.wav", "b.wav")
    of_folder = Input("d/a.wav", "a.wav", folder="d")
    assert name_outputs([one], "o.flac") == ["o.flac"]
    assert name_outputs([one], "o") == ["o/a.wav"]
    assert name_outputs([one], "o.flac/") == ["o.flac/a.wav"]
    assert name_outputs([of_folder], "o.flac") == ["o.flac/a.wav"]
    assert name_outputs([one, other], "o.wav") == ["o.wav/a.wav", "o.wav/b.wav"]
    folder = tmp_path / "f.wav"
    folder.mkdir()
    assert name_outputs([one], str(folder)) == [f"{folder}/a.wav"]
