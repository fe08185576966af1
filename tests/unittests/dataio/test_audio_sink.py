"""Audio files written from streams, on disks that are or get full."""

import collections
import os
import resource
import shutil
import signal

import pytest
import soundfile
import torch
from forks import end_of, fork
from stub_enhancers import noise, read

from speechbrain_semamba.dataio.audio_sink import AudioSink
from speechbrain_semamba.dataio.peak_scaling import scaled_to_peak

LIMIT = 20_000


@pytest.mark.parametrize("bits, subtype", [(8, "PCM_U8"), (16, "PCM_16")])
def test_every_value_of_pcm_comes_back(tmp_path, bits, subtype):
    full = 2 ** (bits - 1)
    wav = torch.arange(-full, full)[None] / full
    AudioSink(tmp_path / "a.wav", 16000, 1, subtype).write([wav])
    assert torch.equal(read(tmp_path / "a.wav")[0], wav)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.aiff", "a.w64"])
@pytest.mark.parametrize("subtype", ["PCM_S8", "PCM_U8", "PCM_16", "PCM_24"])
def test_integers_never_wrap(tmp_path, name, subtype):
    sink = AudioSink(tmp_path / name, 16000, 1, like=subtype)
    # an even number: of 8 bit samples libsndfile's AIFF pads an odd one
    wav = torch.tensor([[-1e30, -1.5, -1.0, 1.0, 1.0001, 1e30, 0.5, 0.0]])
    sink.write([wav])
    written = read(tmp_path / name)[0]
    torch.testing.assert_close(
        written, wav.clamp(-1, 1), rtol=0, atol=1.01 / 128
    )
    assert sink.limited == 4 and sink.peak == pytest.approx(1e30)


def test_large_wav_gets_a_header_that_counts_so_far(tmp_path):
    for frames, container in ((10, "WAV"), (2**32, "RF64")):
        sink = AudioSink(tmp_path / "a.wav", 16000, 1, "PCM_16")
        sink.frames = frames
        sink.write([torch.zeros(1, 10)])
        info = soundfile.info(tmp_path / "a.wav")
        assert (info.format, info.frames) == (container, 10)


@pytest.mark.parametrize("name", ["a.raw", "a.sd2"])
def test_formats_that_are_no_file(tmp_path, name):
    with pytest.raises(ValueError, match="names its format"):
        AudioSink(tmp_path / name, 16000, 1)


def test_room_is_asked_for(tmp_path, monkeypatch):
    usage = collections.namedtuple("usage", "free")(1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    sink = AudioSink(tmp_path / "a.wav", 16000, 2, "PCM_16")
    sink.check_room(250_000)
    with pytest.raises(OSError, match=r"needs 1\.2 MB, .* has 1\.0 MB left"):
        sink.check_room(300_000)
    with pytest.raises(OSError, match=r"needs 1\.2 MB"):
        sink.check_room(100_000, waiting=4)
    flac = AudioSink(tmp_path / "a.flac", 16000, 2)
    flac.check_room(10**9)
    with pytest.raises(OSError, match="left; free some"):
        flac.check_room(10**9, waiting=4)


def fill_disk(path, samples):
    """Writes where no file may be longer than a limit."""
    torch.set_num_threads(1)  # a fork has no threads to share work with
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, LIMIT))
    wav = noise(1, samples)
    sink = AudioSink(path, 16000, 1, like="PCM_16")
    with pytest.raises(OSError) as info:
        sink.write(wav.split(1_000_000, dim=1))
    assert str(info.value) == f"{path} could not be written: File too large"


@pytest.mark.parametrize(
    "name, samples",
    [
        ("a.wav", 10_000),
        ("a.wav", 300_000),
        # the end does not fit: it is written when the file is closed
        ("a.flac", 11_900),
        ("a.flac", 300_000),
        ("a.ogg", 58_000),
        ("a.mp3", 83_000),
        ("a.mp3", 300_000),
    ],
)
def test_disk_that_gets_full(tmp_path, name, samples):
    path = tmp_path / name
    AudioSink(path, 16000, 1).write([noise(1, samples)])
    assert os.path.getsize(path) > LIMIT
    path.write_bytes(b"old")
    assert end_of(fork(fill_disk, path, samples)) == 0
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert path.read_bytes() == b"old"


def test_mistake_of_the_model_stays_one(tmp_path):
    """An error of the stream is not taken for one of the disk."""

    def blocks():
        yield torch.zeros(1, 10)
        raise RuntimeError("size mismatch")

    with pytest.raises(RuntimeError, match="size mismatch"):
        AudioSink(tmp_path / "a.wav", 16000, 1).write(blocks())
    assert not list(tmp_path.iterdir())


def test_peak_of_a_stream(tmp_path):
    wav = noise(2, 1000)
    for folder in (None, tmp_path):
        blocks = list(scaled_to_peak(wav.split(300, dim=1), folder))
        assert [b.shape[1] for b in blocks] == [300, 300, 300, 100]
        scaled = torch.cat(blocks, dim=1)
        torch.testing.assert_close(scaled, wav / wav.abs().max())
        assert scaled.abs().max() == 1
    (silence,) = scaled_to_peak([torch.zeros(1, 9)])
    assert not silence.any()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a.ogg", "a.mp3", "a.opus"])
def test_loud_waves_are_limited_before_they_are_coded(tmp_path, name):
    """These would hold what is above full scale, and players would clip it."""
    wav = 8 * torch.sin(torch.arange(16_000) / 20)[None]
    sink = AudioSink(tmp_path / name, 16000, 1)
    sink.write([wav])
    assert sink.limited == (wav.abs() > 1).sum()
    AudioSink(tmp_path / f"limited-{name}", 16000, 1).write([wav.clamp(-1, 1)])
    limited = read(tmp_path / f"limited-{name}")[0]
    assert torch.equal(read(tmp_path / name)[0], limited)
