"""Names of audio files, and what libsndfile makes of them."""

import os

import pytest
import soundfile
import torch

from speechbrain_semamba.dataio.audio_formats import format_of
from speechbrain_semamba.dataio.audio_sink import AudioSink
from speechbrain_semamba.dataio.audio_source import AudioSource


@pytest.mark.parametrize(
    "name, expected",
    [
        ("a.b.WAV", "WAV"),
        ("a.aif", "AIFF"),
        ("a.opus", "OGG"),
        ("wav", None),
        (".wav", None),
        ("a.raw", None),
        ("out.wav/", None),
    ],
)
def test_format_of(name, expected):
    assert format_of(name) == expected


def test_an_opus_file_holds_opus(tmp_path):
    """By its ending: the default of OGG is Vorbis, even for a WAV file."""
    for name, expected in (("a.opus", "OPUS"), ("a.ogg", "VORBIS")):
        sink = AudioSink(tmp_path / name, 48000, channels=1, like="PCM_16")
        sink.write([torch.zeros(1, 4800)])
        assert soundfile.info(tmp_path / name).subtype == expected


def test_a_rate_that_an_encoding_does_not_have(tmp_path):
    """libsndfile says so, and its words are kept."""
    sink = AudioSink(tmp_path / "a.opus", 44100, channels=1)
    with pytest.raises(OSError, match="Opus only supports sample rates"):
        sink.write([torch.zeros(1, 100)])
    assert list(tmp_path.iterdir()) == []


def test_names_that_are_no_text(tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.wav")
    AudioSink(path, 16000, channels=1).write([torch.ones(1, 100)])
    assert AudioSource(path).frames == 100
