"""The preparation of clean speech, noises and rooms for dynamic mixing."""

import csv
import json
import logging
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from mixing_prepare import prepare_mixing
from places import ROOT
from speechbrain.dataio.dataset import DynamicItemDataset

from speechbrain_semamba.dataio.mixing import DynamicMixer

SETS = ("train", "valid", "test")
CLEAN = [f"{s}/{b}/{s}-{b}-{u}" for s in "12" for b in "34" for u in "567"]
REAL = ROOT.parent / "shared" / "data"


def write(path, samples=1600, rate=16000, **kwargs):
    path.parent.mkdir(parents=True, exist_ok=True)
    wav = 0.1 * np.random.default_rng(samples).standard_normal(samples)
    sf.write(path, wav, rate, **kwargs)


@pytest.fixture
def data(tmp_path):
    """Clean files in sub-folders, noises and rooms."""
    for index, name in enumerate(CLEAN):
        write(tmp_path / "clean" / f"{name}.flac", 1600 + 10 * index)
    for index in range(5):
        # A name for which a list has to be quoted, with two dots.
        write(tmp_path / "noise" / f"kind, {index}" / "a.b.wav", 900 + index)
        write(tmp_path / "rir" / f"{index}.WAV", 300 + index)
    return tmp_path


@pytest.fixture
def prepare(tmp_path):
    """Runs the preparation into tmp_path/save, on one core."""

    def run(clean="clean", noise="noise", rir="rir", save="save", **kwargs):
        manifests = {
            f"{name}_json": tmp_path / save / f"{name}.json" for name in SETS
        }
        folders = [name and tmp_path / name for name in (clean, noise, rir)]
        kwargs = {"num_workers": 1, **manifests, **kwargs}
        return prepare_mixing(*folders, tmp_path / save, **kwargs)

    return run


def read(tmp_path, save="save"):
    """Reads the manifests."""
    paths = {name: tmp_path / save / f"{name}.json" for name in SETS}
    return {name: json.loads(path.read_text()) for name, path in paths.items()}


def read_lists(tmp_path, kind, save="save"):
    """Reads the rows of a kind's lists."""
    rows = {}
    for name in SETS:
        path = tmp_path / save / f"{kind}_{name}.csv"
        with open(path, newline="", encoding="utf-8") as file:
            rows[name] = list(csv.DictReader(file))
    return rows


def list_files(folder):
    """All files below a folder, with what changes when one is replaced."""
    return {
        path: (path.stat().st_ctime_ns, path.stat().st_ino)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_manifests_and_lists(tmp_path, data, prepare, caplog):
    caplog.set_level(logging.INFO)
    assert prepare() == str(tmp_path / "clean")
    splits = read(tmp_path)
    assert [len(splits[name]) for name in SETS] == [10, 1, 1]
    entries = {k: v for split in splits.values() for k, v in split.items()}
    assert sorted(entries) == sorted(CLEAN)
    assert entries["1/3/1-3-6"] == {
        "clean_wav": "{data_root}/1/3/1-3-6.flac",
        "length": 1610 / 16000,
    }
    for kind in ("noise", "rir"):
        rows = read_lists(tmp_path, kind)
        assert [len(rows[name]) for name in SETS] == [3, 1, 1]
        files = {Path(row["wav"]) for name in SETS for row in rows[name]}
        assert len(files) == 5 and all(path.is_absolute() for path in files)
        for row in sum(rows.values(), []):
            info = sf.info(row["wav"])
            assert float(row["duration"]) == info.duration
    assert "train: 10 clean files, 0.00 hours" in caplog.text
    assert "Too few" not in caplog.text


@pytest.mark.parametrize("rir", ["rir", None, ""])
def test_speechbrain_and_the_mixer_take_them(tmp_path, data, prepare, rir):
    root = prepare(rir=rir)
    lists = tmp_path / "save"
    for name in SETS:
        mixer = DynamicMixer(
            lists / f"noise_{name}.csv",
            lists / f"rir_{name}.csv",
            snr_low=6,
            snr_high=6,
            reverb_prob=1,
        )
        dataset = DynamicItemDataset.from_json(
            lists / f"{name}.json",
            replacements={"data_root": root},
            output_keys=["id", "clean_wav", "length"],
        )
        for item in dataset:
            pair = mixer(item["clean_wav"], 0, item["id"]).double()
            assert pair.shape == (2, round(16000 * item["length"]))
            ratio = pair[1].norm() / (pair[0] - pair[1]).norm()
            assert (abs(20 * ratio.log10() - 6) < 0.01) == (not rir)


def test_seed_draws_all_kinds(tmp_path, data, prepare):
    drawn = []
    for save, seed in (("one", 1), ("two", 1), ("three", 2)):
        prepare(save=save, seed=seed, valid_share=0.3, test_share=0.3)
        lists = [read_lists(tmp_path, k, save) for k in ("noise", "rir")]
        drawn.append([read(tmp_path, save), *lists])
    assert drawn[0] == drawn[1]
    assert all(one != three for one, three in zip(drawn[0], drawn[2]))


def test_too_few_noises_are_shared(tmp_path, data, prepare, caplog):
    for index in range(3):
        (data / "noise" / f"kind, {index}" / "a.b.wav").unlink()
    prepare()
    rows = read_lists(tmp_path, "noise")
    assert len(rows["train"]) == 2
    assert rows["train"] == rows["valid"] == rows["test"]
    assert "noise of its own" in caplog.text and "rir of" not in caplog.text


@pytest.mark.parametrize("kind", ["clean", "noise", "rir"])
def test_one_kind_at_another_rate_is_resampled(tmp_path, data, prepare, kind):
    path = next(path for path in (data / kind).rglob("*") if path.is_file())
    write(path, 4800, 48000)
    copies = tmp_path / "save" / "wav_16k"
    root = tmp_path / "clean" if kind != "clean" else copies / "clean"
    assert prepare() == str(root)
    assert [folder.name for folder in copies.iterdir()] == [kind]
    for split in read(tmp_path).values():
        for entry in split.values():
            info = sf.info(entry["clean_wav"].format(data_root=root))
            assert (info.samplerate, info.duration) == (16000, entry["length"])
    for other in ("noise", "rir"):
        for row in sum(read_lists(tmp_path, other).values(), []):
            info = sf.info(row["wav"])
            assert (info.samplerate, info.duration) == (
                16000,
                float(row["duration"]),
            )
            assert Path(row["wav"]).is_relative_to(
                copies / kind if other == kind else data / other
            )
    before = list_files(tmp_path / "save")
    assert prepare() == prepare(skip_prep=True) == str(root)
    assert list_files(tmp_path / "save") == before


def test_shared_noises_are_resampled(tmp_path, data, prepare):
    for index in range(5):
        (data / "noise" / f"kind, {index}" / "a.b.wav").unlink()
    write(data / "noise" / "a.wav", 4800, 48000)
    prepare()
    rows = read_lists(tmp_path, "noise")
    assert rows["train"] == rows["valid"] == rows["test"]
    assert float(rows["test"][0]["duration"]) == 0.1


@pytest.mark.parametrize("change", ["seed", "rir", "noise", "list", "copy"])
def test_change_is_noticed(tmp_path, data, prepare, caplog, change):
    write(data / "noise" / "b.wav", 4800, 48000)
    prepare()
    caplog.set_level(logging.INFO)
    prepare()
    assert "Skipping" in caplog.text
    caplog.clear()
    options = {"seed": {"seed": 5}, "rir": {"rir": None}}.get(change, {})
    if change == "noise":
        write(data / "noise" / "new" / "c.wav")
    elif change == "list":
        (tmp_path / "save" / "rir_test.csv").unlink()
    elif change == "copy":
        (tmp_path / "save" / "wav_16k" / "noise" / "b.wav").unlink()
    prepare(**options)
    assert "Skipping" not in caplog.text
    assert (tmp_path / "save" / "wav_16k" / "noise" / "b.wav").is_file()
    rows = sum(read_lists(tmp_path, "rir").values(), [])
    assert len(rows) == (0 if change == "rir" else 5)


def test_all_faults_in_one_error(tmp_path, data, prepare):
    write(data / "clean" / "1" / "3" / "1-3-6.wav")
    (data / "noise" / "bad.wav").write_bytes(b"RIFF")
    sf.write(data / "rir" / "8.wav", np.zeros((100, 2)), 16000)
    with pytest.raises(ValueError, match="has 3 faults") as caught:
        prepare()
    for text in (
        "1-3-6.wav: same name as 1-3-6.flac",
        "bad.wav: unreadable",
        "8.wav: not mono (2 channels)",
    ):
        assert text in str(caught.value)
    assert not (tmp_path / "save").exists()


@pytest.mark.parametrize("kind", ["clean", "noise", "rir"])
def test_missing_folder_is_named(tmp_path, data, prepare, kind):
    (data / kind).rename(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match=f"/{kind}: no .wav or .flac file"):
        prepare()
    assert not (tmp_path / "save").exists()


@pytest.mark.parametrize(
    "options, message",
    [
        ({"valid_share": 0}, "valid_share must lie between 0 and 1; found 0"),
        ({"valid_share": 0.5, "test_share": 0.5}, "their sum is 1: lower"),
        ({"noise": "clean/1"}, "clean/1 is or lies inside another"),
        ({"rir": "noise"}, "noise is or lies inside another"),
        ({"save": "clean/save"}, "clean/save is or lies inside another"),
        ({"clean": "few"}, "an utterance, but they would get 0, 1, 1: add"),
    ],
)
def test_options_out_of_range(tmp_path, data, prepare, options, message):
    write(data / "few" / "1.wav")
    write(data / "few" / "2.wav")
    with pytest.raises(ValueError, match=message) as caught:
        prepare(**options)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "save").exists()


def test_failed_run_leaves_no_record(tmp_path, data, prepare, monkeypatch):
    prepare()

    def fail(*args):
        raise OSError("No space left")

    with monkeypatch.context() as context:
        context.setattr("os.replace", fail)
        with pytest.raises(OSError, match="No space left"):
            prepare(seed=1)
    assert not (tmp_path / "save" / "prepare_options.json").exists()
    assert not [p for p in list_files(tmp_path / "save") if p.name[0] == "."]


def test_skip_prep(tmp_path, data, prepare):
    with pytest.raises(FileNotFoundError, match="skip_prep=False"):
        prepare(skip_prep=True)
    prepare()
    (data / "noise" / "kind, 1" / "a.b.wav").unlink()
    assert prepare(skip_prep=True) == str(tmp_path / "clean")
    (tmp_path / "save" / "noise_valid.csv").unlink()
    with pytest.raises(FileNotFoundError, match="no .*noise_valid.csv: run"):
        prepare(skip_prep=True)


@pytest.mark.skipif(not REAL.is_dir(), reason="needs real speech and noise")
def test_real_speech_and_noise(tmp_path):
    manifests = [tmp_path / f"{name}.json" for name in SETS]
    folders = [REAL / "clean_speech" / "test", REAL / "noise" / "test", None]
    root = prepare_mixing(*folders, tmp_path, *manifests, num_workers=1)
    mixer = DynamicMixer(tmp_path / "noise_valid.csv", snr_low=-5, snr_high=15)
    drawn = []
    for key, entry in read(tmp_path, ".")["valid"].items():
        noisy, clean = mixer(entry["clean_wav"].format(data_root=root), 0, key)
        ratio = clean.double().norm() / (noisy - clean).double().norm()
        drawn.append(20 * ratio.log10().item())
    assert len(set(drawn)) == len(drawn) > 3
    assert -5.1 < min(drawn) < max(drawn) < 15.1


def test_any_name_is_data(tmp_path, data, prepare):
    """A "$" is no variable, a brace no template."""
    for kind in ("clean", "noise", "rir"):
        for path in list((tmp_path / kind).rglob("*.*")):
            if path.is_file():
                name = f"$HOME {{0}} *\n{path.name}"
                path.rename(path.with_name(name))
    root = prepare()
    for name in SETS:
        mixer = DynamicMixer(
            tmp_path / "save" / f"noise_{name}.csv",
            tmp_path / "save" / f"rir_{name}.csv",
            reverb_prob=1.0,
        )
        for key, entry in read(tmp_path)[name].items():
            assert "$HOME" in key
            path = entry["clean_wav"].format(data_root=root)
            assert mixer(path, 1, key).isfinite().all()
