"""A run goes on only with the settings that it began with."""

import json

import pytest
import torch
from speechbrain.utils.epoch_loop import EpochCounter

from speechbrain_semamba.checkpoints.checkpointer import WholeCheckpointer
from speechbrain_semamba.training.run_record import (
    ChangedSettings,
    RunRecord,
    next_epoch,
)

SETTINGS = {"lr": 0.1, "generator.channels": 8, "batch_size": 4}


def save(folder, epochs, end_of_epoch=True):
    """A checkpoint of a run in its n-th epoch."""
    counter = EpochCounter(9)
    counter.current = epochs
    model = torch.nn.Linear(1, 1)
    checkpointer = WholeCheckpointer(
        folder / "save", {"epoch_counter": counter, "model": model}
    )
    checkpointer.save_checkpoint(end_of_epoch=end_of_epoch)


@pytest.fixture
def folder(tmp_path):
    """Of a run of one epoch."""
    RunRecord(tmp_path, SETTINGS).write()
    save(tmp_path, 1)
    return tmp_path


def read(folder):
    return json.loads((folder / "run_record.json").read_text())


@pytest.mark.parametrize(
    "changed, message",
    [
        ({"lr": 1e-7}, "lr was 0.1 .* and is 1e-07 now"),
        ({"generator.channels": 4}, "generator.channels was 8 .* is 4 now"),
        ({"target": "pcs"}, "target was not set .* is pcs now"),
        ({"lr": 1, "generator.channels": 4}, r"\(and generator.channels too\)"),
    ],
)
def test_changed_settings_are_refused(folder, changed, message):
    files = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    with pytest.raises(ChangedSettings, match=message) as info:
        RunRecord(folder, {**SETTINGS, **changed}).check()
    assert "\n" not in str(info.value)
    assert "name another output_folder" in str(info.value)
    assert files == {p: p.read_bytes() for p in files}


def test_setting_that_is_gone_is_refused(folder):
    fewer = {k: v for k, v in SETTINGS.items() if k != "lr"}
    with pytest.raises(ChangedSettings, match="lr was 0.1 .* is not set now"):
        RunRecord(folder, fewer).check()


def test_what_may_change_is_recorded_with_its_epoch(folder):
    for epoch, size in ((2, 4), (3, 6), (4, 6)):
        record = RunRecord(folder, {**SETTINGS, "batch_size": size})
        record.check()
        record.write()
        save(folder, epoch)
    assert read(folder) == {
        "fixed": {"lr": 0.1, "generator.channels": 8},
        "may_change": [
            {"from_epoch": 1, "settings": {"batch_size": 4}},
            {"from_epoch": 3, "settings": {"batch_size": 6}},
        ],
    }


def test_unfinished_epoch_is_the_next(folder):
    assert next_epoch(folder / "save") == 2
    save(folder, 2, end_of_epoch=False)
    assert next_epoch(folder / "save") == 2
    save(folder, 2)
    assert next_epoch(folder / "save") == 3


def test_without_a_checkpoint_nothing_binds(tmp_path):
    """A start that failed on a mistake may be mended."""
    RunRecord(tmp_path, SETTINGS).write()
    other = RunRecord(tmp_path, {**SETTINGS, "lr": 0.2})
    other.check()
    other.write()
    assert read(tmp_path)["fixed"]["lr"] == 0.2
    assert len(read(tmp_path)["may_change"]) == 1


def test_folder_may_be_named_from_anywhere(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    RunRecord(tmp_path, {"data_folder": "data"}).write()
    save(tmp_path, 1)
    monkeypatch.chdir(tmp_path / "data")
    for name in ("../data", f"{tmp_path}/data/"):
        RunRecord(tmp_path, {"data_folder": name}).check()
    with pytest.raises(ChangedSettings):
        RunRecord(tmp_path, {"data_folder": "../save"}).check()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"fixed": {}}', "{}"])
def test_damaged_record(folder, text):
    (folder / "run_record.json").write_text(text)
    with pytest.raises(ValueError, match="run_record.json is damaged"):
        RunRecord(folder, SETTINGS).check()
