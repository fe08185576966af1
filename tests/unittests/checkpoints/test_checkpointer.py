"""Checkpoints survive kills and full disks."""

import inspect
import json
import os
import resource
import shutil
import signal
import time

import pytest
import torch
from forks import end_of, fork, kill_me
from small_checkpoints import (
    epochs,
    fill,
    half_then,
    make,
    no_room,
    save,
    value,
)
from speechbrain.utils.checkpoints import Checkpointer

import speechbrain_semamba.checkpoints.checkpointer as module
from speechbrain_semamba.checkpoints.checkpointer import WholeCheckpointer
from speechbrain_semamba.checkpoints.sums import find_damage


def test_round_trip(tmp_path):
    """What is saved comes back, with the meta and the final paths."""
    checkpointer = make(tmp_path)
    saved = save(checkpointer, 1)
    assert saved.meta["epoch"] == 1 and saved.meta["end-of-epoch"]
    assert saved.path.parent == tmp_path
    assert set(saved.paramfiles) == set(checkpointer.recoverables)
    assert all(file.is_file() for file in saved.paramfiles.values())
    other = make(tmp_path)
    assert other.recover_if_possible() == saved
    assert value(other) == 1
    assert [p.name for p in tmp_path.iterdir()] == [saved.path.name]


def test_all_is_on_the_disk_before_the_rename(tmp_path, monkeypatch):
    """A power cut leaves no name without its files either."""
    events = []
    rename, fsync = os.rename, os.fsync
    monkeypatch.setattr(
        os, "rename", lambda *paths: (events.append("named"), rename(*paths))
    )
    monkeypatch.setattr(
        os, "fsync", lambda fd: (events.append(os.fstat(fd).st_ino), fsync(fd))
    )
    saved = save(make(tmp_path), 1)
    inside = {path.stat().st_ino for path in saved.path.iterdir()}
    before, after = events[: len(inside) + 1], events[len(inside) + 1 :]
    assert set(before) == inside | {saved.path.stat().st_ino}
    assert after == ["named", tmp_path.stat().st_ino]


def test_many_within_a_second(tmp_path):
    """They differ by their names, and the newest is the last."""
    checkpointer = make(tmp_path)
    saved = [save(checkpointer, number).path for number in range(20)]
    assert epochs(checkpointer) == list(reversed(range(20)))
    assert saved == sorted(set(saved))


@pytest.mark.parametrize(
    "name",
    [
        "save_checkpoint",
        "save_and_keep_only",
        "recover_if_possible",
        "delete_checkpoints",
    ],
)
def test_signatures_are_those_of_speechbrain(name):
    """So that it can stand wherever a Checkpointer stands."""
    ours, theirs = (
        inspect.signature(getattr(cls, name)).parameters.values()
        for cls in (WholeCheckpointer, Checkpointer)
    )
    assert [(p.name, p.kind) for p in ours] == [
        (p.name, p.kind) for p in theirs
    ]


def test_speechbrain_reads_what_is_saved(tmp_path):
    """Without this class, a folder of checkpoints is still one."""
    save(make(tmp_path), 1)
    (tmp_path / "partial").mkdir()
    (tmp_path / "partial" / "CKPT.yaml").write_text("unixtime: 1.0\n")
    plain = make(tmp_path, Checkpointer)
    assert epochs(plain) == [1]
    assert plain.recover_if_possible() and value(plain) == 1


def killed_at(point, checkpointer):
    """Saves, and is killed on the way."""
    hooks = checkpointer.custom_save_hooks
    rename = os.rename
    if point in checkpointer.recoverables:
        hooks[point] = half_then(kill_me)
    elif point == "sums":
        module.seal = kill_me
    elif point == "before the rename":
        os.rename = kill_me
    elif point == "after the rename":
        os.rename = lambda *paths: (rename(*paths), kill_me())
    elif point == "deleting":
        shutil.rmtree = half_deleted
    fill(checkpointer, 2)
    checkpointer.save_and_keep_only(meta={"epoch": 2})


def half_deleted(folder, **_):
    """Deletes the checksums and is killed."""
    (folder / "sums.json").unlink()
    kill_me()


@pytest.mark.parametrize(
    "point, left",
    [
        ("generator", [1]),
        ("optimizer", [1]),
        ("counter", [1]),
        ("sums", [1]),
        ("before the rename", [1]),
        ("after the rename", [2, 1]),
        ("deleting", [2]),
    ],
)
def test_killed(tmp_path, point, left):
    """No half checkpoint is ever listed, and the next save clears away."""
    checkpointer = make(tmp_path)
    save(checkpointer, 1)
    assert end_of(fork(killed_at, point, checkpointer)) == -signal.SIGKILL
    for cls in (WholeCheckpointer, Checkpointer):
        other = make(tmp_path, cls)
        assert epochs(other) == left
        assert other.recover_if_possible() and value(other) == left[0]
    assert all(find_damage(c.path) is None for c in other.list_checkpoints())
    save(checkpointer, 3)
    names = [path.name for path in tmp_path.iterdir()]
    assert all(name.startswith("CKPT+") for name in names)
    assert epochs(checkpointer) == [3, *left]


def unwritable(obj, path):
    """torch.save to a device that is always full."""
    torch.save({"weights": torch.zeros(2**18)}, "/dev/full")


@pytest.mark.parametrize("saver", [half_then(no_room), unwritable])
@pytest.mark.parametrize("name", ["generator", "counter"])
def test_disk_full(tmp_path, saver, name):
    """One error, nothing half, and the run can go on later."""
    checkpointer = make(tmp_path)
    first = save(checkpointer, 1)
    checkpointer.custom_save_hooks[name] = saver
    with pytest.raises(OSError, match="could not be written") as caught:
        checkpointer.save_and_keep_only(meta={"epoch": 2})
    message = str(caught.value)
    assert "\n" not in message and str(tmp_path) in message
    assert "the earlier ones are whole" in message
    assert "same command goes on" in message
    assert list(tmp_path.iterdir()) == [first.path]
    checkpointer.custom_save_hooks.clear()
    save(checkpointer, 3)
    assert epochs(checkpointer) == [3, 1]


def save_within(size, checkpointer, report):
    """Saves where no file may become larger than this many bytes."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        save(checkpointer, 2)
        message = ""
    except OSError as error:
        message = str(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    report.write_text(message)


@pytest.mark.parametrize("size", [0, 64, 1024, 1900])
def test_writing_fails_for_real(tmp_path, size):
    """The system refuses to write on, in whichever file comes to it."""
    checkpointer = make(tmp_path / "save")
    first = save(checkpointer, 1)
    report = tmp_path / "message"
    assert end_of(fork(save_within, size, checkpointer, report)) == 0
    assert "could not be written" in report.read_text()
    assert list((tmp_path / "save").iterdir()) == [first.path]
    assert epochs(checkpointer) == [1]


def test_file_that_torch_did_not_write_whole(tmp_path, monkeypatch):
    """Of which PyTorch 2.7 says nothing."""
    checkpointer = make(tmp_path)
    first = save(checkpointer, 1)
    write = torch.save

    def cut(content, file, **options):
        write(content, file, **options)
        os.truncate(file, os.path.getsize(file) - 9)

    monkeypatch.setattr(torch, "save", cut)
    with pytest.raises(OSError, match="is cut short; the disk may be full"):
        save(checkpointer, 2)
    assert list(tmp_path.iterdir()) == [first.path]


def test_other_errors_stay_what_they_are(tmp_path):
    """An error of a saver is not taken for a full disk."""
    checkpointer = make(tmp_path)
    first = save(checkpointer, 1)
    checkpointer.recoverables["odd"] = object()
    with pytest.raises(RuntimeError, match="Don't know how to save"):
        save(checkpointer, 2)
    assert list(tmp_path.iterdir()) == [first.path]


def test_meta_that_cannot_be_read_again(tmp_path):
    """It would make the whole folder unreadable for SpeechBrain."""
    checkpointer = make(tmp_path)
    with pytest.raises(ValueError, match="plain numbers and text"):
        checkpointer.save_checkpoint(meta={"pesq": torch.zeros(1)})
    assert list(tmp_path.iterdir()) == []


def test_best_and_newest_are_kept(tmp_path):
    """Also where the best is damaged: then the next one is the best."""
    checkpointer = make(tmp_path)
    for epoch, pesq in enumerate([1.0, 3.0, 2.0, 1.5]):
        checkpointer.save_and_keep_only(
            meta={"epoch": epoch, "pesq": pesq}, max_keys=["pesq"]
        )
        assert checkpointer.find_checkpoint().meta["epoch"] == epoch
    assert epochs(checkpointer) == [3, 1]
    best = checkpointer.find_checkpoint(max_key="pesq")
    best.paramfiles["generator"].unlink()
    checkpointer.save_and_keep_only(
        meta={"epoch": 4, "pesq": 1.0}, max_keys=["pesq"]
    )
    assert epochs(checkpointer) == [4, 3]
    assert checkpointer.recover_if_possible(max_key="pesq").meta["epoch"] == 3
    assert best.path.is_dir()


@pytest.mark.parametrize("clock", [0.0, -3600.0])
def test_newest_is_newest(tmp_path, monkeypatch, clock):
    """Within one tick of the clock, and after it was set back."""
    checkpointer = make(tmp_path)
    now = time.time()
    save(checkpointer, 0)
    monkeypatch.setattr(time, "time", lambda: now + clock)
    monkeypatch.setattr(time, "strftime", lambda _: "2026-01-02+03-04-05")
    saved = [save(checkpointer, number) for number in (1, 2, 3)]
    shutil.rmtree(saved[0].path)
    save(checkpointer, 4)
    assert epochs(checkpointer) == [4, 3, 2, 0]
    newest_last = sorted(c.path.name for c in checkpointer.list_checkpoints())
    assert newest_last[-1] == checkpointer.find_checkpoint().path.name


def test_custom_name_is_replaced(tmp_path):
    """A name that is there already is that of the new one."""
    checkpointer = make(tmp_path)
    for number in (1, 2):
        fill(checkpointer, number)
        checkpointer.save_checkpoint({"epoch": number}, name="mine")
    assert [path.name for path in tmp_path.iterdir()] == ["CKPT+mine"]
    assert epochs(checkpointer) == [2]


def replace_killed(checkpointer):
    """Is killed when the old one has made room for the new one."""
    rename = os.rename
    os.rename = lambda *paths: (rename(*paths), kill_me())
    checkpointer.save_checkpoint({"epoch": 2}, name="mine")


def test_killed_while_replacing(tmp_path):
    """The old one is listed at every moment."""
    checkpointer = make(tmp_path)
    checkpointer.save_checkpoint({"epoch": 1}, name="mine")
    assert end_of(fork(replace_killed, checkpointer)) == -signal.SIGKILL
    assert epochs(checkpointer) == [1]
    checkpointer.save_checkpoint({"epoch": 3}, name="mine")
    assert epochs(checkpointer)[0] == 3


def process(rank, folder):
    """One of two processes that train together."""
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank))
    torch.distributed.init_process_group(
        "gloo",
        init_method=f"file://{folder}/meeting",
        rank=rank,
        world_size=2,
    )
    checkpointer = make(folder / "save")
    save(checkpointer, 1)
    second = save(checkpointer, 2)
    out = {"returned": second is not None, "errors": []}
    if rank:
        # a file that only this process sees otherwise
        checkpointer.list_checkpoints = list
    fill(checkpointer, 10 + rank)
    chosen = checkpointer.recover_if_possible()
    out["recovered"] = [chosen.path.name, value(checkpointer)]
    for stop in (no_room, lambda: 1 / 0):
        checkpointer.custom_save_hooks["optimizer"] = half_then(stop)
        try:
            checkpointer.save_and_keep_only(meta={"epoch": 3})
        except Exception as error:
            out["errors"].append([type(error).__name__, str(error)])
    checkpointer.custom_save_hooks.clear()
    fill(checkpointer, 4)
    checkpointer.save_and_keep_only(meta={"epoch": 4})
    fill(checkpointer, 0)
    out["at last"] = checkpointer.recover_if_possible().meta["epoch"]
    (folder / f"{rank}.json").write_text(json.dumps(out))


def test_two_processes(tmp_path):
    """Both recover the same checkpoint, and both hear of a failed save."""
    ids = [fork(process, rank, tmp_path) for rank in (0, 1)]
    assert [end_of(pid) for pid in ids] == [0, 0]
    first, second = (
        json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1)
    )
    assert first["returned"] and not second["returned"]
    assert first["recovered"] == second["recovered"]
    assert first["recovered"][1] == 2
    full, other = first["errors"]
    assert full == second["errors"][0] and full[0] == "OSError"
    assert "No space left on device" in full[1]
    assert other[0] == "ZeroDivisionError"
    assert second["errors"][1] == ["RuntimeError", other[1]]
    assert first["at last"] == second["at last"] == 4
    assert len(list((tmp_path / "save").iterdir())) == 1
