"""Audio files in and out: errors in words, nothing half-written."""

import logging
import tempfile

import pytest
import soundfile
import torch

from speechbrain_semamba.dataio.audio_files import (
    read_audio_file,
    write_audio_file,
)
from speechbrain_semamba.dataio.audio_formats import check_audio_name


def wav(path, samples, subtype="PCM_16"):
    noise = 0.1 * torch.randn(
        samples, generator=torch.Generator().manual_seed(0)
    )
    soundfile.write(path, noise.numpy(), 16000, subtype)
    return path


def test_ending_that_names_no_format(tmp_path):
    with pytest.raises(ValueError, match=r"ends in '\.xyz'"):
        write_audio_file(tmp_path / "out.xyz", torch.zeros(1, 9), 16000)


def test_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        write_audio_file(tmp_path / "no" / "o.wav", torch.zeros(1, 9), 16000)


@pytest.mark.parametrize(
    "subtype, ending, hint",
    [
        ("PCM_16", "wav", "clipped\n"),
        ("FLOAT", "flac", "clipped; a .wav keeps floats\n"),
    ],
)
def test_clipping_is_said(tmp_path, caplog, subtype, ending, hint):
    like = tmp_path / "in.wav"
    wav(like, 9, subtype=subtype)
    path = tmp_path / f"loud.{ending}"
    write_audio_file(path, torch.full((1, 9), 1.5), 16000, like)
    assert "peak 1.50 is above full scale" in caplog.text
    assert caplog.text.endswith(hint)
    assert soundfile.read(path)[0].max() <= 1


def test_floats_are_not_clipped(tmp_path, caplog):
    like = tmp_path / "in.wav"
    wav(like, 9, subtype="FLOAT")
    path = tmp_path / "loud.wav"
    write_audio_file(path, torch.full((1, 9), 1.5), 16000, like)
    assert caplog.text == ""
    assert soundfile.read(path)[0].max() == 1.5


def test_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "out.wav"
    path.write_bytes(b"old")

    def full_disk(*args, **kwargs):
        raise RuntimeError("No space left on device")

    monkeypatch.setattr(soundfile.SoundFile, "write", full_disk)
    with pytest.raises(OSError, match="could not be written: No space left"):
        write_audio_file(path, torch.zeros(1, 9), 16000)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_24", "FLOAT", "DOUBLE"])
def test_encoding_is_taken_over(tmp_path, subtype):
    like = wav(tmp_path / "in.wav", 9, subtype)
    write_audio_file(tmp_path / "out.wav", torch.zeros(1, 9), 16000, like)
    assert soundfile.info(tmp_path / "out.wav").subtype == subtype


def test_file_that_is_cut_short_is_told(tmp_path, caplog):
    path = wav(tmp_path / "in.wav", 1000)
    path.write_bytes(path.read_bytes()[:-200])
    samples, _ = read_audio_file(path)
    assert samples.shape == (1, 900)
    assert "is cut short: its header promises 200 more bytes" in caplog.text
    caplog.clear()
    read_audio_file(wav(tmp_path / "whole.wav", 1000))
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


def test_place_that_cannot_be_written_to(tmp_path, monkeypatch):
    """Root may write anywhere: the system's answer is given."""

    def refuse(dir):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(OSError, match="written to: Read-only file system"):
        check_audio_name(tmp_path / "out.wav")


def test_names_that_no_file_can_have(tmp_path):
    (tmp_path / "folder.wav").mkdir()
    with pytest.raises(IsADirectoryError, match="is a folder; name a file"):
        check_audio_name(tmp_path / "folder.wav")
    with pytest.raises(OSError, match="too long"):
        check_audio_name(tmp_path / ("x" * 300 + ".wav"))
    assert [path.name for path in tmp_path.iterdir()] == ["folder.wav"]
