"""Resampled copies of files, on small synthetic ones."""

import os
import sys

import numpy as np
import pytest
import soundfile as sf
import torch
from speechbrain.dataio import audio_io

from speechbrain_semamba.dataio import resampled_files
from speechbrain_semamba.dataio.resampled_files import resample_files


def write(path, samples=1600, rate=48000, value=None, **kwargs):
    """Writes noise, or the given samples, to a file."""
    if value is None:
        value = 0.1 * np.random.default_rng(samples).standard_normal(samples)
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path, value, rate, **kwargs)
    return path


def make_sine(frequency, samples, rate):
    """A sine of amplitude 0.4."""
    return 0.4 * np.sin(2 * np.pi * frequency * np.arange(samples) / rate)


def list_files(folder):
    """All files below a folder, with what changes when one is replaced."""
    return {
        path: (path.stat().st_ctime_ns, path.stat().st_ino)
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def targets(tmp_path):
    """Seven files at 48 kHz, each 100 samples longer, and their copies."""
    sources = [tmp_path / "in" / f"{index}.wav" for index in range(7)]
    for index, source in enumerate(sources):
        write(source, 1600 + 100 * index)
    return {path: tmp_path / "out" / path.name for path in sources}


def test_resampling_in_processes(tmp_path):
    # 7 kHz lies below the edge of the filter, at 7.58 kHz, and 10 kHz above.
    low = make_sine(1000, 4801, 48000) + make_sine(7000, 4801, 48000)
    high = make_sine(10000, 4801, 48000)
    sources = [
        write(tmp_path / "in" / "low.wav", value=low),
        write(tmp_path / "in" / "high.wav", value=high),
    ]
    targets = {path: tmp_path / "out" / path.name for path in sources}
    frames = resample_files(targets, 16000, num_workers=2)
    assert frames == dict.fromkeys(sources, 1601)
    low, rate = sf.read(tmp_path / "out" / "low.wav")
    high, _ = sf.read(tmp_path / "out" / "high.wav")
    assert rate == 16000 and len(low) == len(high) == 1601
    inner = slice(100, -100)
    expected = make_sine(1000, 1601, 16000) + make_sine(7000, 1601, 16000)
    assert np.abs(low - expected)[inner].max() < 1e-3
    assert np.abs(high[inner]).max() < 1e-3


@pytest.mark.parametrize("rate", [48000, 44100, 8000])
def test_number_of_samples(tmp_path, rate):
    sources = [
        write(tmp_path / f"{samples}.wav", samples, rate)
        for samples in (1, 440, 441, 442)
    ]
    targets = {path: tmp_path / "out" / path.name for path in sources}
    frames = resample_files(targets, 16000, num_workers=0)
    for source, target in targets.items():
        assert sf.info(target).frames == frames[source]
    before = list_files(tmp_path)
    assert resample_files(targets, 16000, num_workers=0) == frames
    assert list_files(tmp_path) == before


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT", "DOUBLE"])
def test_resampling_neither_wraps_nor_alters(tmp_path, caplog, subtype):
    square = np.where(np.arange(4800) % 960 < 480, 1.0, -1.0)
    source = write(tmp_path / "a.wav", value=square, subtype=subtype)
    target = tmp_path / "b.wav"
    resample_files({source: target}, 16000, num_workers=1)
    wav, _ = sf.read(target)
    is_float = subtype in ("FLOAT", "DOUBLE")
    assert sf.info(target).subtype == ("FLOAT" if is_float else "PCM_16")
    # The overshoot beside the edges is kept or cut, never turned round.
    is_clipped = "Clipped at full scale: 1 files" in caplog.text
    assert is_clipped == (not is_float)
    assert (np.abs(wav).max() > 1.05) == is_float
    sides = np.where(np.arange(1600) % 320 < 160, 1.0, -1.0)
    away = np.arange(1600) % 160
    away = (away > 2) & (away < 158)
    assert (wav * sides)[away].min() > 0.8


def test_same_rate_alters_nothing(tmp_path):
    noise = np.random.default_rng(0).integers(-(2**15), 2**15, 1000)
    source = write(tmp_path / "a.wav", rate=16000, value=noise.astype("int16"))
    target = tmp_path / "b.wav"
    num_threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        resample_files({source: target}, 16000, num_workers=1)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(num_threads)
    assert np.array_equal(sf.read(target, dtype="int16")[0], noise)


def test_workers_take_one_thread_each(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.setattr(resampled_files, "_resample_file", count_threads)
    source = write(tmp_path / "a.wav")
    resample_files({source: tmp_path / "b.wav"}, 16000, num_workers=2)
    # the sum of what the jobs return
    assert "Clipped at full scale: 1 files" in caplog.text


def count_threads(source, target, sample_rate):
    return torch.get_num_threads()


def test_interrupted_run_is_resumed(tmp_path, targets, monkeypatch):
    save, count = audio_io.save, 0

    def fill_disk(path, wav, *args, **kwargs):
        nonlocal count
        count += 1
        if count == 4:
            save(path, wav[:, :100], *args, **kwargs)
            raise RuntimeError("No space left")
        save(path, wav, *args, **kwargs)

    monkeypatch.setattr(audio_io, "save", fill_disk)
    with pytest.raises(RuntimeError, match="No space left"):
        resample_files(targets, 16000, num_workers=1)
    finished = list_files(tmp_path / "out")
    assert len(finished) == 3
    for path in finished:
        assert sf.info(path).frames > 500 and not path.name.startswith(".")
    resample_files(targets, 16000, num_workers=1)
    assert count == 4 + 7 - 3
    files = list_files(tmp_path / "out")
    assert files.keys() == set(targets.values())
    assert finished.items() <= files.items()


def test_damaged_file_is_made_again(tmp_path, targets):
    resample_files(targets, 16000, num_workers=1)
    contents = {path: path.read_bytes() for path in targets.values()}
    truncated, lost, replaced, shorter, slower = sorted(contents)[1:6]
    truncated.write_bytes(contents[truncated][:-10])
    lost.unlink()
    for path, rate in ((shorter, 16000), (slower, 8000)):
        samples, times = sf.info(path).frames, path.stat()
        write(path, samples - (path == shorter), rate=rate)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    # A source that gave way to another one of equal length.
    source = tmp_path / "in" / replaced.name
    write(source, value=np.zeros(sf.info(source).frames))
    os.utime(source, ns=(0, 0))
    before = list_files(tmp_path / "out")
    resample_files(targets, 16000, num_workers=1)
    after = list_files(tmp_path / "out")
    assert {path for path in after if before.get(path) != after[path]} == {
        truncated,
        lost,
        replaced,
        shorter,
        slower,
    }
    assert not sf.read(replaced)[0].any()
    for path in contents.keys() - {replaced}:
        assert path.read_bytes() == contents[path]


def test_faulty_source_is_named(tmp_path, targets):
    source = write(tmp_path / "in" / "3.wav", value=np.zeros((1600, 2)))
    with pytest.raises(ValueError, match="3.wav cannot be .*: not mono"):
        resample_files(targets, 16000, num_workers=1)
    source.unlink()
    with pytest.raises(ValueError, match="3.wav cannot be .*: unreadable"):
        resample_files(targets, 16000, num_workers=1)
    assert not (tmp_path / "out").exists()


def test_two_files_for_one_name(tmp_path, targets):
    targets = dict.fromkeys(targets, tmp_path / "out" / "a.wav")
    with pytest.raises(ValueError, match="found 1 names for 7 files"):
        resample_files(targets, 16000, num_workers=1)
    assert not (tmp_path / "out").exists()


def test_missing_loky_names_the_extra(tmp_path, targets, monkeypatch):
    monkeypatch.setitem(sys.modules, "loky", None)
    with pytest.raises(ImportError, match=r"pip install '.\[train\]'"):
        resample_files(targets, 16000, num_workers=1)
    assert not (tmp_path / "out").exists()
