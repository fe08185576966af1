"""Headers of audio files, and damage that they do not tell."""

import struct

import numpy as np
import pytest
import soundfile as sf

from speechbrain_semamba.dataio.audio_folders import list_audio_files
from speechbrain_semamba.dataio.audio_headers import (
    read_headers,
)


def write(path, samples=1600, rate=16000, **kwargs):
    """Writes noise to a file."""
    noise = 0.1 * np.random.default_rng(samples).standard_normal(samples)
    sf.write(path, noise, rate, **kwargs)
    return path


def test_absent_folder_holds_no_audio_file(tmp_path):
    assert list_audio_files(tmp_path / "absent") == []


@pytest.mark.parametrize(
    "name, options",
    [
        ("a.wav", {"subtype": "PCM_16"}),
        ("a.wav", {"subtype": "FLOAT"}),
        ("a.wav", {"subtype": "PCM_16", "format": "WAVEX"}),
        ("a.flac", {}),
    ],
)
def test_truncated_file_is_unreadable(tmp_path, name, options):
    path = write(tmp_path / name, **options)
    header, fault = read_headers([path])[0]
    assert header.frames == 1600 and fault is None
    path.write_bytes(path.read_bytes()[:-1])
    header, fault = read_headers([path])[0]
    assert header is None and "unreadable" in fault


def test_header_of_a_stream_is_no_truncation(tmp_path):
    # ffmpeg cannot know the length when it writes into a pipe.
    path = write(tmp_path / "a.wav")
    content = path.read_bytes()
    size = struct.pack("<I", 0xFFFFFFFF)
    path.write_bytes(content[:4] + size + content[8:40] + size + content[44:])
    header, fault = read_headers([path])[0]
    assert header.frames == 1600 and fault is None
