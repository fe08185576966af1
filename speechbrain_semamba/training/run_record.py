"""What a run remembers of itself, so that no other one goes on in its place."""

import json
import os
from fnmatch import fnmatchcase
from pathlib import Path

from speechbrain.utils.epoch_loop import EpochCounter

from speechbrain_semamba.checkpoints.checkpoint_reader import CheckpointReader
from speechbrain_semamba.utils.whole_files import write_json

NAME = "run_record.json"
#: Settings that may change when a run goes on, by the patterns of their keys.
#: On all others its result depends.
MAY_CHANGE = (
    # how long
    "number_of_epochs",
    "epoch_counter.limit",
    "optimizer_step_limit",
    "nonfinite_patience",
    # how much at once, and where
    "batch_size",
    "*_dataloader_opts.batch_size",
    "grad_accumulation_factor",
    "processes",
    "device",
    "data_parallel_*",
    "distributed_*",
    "find_unused_parameters",
    "compile*",
    "jit*",
    # who helps
    "*workers",
    "*.multiprocessing_context",
    "*.pin_memory*",
    "*.prefetch_factor",
    # what is kept and shown
    "ckpt_interval_*",
    "model_folder",
    "save_enhanced",
    "enhanced_files*",
    "test_scores",
    "train_log*",
    "*tensorboard*",
    "num_logged_files",
    "log_config",
    "noprogressbar",
    "tqdm_*",
    "profile_*",
    # what is done at all
    "skip_prep",
    "prepare.skip_prep",
    "test_only",
    "debug*",
)


class ChangedSettings(ValueError):
    """A run was started with other settings than those it goes on from."""


class RunRecord:
    """The settings of a run in its output folder.

    Its file binds as soon as there is a checkpoint, which has come from the
    settings that the file names.

    Arguments
    ---------
    folder : str
        The run's output folder.
    settings : dict
        Plain values by dotted keys.

    Example
    -------
    >>> folder = getfixture("tmp_path")
    >>> RunRecord(folder, {"lr": 0.1, "batch_size": 4}).write()
    >>> (folder / "save" / "CKPT+1").mkdir(parents=True)
    >>> RunRecord(folder, {"lr": 0.1, "batch_size": 8}).check()
    >>> try:
    ...     RunRecord(folder, {"lr": 0.2}).check()
    ... except ChangedSettings as error:
    ...     print(str(error).split(" in ")[0])
    lr was 0.1
    """

    def __init__(self, folder, settings):
        self.folder = Path(folder)
        self.path = self.folder / NAME
        self.fixed, self.changing = {}, {}
        for key, value in settings.items():
            part = self.changing if may_change(key) else self.fixed
            part[key] = _lasting(key, value)

    def check(self):
        """Compares with what is recorded; writes nothing.

        Raises
        ------
        ChangedSettings
            If the folder's checkpoints come from other settings.
        ValueError
            If the record is damaged.
        """
        if not self._binds():
            return
        old, new = self._read()["fixed"], self.fixed
        absent = object()
        keys = [
            key
            for key in {**new, **old}
            if old.get(key, absent) != new.get(key, absent)
        ]
        if not keys:
            return
        key, *others = keys
        more = f" (and {', '.join(others[:3])} too)" if others else ""
        raise ChangedSettings(
            f"{key} was {_shown(old, key)} in the run of {self.folder} and is "
            f"{_shown(new, key)} now{more}: give what it was, or name another "
            "output_folder"
        )

    def write(self):
        """Records the settings; of those that may change, what has changed,
        with the epoch from which it holds."""
        content = {"fixed": self.fixed, "may_change": []}
        if self._binds():
            content = self._read()
        held = {}
        for entry in content["may_change"]:
            held.update(entry["settings"])
        gone = dict.fromkeys(held.keys() - self.changing.keys())
        changed = {
            key: value
            for key, value in {**self.changing, **gone}.items()
            if key not in held or held[key] != value
        }
        if changed:
            epoch = next_epoch(self.folder / "save")
            entry = {"from_epoch": epoch, "settings": changed}
            content["may_change"].append(entry)
        write_json(self.path, content)

    def _binds(self):
        """Whether there is a record, and what came of it."""
        came = (self.folder / "save").glob("CKPT+*")
        return self.path.exists() and any(came)

    def _read(self):
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            dict(content["fixed"])
            for entry in content["may_change"]:
                dict(entry["settings"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{self.path} is damaged; put it back, or name another "
                "output_folder"
            ) from error
        return content


def may_change(key):
    """Whether a setting may change while a run goes on.

    Arguments
    ---------
    key : str
        Its dotted key.

    Returns
    -------
    bool
        False if the run's result depends on it.

    Example
    -------
    >>> may_change("pesq_workers"), may_change("generator.channels")
    (True, False)
    """
    return any(fnmatchcase(key, pattern) for pattern in MAY_CHANGE)


def next_epoch(checkpoints_dir):
    """The epoch that a run begins or goes on with.

    Arguments
    ---------
    checkpoints_dir : str
        Where its checkpoints are.

    Returns
    -------
    int
        The unfinished one, or the one after the last.

    Example
    -------
    >>> next_epoch(getfixture("tmp_path"))
    1
    """
    counter = EpochCounter(0)
    reader = CheckpointReader(checkpoints_dir, {"epoch_counter": counter})
    newest = reader.find_checkpoint()
    if newest is not None:
        reader.load_checkpoint(newest)
    return counter.current + 1


def _lasting(key, value):
    """A value that is the same from wherever the run is started."""
    is_path = isinstance(value, str) and (
        key.endswith("_folder") or os.sep in value
    )
    if is_path and os.path.exists(value):
        return os.path.realpath(value)
    return value


def _shown(settings, key):
    return settings.get(key, "not set")
