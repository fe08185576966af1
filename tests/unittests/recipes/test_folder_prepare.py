"""The preparation of one's own pairs, on small synthetic folders."""

import json
import logging
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from folder_prepare import prepare_pairs
from odd_names import ODD_NAMES, litter
from speechbrain.dataio.dataset import DynamicItemDataset
from voicebank_prepare import prepare_voicebank

NAMES = [f"utt{index:02}" for index in range(20)]
SETS = ("train", "valid", "test")


def write(path, samples=1600, rate=16000):
    path.parent.mkdir(parents=True, exist_ok=True)
    wav = 0.1 * np.random.default_rng(samples).standard_normal(samples)
    sf.write(path, wav, rate)


def make_pairs(folder, names=NAMES, suffix="", **kwargs):
    """Writes pairs; the n-th has 10 samples more than the first."""
    for half in ("clean", "noisy"):
        for index, name in enumerate(names):
            path = folder / f"{half}{suffix}" / f"{name}.wav"
            write(path, 1600 + 10 * index, **kwargs)
    return folder


@pytest.fixture
def data(tmp_path):
    return make_pairs(tmp_path / "data")


@pytest.fixture
def prepare(tmp_path):
    """Runs the preparation into tmp_path/save, on one core."""

    def run(data_folder, save="save", function=prepare_pairs, **kwargs):
        manifests = {
            f"{name}_json": tmp_path / save / f"{name}.json" for name in SETS
        }
        kwargs = {"num_workers": 1, **manifests, **kwargs}
        return function(data_folder, tmp_path / save, **kwargs)

    return run


def read(tmp_path, save="save"):
    """Reads the manifests."""
    paths = {name: tmp_path / save / f"{name}.json" for name in SETS}
    return {name: json.loads(path.read_text()) for name, path in paths.items()}


def list_files(folder):
    """All files below a folder, with what changes when one is replaced."""
    return {
        path: (path.stat().st_ctime_ns, path.stat().st_ino)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_shares_are_apart_and_seeded(tmp_path, data, prepare, caplog):
    caplog.set_level(logging.INFO)
    drawn = {}
    for save, seed in (("one", 1), ("two", 1), ("three", 2)):
        shares = {"valid_share": 0.2, "test_share": 0.1}
        assert prepare(data, save, seed=seed, **shares) == str(data)
        drawn[save] = {k: list(v) for k, v in read(tmp_path, save).items()}
        assert [len(drawn[save][name]) for name in SETS] == [14, 4, 2]
        assert sorted(sum(drawn[save].values(), [])) == NAMES
    assert drawn["one"] == drawn["two"]
    assert all(drawn["one"][name] != drawn["three"][name] for name in SETS)
    assert "valid: 4 pairs, 0.00 hours\n" in caplog.text


def test_entries(tmp_path, data, prepare):
    prepare(data)
    entries = {
        k: v for split in read(tmp_path).values() for k, v in split.items()
    }
    assert entries["utt03"] == {
        "noisy_wav": "{data_root}/noisy/utt03.wav",
        "clean_wav": "{data_root}/clean/utt03.wav",
        "length": 1630 / 16000,
    }


def test_test_folders_are_the_test_set(tmp_path, data, prepare):
    # Names may occur in both; the test share may be anything.
    make_pairs(data, NAMES[:3], "_test")
    prepare(data, valid_share=0.2, test_share=None)
    splits = read(tmp_path)
    assert [len(splits[name]) for name in SETS] == [16, 4, 3]
    assert splits["test"]["utt00"]["clean_wav"] == (
        "{data_root}/clean_test/utt00.wav"
    )
    assert sorted([*splits["train"], *splits["valid"]]) == NAMES


def test_shares_are_those_of_voicebank(tmp_path, data, prepare):
    make_pairs(data, NAMES[:3], "_test")
    prepare(data)
    for half in ("clean", "noisy"):
        (data / half).rename(data / f"{half}_trainset_28spk_wav")
        (data / f"{half}_test").rename(data / f"{half}_testset_wav")
    prepare(data, "other", prepare_voicebank, validation="share")
    ours, theirs = read(tmp_path), read(tmp_path, "other")
    for name in SETS:
        assert list(ours[name]) == list(theirs[name])
        for key, entry in ours[name].items():
            assert entry.keys() == theirs[name][key].keys()
            assert entry["length"] == theirs[name][key]["length"]


@pytest.mark.parametrize("rates", [(48000, 48000), (16000, 44100)])
def test_other_rates_are_resampled_once(tmp_path, prepare, rates):
    data = make_pairs(tmp_path / "data", NAMES[:4], rate=rates[0])
    make_pairs(data, NAMES[:2], "_test", rate=rates[1])
    root = prepare(data)
    assert root == str(tmp_path / "save" / "wav_16k")
    for name in SETS:
        dataset = DynamicItemDataset.from_json(
            tmp_path / "save" / f"{name}.json",
            replacements={"data_root": root},
            output_keys=["noisy_wav", "clean_wav", "length"],
        )
        for item in dataset:
            for half in ("noisy_wav", "clean_wav"):
                info = sf.info(item[half])
                assert info.samplerate == 16000
                assert info.duration == item["length"]
    before = list_files(tmp_path / "save")
    assert prepare(data) == root
    assert list_files(tmp_path / "save") == before
    assert prepare(data, seed=5) == root
    after = list_files(tmp_path / "save")
    changed = {path for path in after if after[path] != before[path]}
    assert {path.suffix for path in changed} == {".json"}
    data.rename(tmp_path / "gone")
    assert prepare(data, skip_prep=True) == root


@pytest.mark.parametrize(
    "change", ["seed", "valid_share", "test_share", "file", "test", "manifest"]
)
def test_change_is_noticed(tmp_path, data, prepare, caplog, change):
    prepare(data)
    before = read(tmp_path)
    caplog.set_level(logging.INFO)
    prepare(data)
    assert "Skipping" in caplog.text
    caplog.clear()
    options = {"seed": 5, "valid_share": 0.2, "test_share": 0.3}
    options = {k: v for k, v in options.items() if k == change}
    if change == "file":
        make_pairs(data, ["new"])
    elif change == "test":
        make_pairs(data, NAMES[:3], "_test")
    elif change == "manifest":
        (tmp_path / "save" / "valid.json").unlink()
    prepare(data, **options)
    assert "Skipping" not in caplog.text
    assert (read(tmp_path) == before) == (change == "manifest")


def test_all_faults_in_one_error(tmp_path, data, prepare):
    make_pairs(data, NAMES[:3], "_test")
    (data / "noisy" / "utt01.wav").unlink()
    write(data / "noisy_test" / "utt02.wav", 7)
    (data / "clean_test" / "utt00.wav").write_bytes(b"RIFF")
    with pytest.raises(ValueError, match="has 3 faults") as caught:
        prepare(data)
    for text in (
        "noisy/utt01: missing",
        "noisy_test/utt02.wav: 7 samples",
        "clean_test/utt00.wav: unreadable",
    ):
        assert text in str(caught.value)
    assert not (tmp_path / "save").exists()


@pytest.mark.parametrize("name", ["clean", "noisy", "noisy_test"])
def test_missing_folder_is_named(tmp_path, data, prepare, name):
    make_pairs(data, NAMES[:3], "_test")
    (data / name).rename(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match=f"{name}: no such folder"):
        prepare(data)
    assert not (tmp_path / "save").exists()


@pytest.mark.parametrize(
    "count, options, message",
    [
        (
            20,
            {"valid_share": 0},
            "valid_share must lie between 0 and 1; found 0",
        ),
        (20, {"test_share": 1}, "test_share must lie between 0 and 1; found 1"),
        (20, {"valid_share": 0.6, "test_share": 0.4}, "their sum is 1: lower"),
        (2, {}, "train, valid, test needs a pair, but they would get 0, 1, 1:"),
        (1, {}, "they would get 0, 1, 0: add pairs or lower the shares"),
    ],
)
def test_shares_out_of_range(tmp_path, prepare, count, options, message):
    data = make_pairs(tmp_path / "data", NAMES[:count])
    with pytest.raises(ValueError, match=message) as caught:
        prepare(data, **options)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "save").exists()


def test_skip_prep(data, prepare):
    with pytest.raises(FileNotFoundError, match="skip_prep=False"):
        prepare(data, skip_prep=True)
    prepare(data)
    (data / "noisy" / "utt01.wav").unlink()
    assert prepare(data, skip_prep=True) == str(data)


@pytest.mark.parametrize("rate", [16000, 8000])
def test_any_name_is_data(tmp_path, prepare, rate):
    """Resampled or not, through the manifest to SpeechBrain's dataset."""
    data = make_pairs(tmp_path / "{data}", [*NAMES, *ODD_NAMES], rate=rate)
    root = prepare(data)
    found = {}
    for name in SETS:
        dataset = DynamicItemDataset.from_json(
            tmp_path / "save" / f"{name}.json",
            replacements={"data_root": root},
            output_keys=["id", "noisy_wav", "clean_wav"],
        )
        found.update({item["id"]: item for item in dataset})
    assert set(found) == {*NAMES, *ODD_NAMES}
    for key, item in found.items():
        for half in ("noisy_wav", "clean_wav"):
            assert Path(item[half]).stem == key
            assert sf.info(item[half]).samplerate == 16000


@pytest.mark.parametrize("rate", [16000, 8000])
def test_files_in_sub_folders_beside_others(tmp_path, prepare, rate):
    names = [*NAMES, *(f"p{i}/utt00" for i in range(5)), "p1/deep/utt00"]
    root = Path(prepare(make_pairs(tmp_path / "data", names, rate=rate)))
    entries = {
        k: v for split in read(tmp_path).values() for k, v in split.items()
    }
    assert set(entries) == set(names)
    for entry in entries.values():
        path = entry["clean_wav"].format(data_root=root)
        assert sf.info(path).samplerate == 16000


def test_half_that_is_missing_in_a_sub_folder(tmp_path, prepare):
    data = make_pairs(tmp_path / "data", [*NAMES, "p1/utt00"])
    (data / "noisy" / "p1" / "utt00.wav").unlink()
    with pytest.raises(ValueError, match="noisy/p1/utt00: missing"):
        prepare(data)


@pytest.mark.parametrize("rate", [16000, 8000])
def test_what_lies_about_is_no_data(tmp_path, prepare, caplog, rate):
    """Neither copies of a notebook, nor what a desktop keeps of a folder."""
    data = make_pairs(tmp_path / "others", rate=rate)
    prepare(data)
    before = read(tmp_path)
    litter(data)
    litter(tmp_path / "save")
    caplog.set_level(logging.INFO)
    prepare(data)
    assert "Skipping" in caplog.text
    (tmp_path / "save" / "prepare_options.json").unlink()
    prepare(data)
    assert read(tmp_path) == before


def test_manifest_that_cannot_be_written(tmp_path, data, prepare):
    """None of the others is written then."""
    (tmp_path / "save" / "test.json").mkdir(parents=True)
    with pytest.raises(IsADirectoryError, match="test.json is a folder"):
        prepare(data)
    assert [p.name for p in (tmp_path / "save").iterdir()] == ["test.json"]
