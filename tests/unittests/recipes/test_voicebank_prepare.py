"""The preparation of VoiceBank-DEMAND, on small synthetic corpora."""

import json
import logging
import math
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import voicebank_prepare
from speechbrain.dataio import audio_io
from speechbrain.dataio.dataset import DynamicItemDataset
from voicebank_prepare import prepare_voicebank

TRAIN = ["p226_001", "p226_002", "p228_001", "p228_002", "p287_001"]
TEST = ["p232_001", "p257_001"]


def write(path, samples=1600, rate=16000, value=None, **kwargs):
    """Writes noise, or the given samples, to a file."""
    if value is None:
        value = 0.1 * np.random.default_rng(samples).standard_normal(samples)
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path, value, rate, **kwargs)
    return path


def make_corpus(folder, train=TRAIN, test=TEST, suffix="", ext="wav", **kwargs):
    """Writes pairs; the n-th has 100 samples more than the first."""
    for stem, names in (("trainset_28spk_wav", train), ("testset_wav", test)):
        for half in ("clean", "noisy"):
            for index, name in enumerate(names):
                path = folder / f"{half}_{stem}{suffix}" / f"{name}.{ext}"
                write(path, 1600 + 100 * index, **kwargs)
    return folder


@pytest.fixture
def data(tmp_path):
    """A corpus at 16 kHz."""
    return make_corpus(tmp_path / "data")


@pytest.fixture
def prepare(tmp_path):
    """Runs the preparation into tmp_path/save, on one core."""

    def run(data_folder, save="save", **kwargs):
        manifests = {
            f"{name}_json": tmp_path / save / f"{name}.json"
            for name in ("train", "valid", "test")
        }
        kwargs = {"num_workers": 1, **manifests, **kwargs}
        return prepare_voicebank(data_folder, tmp_path / save, **kwargs)

    return run


def read(tmp_path, name, save="save"):
    """Reads a manifest."""
    return json.loads((tmp_path / save / f"{name}.json").read_text())


def list_files(folder):
    """All files below a folder, with what changes when one is replaced."""
    return {
        path: (path.stat().st_ctime_ns, path.stat().st_ino)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_manifests(tmp_path, data, prepare, caplog):
    caplog.set_level(logging.INFO)
    assert prepare(data) == str(data)
    train, valid = read(tmp_path, "train"), read(tmp_path, "valid")
    assert list(train) == ["p228_001", "p228_002"]
    assert list(valid) == ["p226_001", "p226_002", "p287_001"]
    assert list(read(tmp_path, "test")) == TEST
    assert train["p228_001"] == {
        "noisy_wav": "{data_root}/noisy_trainset_28spk_wav/p228_001.wav",
        "clean_wav": "{data_root}/clean_trainset_28spk_wav/p228_001.wav",
        "length": 1800 / 16000,
    }
    assert "valid: 3 pairs, 0.00 hours, 2 speakers" in caplog.text
    assert list_files(tmp_path / "save").keys() == {
        tmp_path / "save" / f"{name}.json"
        for name in ("train", "valid", "test", "prepare_options")
    }


def test_manifest_is_read_by_speechbrain(tmp_path, data, prepare):
    root = prepare(data)
    dataset = DynamicItemDataset.from_json(
        tmp_path / "save" / "test.json", replacements={"data_root": root}
    )
    dataset.set_output_keys(["id", "noisy_wav", "clean_wav", "length"])
    for item in dataset:
        for half in ("noisy_wav", "clean_wav"):
            assert sf.info(item[half]).duration == item["length"]


def test_runs_give_the_same_bytes(tmp_path, data, prepare):
    for save in ("one", "two"):
        prepare(data, save, validation="share", valid_share=0.4)
    for name in ("train", "valid", "test"):
        one, two = (
            (tmp_path / save / f"{name}.json").read_bytes()
            for save in ("one", "two")
        )
        assert one == two


def test_folder_names(tmp_path, prepare):
    data = make_corpus(tmp_path / "data", suffix="_16k", ext="flac")
    prepare(data)
    path = "{data_root}/noisy_testset_wav_16k/p232_001.flac"
    assert read(tmp_path, "test")["p232_001"]["noisy_wav"] == path
    # The plain name joins it: at 16 kHz it does not count, at 8 kHz it does.
    make_corpus(tmp_path / "data", rate=8000)
    assert prepare(data) == str(data)
    assert read(tmp_path, "test")["p232_001"]["noisy_wav"] == path
    assert prepare(data, sample_rate=8000) == str(data)
    path = "{data_root}/noisy_testset_wav/p232_001.wav"
    assert read(tmp_path, "test")["p232_001"]["noisy_wav"] == path


def test_missing_folder_is_named(data, prepare):
    (data / "noisy_testset_wav").rename(data / "noisy_testset")
    with pytest.raises(FileNotFoundError) as caught:
        prepare(data)
    assert "has no folder noisy_testset_wav; needed" in str(caught.value)
    assert "'_16k'" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_share_replaces_absent_speakers(tmp_path, prepare, caplog):
    names = [f"utt{index:02}" for index in range(20)]
    data = make_corpus(tmp_path / "data", train=names, test=names[:1])
    caplog.set_level(logging.INFO)
    drawn = {}
    for save, seed in (("one", 1), ("two", 1), ("three", 2)):
        prepare(data, save, valid_share=0.2, seed=seed)
        drawn[save] = list(read(tmp_path, "valid", save))
        assert len(drawn[save]) == 4
        rest = set(read(tmp_path, "train", save))
        assert rest == set(names) - set(drawn[save])
    assert drawn["one"] == drawn["two"] != drawn["three"]
    assert "starts with one of the speakers p226, p287" in caplog.text
    assert "4 of 20 training utterances, drawn with seed 1" in caplog.text
    assert "valid: 4 pairs, 0.00 hours\n" in caplog.text


@pytest.mark.parametrize(
    "train, missing",
    [
        (["p228_001", "p228_002", "p287_001", "p287_002"], ["p226"]),
        (["p226_001", "p226_002", "p228_001", "p228_002"], ["p287"]),
        (["p2261_001", "p2871_001", "p226", "p287"], ["p226", "p287"]),
    ],
)
def test_share_replaces_incomplete_speakers(
    tmp_path, prepare, caplog, train, missing
):
    data = make_corpus(tmp_path / "data", train=train)
    prepare(data, "speakers", valid_share=0.5)
    assert f"one of the speakers {', '.join(missing)}; taking" in caplog.text
    caplog.clear()
    prepare(data, "share", validation="share", valid_share=0.5)
    assert "one of the speakers" not in caplog.text
    drawn = read(tmp_path, "valid", "speakers")
    assert len(drawn) == 2
    assert drawn == read(tmp_path, "valid", "share")
    rest = read(tmp_path, "train", "speakers")
    assert sorted([*drawn, *rest]) == sorted(train)


def test_all_speakers_occur(tmp_path, data, prepare, caplog):
    prepare(data, valid_speakers=["p287", "p228"])
    assert list(read(tmp_path, "valid")) == ["p228_001", "p228_002", "p287_001"]
    assert "one of the speakers" not in caplog.text


def test_share_on_demand(tmp_path, data, prepare):
    prepare(data, validation="share", valid_share=0.01)
    assert len(read(tmp_path, "valid")) == 1
    assert len(read(tmp_path, "train")) == 4


def test_official_validates_on_the_test_set_and_warns(
    tmp_path, data, prepare, caplog
):
    prepare(data, validation="official")
    assert list(read(tmp_path, "train")) == TRAIN
    assert read(tmp_path, "valid") == read(tmp_path, "test")
    assert "optimistic" in caplog.text
    caplog.clear()
    prepare(data, validation="speakers")
    assert "optimistic" not in caplog.text


@pytest.mark.parametrize(
    "options, message",
    [
        ({"validation": "test"}, "speakers, share, official; found 'test'"),
        ({"validation": "share", "valid_share": 1}, "between 0 and 1; found 1"),
        ({"valid_speakers": ["p226", "p228", "p287"]}, "all 5 are held out"),
    ],
)
def test_options_out_of_range(tmp_path, data, prepare, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        prepare(data, **options)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "save").exists()


def test_one_speaker_as_a_string(tmp_path, data, prepare):
    prepare(data, valid_speakers="p287")
    assert list(read(tmp_path, "valid")) == ["p287_001"]


def test_faults_of_both_sets_in_one_error(tmp_path, data, prepare):
    (data / "noisy_trainset_28spk_wav" / "p226_001.wav").unlink()
    write(data / "noisy_testset_wav" / "p232_001.wav", 1601)
    with pytest.raises(ValueError, match="has 2 faults") as caught:
        prepare(data)
    _, train, test = str(caught.value).splitlines()
    assert "noisy_trainset_28spk_wav/p226_001: missing" in train
    assert "noisy_testset_wav/p232_001.wav: 1601 samples at 16000" in test
    assert not (tmp_path / "save").exists()


def test_resampling_in_processes(tmp_path, prepare):
    data = make_corpus(tmp_path / "data", rate=48000)
    root = prepare(data, num_workers=2)
    assert root == str(tmp_path / "save" / "wav_16k")
    for split in ("train", "valid", "test"):
        for entry in read(tmp_path, split).values():
            for half in ("clean_wav", "noisy_wav"):
                info = sf.info(entry[half].format(data_root=root))
                assert (info.samplerate, info.channels) == (16000, 1)
                assert info.subtype == "PCM_16"
                assert info.duration == entry["length"]
    frames = [
        sf.info(Path(root) / "noisy_trainset_28spk_wav" / f"{name}.wav").frames
        for name in TRAIN
    ]
    assert frames == [math.ceil((1600 + 100 * n) / 3) for n in range(5)]


def test_mixed_rates_share_one_root(tmp_path, prepare):
    data = make_corpus(tmp_path / "data", test=[])
    make_corpus(data, train=[], rate=48000)
    root = prepare(data)
    assert root == str(tmp_path / "save" / "wav_16k")
    for name in ("train", "test"):
        for entry in read(tmp_path, name).values():
            info = sf.info(entry["clean_wav"].format(data_root=root))
            assert info.samplerate == 16000
            assert info.duration == entry["length"]


def test_interrupted_run_is_resumed(tmp_path, prepare, monkeypatch):
    data = make_corpus(tmp_path / "data", rate=48000)
    save, count = audio_io.save, 0

    def fill_disk(*args, **kwargs):
        nonlocal count
        count += 1
        if count == 4:
            raise RuntimeError("No space left")
        save(*args, **kwargs)

    monkeypatch.setattr(audio_io, "save", fill_disk)
    with pytest.raises(RuntimeError, match="No space left"):
        prepare(data)
    # No manifest and no record as yet.
    finished = list_files(tmp_path / "save")
    assert len(finished) == 3
    assert {path.suffix for path in finished} == {".wav"}
    prepare(data)
    assert count == 4 + 14 - 3
    files = list_files(tmp_path / "save")
    assert len(files) == 14 + 4
    assert finished.items() <= files.items()


def test_damaged_resampled_file_is_noticed(tmp_path, prepare):
    data = make_corpus(tmp_path / "data", rate=48000)
    root = Path(prepare(data))
    contents = {path: path.read_bytes() for path in list_files(root)}
    truncated, lost = sorted(contents)[1:3]
    truncated.write_bytes(contents[truncated][:-10])
    lost.unlink()
    before = list_files(root)
    assert prepare(data) == str(root)
    after = list_files(root)
    assert {path for path in after if before.get(path) != after[path]} == {
        truncated,
        lost,
    }
    assert {path: path.read_bytes() for path in after} == contents


def test_unchanged_is_skipped(tmp_path, data, prepare, caplog):
    caplog.set_level(logging.INFO)
    high = make_corpus(tmp_path / "high", rate=48000)
    for folder, save in ((data, "one"), (high, "two")):
        root = prepare(folder, save)
        before = list_files(tmp_path / save)
        caplog.clear()
        assert prepare(folder, save) == root
        assert "Skipping" in caplog.text
        assert list_files(tmp_path / save) == before


@pytest.mark.parametrize(
    "change",
    [
        {"validation": "share"},
        {"valid_speakers": ["p228"]},
        {"seed": 3},
        {"valid_share": 0.3},
    ],
)
def test_changed_option_is_noticed(tmp_path, prepare, caplog, change):
    data = make_corpus(tmp_path / "data", rate=48000)
    root = prepare(data)
    before = list_files(tmp_path / "save")
    caplog.set_level(logging.INFO)
    assert prepare(data, **change) == root
    assert "Skipping" not in caplog.text
    after = list_files(tmp_path / "save")
    assert {path for path in before if before[path] != after[path]} == {
        path for path in before if path.suffix == ".json"
    }
    if "valid_speakers" in change:
        assert list(read(tmp_path, "valid")) == ["p228_001", "p228_002"]


def test_changed_corpus_is_noticed(tmp_path, data, prepare):
    prepare(data)
    for half in ("clean", "noisy"):
        write(data / f"{half}_testset_wav" / "p257_002.wav")
    prepare(data)
    assert list(read(tmp_path, "test")) == [*TEST, "p257_002"]


@pytest.mark.parametrize(
    "name, content",
    [
        ("valid.json", None),
        ("prepare_options.json", None),
        ("prepare_options.json", "{"),
        ("prepare_options.json", "[1, 2]"),
    ],
)
def test_lost_results_are_noticed(tmp_path, data, prepare, name, content):
    prepare(data)
    path = tmp_path / "save" / name
    whole = path.read_bytes()
    path.unlink()
    if content:
        path.write_text(content)
    prepare(data)
    assert path.read_bytes() == whole


def test_failed_run_leaves_no_record(tmp_path, data, prepare, monkeypatch):
    prepare(data)

    def fail(*args):
        raise OSError("No space left")

    with monkeypatch.context() as context:
        context.setattr(voicebank_prepare.os, "replace", fail)
        with pytest.raises(OSError, match="No space left"):
            prepare(data, seed=1)
    assert list_files(tmp_path / "save").keys() == {
        tmp_path / "save" / f"{name}.json"
        for name in ("train", "valid", "test")
    }


def test_skip_prep(tmp_path, prepare):
    data = make_corpus(tmp_path / "data", rate=48000)
    with pytest.raises(FileNotFoundError, match="skip_prep=False"):
        prepare(data, skip_prep=True)
    root = prepare(data)
    data.rename(tmp_path / "gone")
    assert prepare(data, skip_prep=True) == root
    # Manifests from elsewhere, without a record: the files as they came.
    (tmp_path / "save" / "prepare_options.json").unlink()
    assert prepare(data, skip_prep=True) == str(data)
