"""Checkpoints that are whole, or passed over."""

import logging
import math
import os
import re
import shutil
import time

from speechbrain.utils.checkpoints import (
    CKPT_PREFIX,
    PARAMFILE_EXT,
    Checkpoint,
    Checkpointer,
    ckpt_recency,
)
from speechbrain.utils.distributed import (
    ddp_barrier,
    if_main_process,
)
from speechbrain.utils.logger import get_logger

from speechbrain_semamba.checkpoints.sums import (
    SUMS,
    find_damage,
    find_meta_damage,
    seal,
    sync,
)
from speechbrain_semamba.utils.distributed import call_on_main
from speechbrain_semamba.utils.messages import first_line

logger = get_logger(__name__)

# names that no listing takes for a checkpoint's; the next save empties them
PARTIAL = "partial"
DELETED = "deleted"

# what torch.save says, without an error number, when it cannot write
TORCH_WRITES = re.compile(
    "iostream|inline_container|PytorchStreamWriter|Parent directory"
)


class UnfitCheckpoint(ValueError):
    """A whole checkpoint that is not one of this configuration."""


class WholeCheckpointer(Checkpointer):
    """SpeechBrain's checkpointer, for runs that may be cut short anywhere.

    A checkpoint has its name only when all of it is on the disk, with the
    sizes and checksums of its files beside them in ``sums.json``. One that
    does not match them any more is left out of every listing, with a warning,
    and stays where it is. A checkpoint of SpeechBrain's own checkpointer has
    no checksums; it counts as whole if it has all files that are asked for.

    In a distributed run the main process alone saves, chooses and deletes,
    in a folder that all processes see; an error there is raised on all.
    Objects whose state must be gathered from several processes to be saved
    (FSDP) are not for this class.

    Arguments
    ---------
    checkpoints_dir : str
        Where they are saved.
    recoverables : mapping
        What is saved, by name.
    custom_load_hooks : mapping
        As in ``Checkpointer``.
    custom_save_hooks : mapping
        As in ``Checkpointer``; they are called on the main process.
    allow_partial_load : bool
        As in ``Checkpointer``.

    Example
    -------
    >>> import torch
    >>> model = torch.nn.Linear(1, 1)
    >>> folder = getfixture("tmp_path")
    >>> checkpointer = WholeCheckpointer(folder, {"model": model})
    >>> first = checkpointer.save_checkpoint(meta={"epoch": 1})
    >>> second = checkpointer.save_checkpoint(meta={"epoch": 2})
    >>> _ = second.paramfiles["model"].write_bytes(b"")
    >>> checkpointer.recover_if_possible().meta["epoch"]
    1
    """

    def save_checkpoint(
        self, meta=None, end_of_epoch=True, name=None, verbosity=logging.INFO
    ):
        """Saves a checkpoint; it has its name only when it is complete.

        Arguments
        ---------
        meta : mapping
            Plain numbers and text to keep with it.
        end_of_epoch : bool
            Whether it is one of an epoch's end.
        name : str
            Its name after ``CKPT+``, the time by default. A checkpoint that
            has this name already is replaced.
        verbosity : int
            Level of the log message.

        Returns
        -------
        Checkpoint
            On the main process; None on the others.

        Raises
        ------
        OSError
            If it cannot be written, on all processes.
        ValueError
            If ``meta`` holds more than plain numbers and text.
        """
        saved = call_on_main(self._save, meta or {}, end_of_epoch, name)
        if not if_main_process():
            return None
        kind = "end-of-epoch" if end_of_epoch else "intra-epoch"
        logger.log(verbosity, f"Saved an {kind} checkpoint in {saved.path}")
        return saved

    def recover_if_possible(
        self,
        importance_key=None,
        max_key=None,
        min_key=None,
        ckpt_predicate=None,
    ):
        """Recovers from the best whole checkpoint, the same on all processes.

        Arguments
        ---------
        importance_key : callable
            As in ``find_checkpoint``.
        max_key : str
            As in ``find_checkpoint``.
        min_key : str
            As in ``find_checkpoint``.
        ckpt_predicate : callable
            As in ``find_checkpoint``.

        Returns
        -------
        Checkpoint
            None if there is none.

        Raises
        ------
        UnfitCheckpoint
            If it is not one of these recoverables.
        """
        chosen = call_on_main(
            self.find_checkpoint,
            importance_key,
            max_key,
            min_key,
            ckpt_predicate,
        )
        if chosen is not None:
            self._load_what_fits(chosen)
        elif if_main_process() and self._candidates():
            logger.warning(
                f"None of the checkpoints in {self.checkpoints_dir} is whole "
                "and as asked for; nothing is recovered"
            )
        else:
            logger.info("Would load a checkpoint here, but none found yet.")
        return chosen

    def _load_what_fits(self, checkpoint):
        """Loads a checkpoint, unless it is one of another configuration."""
        lacks = self._lacks(checkpoint.paramfiles)
        reason = f"it lacks {', '.join(lacks)}"
        try:
            if not lacks:
                self.load_checkpoint(checkpoint)
                return
        except (RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())
        raise UnfitCheckpoint(
            f"{checkpoint.path} was saved with other options, {reason}; give "
            "the same ones, or name another output_folder"
        )

    def delete_checkpoints(
        self,
        *,
        num_to_keep=1,
        min_keys=None,
        max_keys=None,
        importance_keys=(ckpt_recency,),
        ckpt_predicate=None,
        verbosity=logging.INFO,
    ):
        """Deletes the least important checkpoints, but none that is damaged.

        Arguments
        ---------
        num_to_keep : int
            Number of checkpoints to keep by each key.
        min_keys : list of str
            Keys of the meta of which the lowest values are kept.
        max_keys : list of str
            Keys of the meta of which the highest values are kept.
        importance_keys : list of callable
            Those with the highest values of these functions are kept.
        ckpt_predicate : callable
            Tells which checkpoints may be deleted at all.
        verbosity : int
            Level of the log messages.

        Raises
        ------
        ValueError
            If ``num_to_keep`` is negative.
        """
        if num_to_keep < 0:
            raise ValueError(
                f"num_to_keep must be 0 or more, got {num_to_keep}; "
                "0 deletes all"
            )
        keys = [{"min_key": key} for key in min_keys or []]
        keys += [{"max_key": key} for key in max_keys or []]
        # once each: SpeechBrain's default list gets longer with every save
        keys += [{"importance_key": k} for k in dict.fromkeys(importance_keys)]
        # another process may still read what is deleted here
        ddp_barrier()
        call_on_main(
            self._delete_others, num_to_keep, keys, ckpt_predicate, verbosity
        )

    def _save(self, meta, end_of_epoch, name):
        """Writes a checkpoint, and removes what it wrote if that fails."""
        partial = self._new_checkpoint_dirpath()
        try:
            for leftover in (partial, self.checkpoints_dir / DELETED):
                if leftover.exists():
                    shutil.rmtree(leftover)
            meta = {"unixtime": self._later_than_all(), **meta}
            # SpeechBrain would log the name that is not the final one
            saved = super().save_checkpoint(
                meta, end_of_epoch, verbosity=logging.NOTSET
            )
            if find_meta_damage(partial) is not None:
                raise ValueError(
                    "a checkpoint's meta must be plain numbers and text, "
                    f"{meta} would not be read again; convert it first"
                )
            seal(partial)
            final = self._publish(partial, name)
        except BaseException as error:
            shutil.rmtree(partial, ignore_errors=True)
            if not _failed_to_write(error):
                raise
            raise OSError(
                f"the checkpoint could not be written in "
                f"{self.checkpoints_dir}: {_reason(error)}; the earlier "
                "ones are whole: make room or mend the folder, and the same "
                "command goes on from the newest of them"
            ) from error
        files = {
            key: final / file.name for key, file in saved.paramfiles.items()
        }
        return Checkpoint(final, saved.meta, files)

    def _new_checkpoint_dirpath(self):
        """Where SpeechBrain writes; the name comes when all is there."""
        return self.checkpoints_dir / PARTIAL

    def _later_than_all(self):
        """The time, or just after the newest if the clock was set back."""
        times = [ckpt_recency(ckpt) for ckpt in self.list_checkpoints()]
        newest = max(times, default=0.0)
        return max(time.time(), math.nextafter(newest, math.inf))

    def _publish(self, partial, name):
        """Gives a complete checkpoint its name."""
        if name is None:
            final = self._next_name()
        else:
            final = self._custom_checkpoint_dirpath(name)
        # at no moment is the one to replace without a name that is listed
        replaced = final.with_name(f"{final.name}+replaced")
        if final.exists():
            if replaced.exists():
                self._remove(replaced)
            os.rename(final, replaced)
        os.rename(partial, final)
        sync(self.checkpoints_dir)
        if replaced.exists():
            self._remove(replaced)
        return final

    def _next_name(self):
        """A name by the time, which sorts after all that are there."""
        form = re.compile(
            rf"{CKPT_PREFIX}\+(\d{{4}}(?:-\d\d){{2}}\+\d\d(?:-\d\d){{2}})"
            r"\+(\d+)"
        )
        names = [form.fullmatch(p.name) for p in self.checkpoints_dir.iterdir()]
        stamps = [(found[1], int(found[2])) for found in names if found]
        stamp, number = time.strftime("%Y-%m-%d+%H-%M-%S"), 0
        if stamps and stamp <= max(stamps)[0]:
            stamp, number = max(stamps)
            number += 1
        return self.checkpoints_dir / f"{CKPT_PREFIX}+{stamp}+{number:02d}"

    def _remove(self, folder):
        """Deletes a checkpoint; cut short, it leaves no half one listed."""
        deleted = self.checkpoints_dir / DELETED
        if deleted.exists():
            shutil.rmtree(deleted)
        os.rename(folder, deleted)
        shutil.rmtree(deleted)

    def _delete_others(self, num_to_keep, keys, ckpt_predicate, verbosity):
        """Deletes those that are not among the first by any key."""
        found, kept = set(), set()
        for key in keys:
            ranked = self.find_checkpoints(ckpt_predicate=ckpt_predicate, **key)
            found.update(ckpt.path for ckpt in ranked)
            kept.update(ckpt.path for ckpt in ranked[:num_to_keep])
        for path in found - kept:
            self._remove(path)
            logger.log(verbosity, f"Deleted checkpoint in {path}")

    def _candidates(self):
        """All folders that are, were or should have been checkpoints."""
        return [
            path
            for path in sorted(self.checkpoints_dir.iterdir())
            if self._is_checkpoint_dir(path)
            or path.is_dir()
            and path.name.startswith(f"{CKPT_PREFIX}+")
        ]

    def _list_checkpoint_dirs(self):
        """The folders of the whole checkpoints."""
        return [path for path in self._candidates() if self._is_whole(path)]

    def _is_whole(self, folder):
        """Whether a checkpoint can be used; says once why not."""
        reason = find_damage(folder) or self._lacking(folder)
        # another process may have deleted it meanwhile
        if reason is not None and folder.is_dir():
            logger.warning_once(
                f"{folder} is damaged: {reason}; it is passed over"
            )
        return reason is None

    def _lacking(self, folder):
        """Which file a checkpoint without checksums should have, but has not."""
        if (folder / SUMS).exists():
            return None
        files = {file.stem for file in folder.glob(f"*{PARAMFILE_EXT}")}
        lacks = self._lacks(files)
        return f"{lacks[0]}{PARAMFILE_EXT} is missing" if lacks else None

    def _lacks(self, names):
        """What is to be recovered, but is not among the names of files.

        SpeechBrain itself can load one without the state of a data loader.
        """
        if self.allow_partial_load:
            return []
        optional = self.optional_recoverables
        return [
            name
            for name in self.recoverables
            if name not in names
            and not (optional.get(name) or "dataloader" in name)
        ]


def _failed_to_write(error):
    return isinstance(error, OSError) or (
        isinstance(error, RuntimeError) and TORCH_WRITES.search(str(error))
    )


def _reason(error):
    """Why a checkpoint could not be written, in a line."""
    if isinstance(error, OSError):
        return first_line(error)
    return f"torch.save failed to write a file ({first_line(error)})"
