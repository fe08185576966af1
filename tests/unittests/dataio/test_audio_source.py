"""Audio files read as streams, and files that are none."""

import struct

import pytest
import soundfile
import torch
from stub_enhancers import noise, write

from speechbrain_semamba.dataio import audio_source
from speechbrain_semamba.dataio.audio_headers import count_missing_bytes
from speechbrain_semamba.dataio.audio_source import AudioSource


@pytest.mark.parametrize("channels", [1, 3])
def test_blocks_are_the_file(tmp_path, monkeypatch, channels):
    monkeypatch.setattr(audio_source, "BLOCK", 300)
    wav = noise(channels, 1001)
    source = AudioSource(write(tmp_path / "a.wav", wav))
    for _ in range(2):
        blocks = list(source.blocks())
        assert blocks[0].shape == (channels, 300 // channels)
        assert torch.equal(torch.cat(blocks, dim=1), wav)


def test_raw_samples_are_refused(tmp_path):
    (tmp_path / "a.raw").write_bytes(bytes(100))
    with pytest.raises(ValueError, match="not readable as audio"):
        AudioSource(tmp_path / "a.raw")


def test_length_that_is_not_told(tmp_path):
    """As in a FLAC file that was written into a pipe."""
    path = write(tmp_path / "a.flac", noise(1, 5000), subtype="PCM_16")
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    path.write_bytes(content)
    with pytest.raises(ValueError, match="does not say how long it is"):
        AudioSource(path)


def test_promise_that_holds_nothing(tmp_path, monkeypatch):
    source = AudioSource(write(tmp_path / "a.wav", noise(1, 100)))
    monkeypatch.setattr(
        soundfile.SoundFile, "read", lambda *_, **__: torch.zeros(0, 1).numpy()
    )
    with pytest.raises(ValueError, match="is empty: it holds 0 samples"):
        list(source.blocks())


def test_many_channels(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, torch.zeros(2, 65).numpy(), 16000)
    with pytest.raises(ValueError, match="has 65 channels; at most 64"):
        AudioSource(path)


def test_endless_chunks(tmp_path):
    """A million empty ones, which nobody reads to the end."""
    path = tmp_path / "a.wav"
    path.write_bytes(
        b"RIFF\0\0\0\0WAVE" + struct.pack("<4sI", b"LIST", 0) * 2000
    )
    with open(path, "r+b") as file:
        file.seek(0, 2)
        file.write(struct.pack("<4sI", b"data", 1000))
    assert count_missing_bytes(path) == 0
