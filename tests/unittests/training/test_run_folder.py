"""A run's folder, which the main process holds for all."""

import os
from types import SimpleNamespace

import pytest
import torch
from forks import end_of, fork

from speechbrain_semamba.training.run_folder import run_folder
from speechbrain_semamba.training.run_record import ChangedSettings
from speechbrain_semamba.utils.distributed import leave_group


def command(folder, **settings):
    return SimpleNamespace(output_folder=folder, settings=lambda: settings)


@pytest.fixture
def folder(tmp_path):
    """Of a run with a checkpoint."""
    with run_folder(command(tmp_path / "run", lr=0.1)) as record:
        record.write()
    (tmp_path / "run" / "save" / "CKPT+1").mkdir(parents=True)
    return tmp_path / "run"


def test_refused_run_does_not_keep_the_lock(folder):
    with pytest.raises(ChangedSettings):
        with run_folder(command(folder, lr=0.2)):
            pytest.fail("went on")
    assert end_of(fork(enter, folder)) == 0


def enter(folder):
    with run_folder(command(folder, lr=0.1)):
        pass


def process(rank, folder):
    """One of two that are started with another setting."""
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank))
    torch.distributed.init_process_group(
        "gloo",
        init_method=f"file://{folder}/meeting",
        rank=rank,
        world_size=2,
    )
    try:
        with run_folder(command(folder, lr=0.2)):
            message = "went on"
    except ValueError as error:
        message = str(error)
    (folder / f"{rank}.txt").write_text(message)
    leave_group()


def test_all_processes_hear_of_a_refusal(folder):
    """None waits for the main one, and none writes."""
    ids = [fork(process, rank, folder) for rank in (0, 1)]
    assert [end_of(pid) for pid in ids] == [0, 0]
    first, second = ((folder / f"{rank}.txt").read_text() for rank in (0, 1))
    assert first == second and first.startswith("lr was 0.1 in the run of ")


def test_run_that_cannot_begin_leaves_no_folder(tmp_path):
    new = tmp_path / "new"
    for folder, left in ((new, []), (tmp_path / "old", [".lock", "save"])):
        if folder is not new:
            folder.mkdir()
        with pytest.raises(ValueError, match="a mistake"):
            with run_folder(command(folder)):
                (folder / "save").mkdir()
                raise ValueError("a mistake")
        assert sorted(path.name for path in folder.glob("*")) == left


def test_run_that_has_begun_keeps_its_folder(tmp_path):
    folder = tmp_path / "new"
    with pytest.raises(ValueError, match="a mistake"):
        with run_folder(command(folder)):
            (folder / "log.txt").touch()
            raise ValueError("a mistake")
    assert (folder / "log.txt").exists()
