"""A run's output folder, which is one run's alone."""

import contextlib

from speechbrain_semamba.training.run_record import RunRecord
from speechbrain_semamba.utils.distributed import call_on_main
from speechbrain_semamba.utils.folder_lock import folder_lock


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
    held.enter_context(folder_lock(record.folder))
    record.check()
