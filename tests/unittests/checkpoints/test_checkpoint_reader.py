"""Damaged checkpoints are passed over."""

import os
import re

import pytest
import torch
from odd_names import litter
from small_checkpoints import change, epochs, flip, make, save, value
from speechbrain.utils.checkpoints import Checkpointer

from speechbrain_semamba.checkpoints import sums
from speechbrain_semamba.checkpoints.checkpoint_reader import (
    CheckpointReader,
    UnfitCheckpoint,
)
from speechbrain_semamba.checkpoints.checkpointer import WholeCheckpointer
from speechbrain_semamba.checkpoints.sums import find_damage

DAMAGES = {
    "missing": lambda path: path.unlink(),
    "truncated": lambda path: change(path, lambda data: data[:-1]),
    "empty": lambda path: change(path, lambda data: b""),
    "altered": lambda path: change(path, flip),
    "binary": lambda path: change(path, lambda data: b"\xff\x00" + data),
}
FILES = ["generator.ckpt", "optimizer.ckpt", "counter.ckpt", "CKPT.yaml"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_is_passed_over(tmp_path, caplog, name, damage):
    """The one before is recovered, and a warning says so once."""
    checkpointer = make(tmp_path)
    first, second = save(checkpointer, 1), save(checkpointer, 2)
    assert checkpointer.find_checkpoint() == second
    DAMAGES[damage](second.path / name)
    assert checkpointer.recover_if_possible() == first
    assert value(checkpointer) == 1
    checkpointer.list_checkpoints()
    (warning,) = [r.getMessage() for r in caplog.records if r.levelno >= 30]
    assert re.fullmatch(
        rf"{re.escape(str(second.path))} is damaged: {name} .*; "
        "it is passed over",
        warning,
    )
    assert second.path.is_dir()


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "{", '{"CKPT.yaml": 1}', "\udcff"]
)
def test_damaged_sums(tmp_path, caplog, text):
    """Checksums that cannot be read are damage too."""
    checkpointer = make(tmp_path)
    first, second = save(checkpointer, 1), save(checkpointer, 2)
    data = text.encode(errors="surrogateescape")
    (second.path / "sums.json").write_bytes(data)
    assert checkpointer.find_checkpoint() == first
    assert "is damaged: sums.json is" in caplog.text


def test_all_damaged(tmp_path, caplog):
    """Nothing is recovered, nothing is deleted, and that is said."""
    checkpointer = make(tmp_path)
    saved = [save(checkpointer, number) for number in (1, 2)]
    for checkpoint in saved:
        checkpoint.paramfiles["generator"].unlink()
    assert checkpointer.recover_if_possible() is None
    assert value(checkpointer) == 2
    assert "nothing is recovered" in caplog.text
    checkpointer.save_and_keep_only(meta={"epoch": 3})
    assert epochs(checkpointer) == [3]
    assert all(checkpoint.path.is_dir() for checkpoint in saved)


def test_nothing_saved_yet(tmp_path, caplog):
    """A first start is no reason for a warning."""
    assert make(tmp_path).recover_if_possible() is None
    assert not [r for r in caplog.records if r.levelno >= 30]


def test_export_needs_no_recoverables(tmp_path):
    """Damage is found by who only reads the folder."""
    checkpointer = make(tmp_path)
    first, second = save(checkpointer, 1), save(checkpointer, 2)
    change(second.paramfiles["generator"], flip)
    assert find_damage(first.path) is None
    assert find_damage(second.path) == "generator.ckpt has another checksum"
    assert CheckpointReader(tmp_path).find_checkpoint(max_key="epoch") == first


def test_verdicts_are_kept(tmp_path, monkeypatch):
    """Listing reads a file again only after a change of it."""
    read = []
    digest = sums._digest
    monkeypatch.setattr(
        sums,
        "_digest",
        lambda file: (read.append(file), digest(file))[1],
    )
    checkpointer = make(tmp_path)
    saved = save(checkpointer, 1)
    checkpointer.list_checkpoints()
    read.clear()
    checkpointer.list_checkpoints()
    assert read == []
    os.utime(saved.paramfiles["counter"], ns=(0, 0))
    checkpointer.list_checkpoints()
    assert len(read) == 4


def test_plain_checkpoints_are_accepted(tmp_path):
    """A run begun with SpeechBrain's checkpointer goes on."""
    old = save(make(tmp_path, Checkpointer), 1)
    checkpointer = make(tmp_path)
    assert checkpointer.recover_if_possible().path == old.path
    assert value(checkpointer) == 1
    checkpointer.save_and_keep_only(meta={"epoch": 2})
    assert epochs(checkpointer) == [2]


@pytest.mark.parametrize("name", FILES)
def test_plain_checkpoint_that_lacks_a_file(tmp_path, caplog, name):
    """SpeechBrain's own was killed on the way."""
    plain = make(tmp_path, Checkpointer)
    first, second = save(plain, 1), save(plain, 2)
    (second.path / name).unlink()
    checkpointer = make(tmp_path)
    assert checkpointer.recover_if_possible().path == first.path
    assert f"is damaged: {name} is missing; it is passed over" in caplog.text


def test_plain_checkpoint_that_was_cut_short(tmp_path, caplog):
    """The last file that SpeechBrain's own began is not complete."""
    plain = make(tmp_path, Checkpointer)
    first, second = save(plain, 1), save(plain, 2)
    change(second.paramfiles["generator"], lambda data: data[:-100])
    assert make(tmp_path).recover_if_possible().path == first.path
    assert "generator.ckpt is cut short" in caplog.text


def test_plain_checkpoint_that_lacks_what_may_be_missing(tmp_path):
    """As SpeechBrain would load it."""
    save(make(tmp_path, Checkpointer), 1)
    checkpointer = make(tmp_path)
    extra = torch.nn.Linear(1, 1)
    checkpointer.add_recoverable("scaler", extra, optional_load=True)
    checkpointer.add_recoverable("dataloader-TRAIN", extra)
    assert epochs(checkpointer) == [1]
    checkpointer.add_recoverable("more", extra)
    assert epochs(checkpointer) == []
    checkpointer.allow_partial_load = True
    assert epochs(checkpointer) == [1]


def test_checkpoint_of_another_configuration(tmp_path):
    """Whole, but not what is asked for: that is no damage."""
    save(make(tmp_path), 1)
    checkpointer = make(tmp_path)
    larger = torch.nn.Linear(3, 3)
    checkpointer.recoverables["generator"] = larger
    with pytest.raises(UnfitCheckpoint, match="with other options, .*size mis"):
        checkpointer.recover_if_possible()
    checkpointer.recoverables.update(average=larger)
    with pytest.raises(UnfitCheckpoint, match="options, it lacks average; giv"):
        checkpointer.recover_if_possible()


@pytest.mark.parametrize("data", [b"", b"no weights"])
def test_plain_checkpoint_that_holds_no_weights(tmp_path, data):
    """PyTorch's advice is not ours: to run what the file may carry."""
    checkpointer = make(tmp_path, Checkpointer)
    saved = save(checkpointer, 1)
    saved.paramfiles["generator"].write_bytes(data)
    with pytest.raises(UnfitCheckpoint, match="is damaged, .*; remove") as info:
        make(tmp_path, CheckpointReader).recover_if_possible()
    assert "weights_only" not in str(info.value)


@pytest.mark.parametrize("cls", [Checkpointer, WholeCheckpointer])
def test_what_lies_about_is_no_damage(tmp_path, caplog, cls):
    save(make(tmp_path, cls), 1)
    litter(tmp_path)
    checkpointer = make(tmp_path)
    assert checkpointer.recover_if_possible().meta["epoch"] == 1
    assert value(checkpointer) == 1
    save(checkpointer, 2)
    checkpointer.save_and_keep_only(meta={"epoch": 3}, num_to_keep=1)
    assert epochs(checkpointer) == [3]
    assert not [r for r in caplog.records if r.levelno >= 30]
