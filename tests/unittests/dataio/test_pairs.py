"""Pairs of files, on small synthetic folders."""

import numpy as np
import pytest
import soundfile as sf

from speechbrain_semamba.dataio.pairs import read_pairs

TRAIN = ["p226_001", "p226_002", "p228_001", "p228_002", "p287_001"]
TEST = ["p232_001", "p257_001"]


def write(path, samples=1600, rate=16000, value=None, **kwargs):
    """Writes noise, or the given samples, to a file."""
    if value is None:
        value = 0.1 * np.random.default_rng(samples).standard_normal(samples)
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path, value, rate, **kwargs)
    return path


def make_sets(folder, **sets):
    """Writes pairs; the n-th has 100 samples more than the first."""
    folders = {}
    for name, keys in sets.items():
        halves = [folder / name / half for half in ("clean", "noisy")]
        for half in halves:
            half.mkdir(parents=True)
            for index, key in enumerate(keys):
                write(half / f"{key}.wav", 1600 + 100 * index)
        folders[name] = halves
    return folders


def test_pairs(tmp_path):
    folders = make_sets(tmp_path, train=TRAIN[::-1], test=TEST)
    clean, noisy = folders["test"]
    (clean / "p257_001.wav").unlink()
    write(clean / "p257_001.FLAC", 1700, format="FLAC")
    (noisy / "notes.txt").touch()
    pairs = read_pairs(folders)
    assert [*pairs] == ["train", "test"]
    assert [*pairs["train"]] == TRAIN and [*pairs["test"]] == TEST
    assert pairs["train"]["p287_001"].frames == 1600
    pair = pairs["test"]["p257_001"]
    assert pair.clean == clean / "p257_001.FLAC"
    assert pair.noisy == noisy / "p257_001.wav"
    assert (pair.frames, pair.rate) == (1700, 16000)
    # Folders as text, as a yaml has them.
    texts = {name: [*map(str, halves)] for name, halves in folders.items()}
    assert read_pairs(texts) == pairs


def test_all_faults_in_one_error(tmp_path):
    folders = make_sets(tmp_path, train=TRAIN, test=TEST)
    clean, noisy = folders["train"]
    (noisy / "p226_001.wav").unlink()
    write(noisy / "p226_002.wav", 1701)
    (noisy / "p228_001.wav").write_bytes(b"not audio at all")
    write(clean / "p228_002.wav", 0)
    write(noisy / "p287_001.wav", value=np.zeros((2000, 2)))
    clean, noisy = folders["test"]
    write(noisy / "p232_001.wav", 1600, rate=48000)
    whole = (clean / "p257_001.wav").read_bytes()
    (clean / "p257_001.wav").write_bytes(whole[:-200])
    write(noisy / "p257_001.flac", 1700)
    write(noisy / "._p257_001.wav", 1)
    with pytest.raises(ValueError) as caught:
        read_pairs(folders)
    lines = str(caught.value).splitlines()
    assert "has 8 faults" in lines[0]
    for fault, line in zip(
        [
            "train/clean/p228_002.wav: empty",
            "train/noisy/p228_001.wav: unreadable (Format",
            "train/noisy/p287_001.wav: not mono (2",
            "train/noisy/p226_001: missing",
            "train/noisy/p226_002.wav: 1701 samples",
            "test/clean/p257_001.wav: unreadable (truncated by 200",
            "test/noisy/p257_001.wav: same name as p257_001.flac",
            "test/noisy/p232_001.wav: 1600 samples at 48000 Hz",
        ],
        lines[1:],
    ):
        assert fault in line
    assert len(lines) == 9


def test_many_faults_are_counted(tmp_path):
    names = [f"p226_{index:03}" for index in range(25)]
    folders = make_sets(tmp_path, train=["p228_001"], test=names)
    for path in folders["test"][0].iterdir():
        path.unlink()
    with pytest.raises(ValueError) as caught:
        read_pairs(folders)
    lines = str(caught.value).splitlines()
    assert len(lines) == 1 + 20 + 1
    assert lines[-1] == "... and 5 more"


def test_empty_and_absent_folders_are_faults(tmp_path):
    folders = make_sets(tmp_path, train=TRAIN, test=[])
    folders["train"][1] = tmp_path / "noise"
    with pytest.raises(ValueError, match="has 2 faults") as caught:
        read_pairs(folders)
    _, train, test = str(caught.value).splitlines()
    assert train == f"{tmp_path / 'noise'}: no such folder"
    assert test == f"{folders['test'][0]}: no .wav or .flac file"
