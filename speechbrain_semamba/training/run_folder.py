"""A run's output folder, which is one run's alone."""

import contextlib
import functools
from pathlib import Path

from speechbrain_semamba.checkpoints.model_folder import check_replaceable
from speechbrain_semamba.training.run_record import RunRecord
from speechbrain_semamba.utils.distributed import call_on_main
from speechbrain_semamba.utils.folder_lock import NAME, folder_lock
from speechbrain_semamba.utils.whole_files import check_file_name


@contextlib.contextmanager
def run_folder(command):
    """Holds a run's output folder, if this run may go on there.

    The main process locks it for all, and nothing is written before the
    record has been compared.

    Arguments
    ---------
    command : speechbrain_semamba.training.command_line.Command
        What the run was started with.

    Yields
    ------
    RunRecord
        To be written when all is ready to train.

    Raises
    ------
    BlockingIOError
        If another run writes there; an OSError on the other processes.
    ChangedSettings
        If it holds a run of other settings; a ValueError on the others.
    """
    record = RunRecord(command.output_folder, command.settings())
    with contextlib.ExitStack() as held:
        call_on_main(_enter, held, record)
        yield record


def _enter(held, record):
    is_new = not record.folder.exists()
    held.enter_context(folder_lock(record.folder))
    if is_new:
        held.push(functools.partial(_leave_nothing, record.folder))
    record.check()


def _leave_nothing(folder, kind, *error):
    """Removes a new folder in which a run could not even begin."""
    if kind is None:
        return
    with contextlib.suppress(OSError):
        (folder / "save").rmdir()
    if [path.name for path in folder.iterdir()] == [NAME]:
        (folder / NAME).unlink()
        folder.rmdir()


def check_outputs(hparams):
    """Whether what is written at the end can be, before the work is done.

    Arguments
    ---------
    hparams : dict
        Names of files and folders by key.

    Raises
    ------
    OSError
        If a file's name is that of a folder, or its folder cannot be made,
        or if ``model_folder`` is there already and is none.
    """
    for key in ("train_log", "test_scores"):
        path = Path(hparams[key])
        path.parent.mkdir(parents=True, exist_ok=True)
        check_file_name(path)
    check_replaceable(Path(hparams["model_folder"]), overwrite=True)
