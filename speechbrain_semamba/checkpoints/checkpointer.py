"""Saves checkpoints whole, and deletes those that are not worth keeping."""

import logging
import math
import os
import re
import shutil
import time

from speechbrain.utils.checkpoints import (
    CKPT_PREFIX,
    Checkpoint,
    ckpt_recency,
)
from speechbrain.utils.distributed import ddp_barrier, if_main_process
from speechbrain.utils.logger import get_logger

from speechbrain_semamba.checkpoints.checkpoint_reader import CheckpointReader
from speechbrain_semamba.checkpoints.sums import find_meta_damage, seal, sync
from speechbrain_semamba.utils.distributed import call_on_main
from speechbrain_semamba.utils.messages import why_not_written

logger = get_logger(__name__)

# names that no listing takes for a checkpoint's; the next save empties them
PARTIAL = "partial"
DELETED = "deleted"


class WholeCheckpointer(CheckpointReader):
    """SpeechBrain's checkpointer, for runs that may be cut short anywhere.

    A checkpoint has its name only when all of it is on the disk, with the
    sizes and checksums of its files beside them in ``sums.json``; one that
    does not match them any more is passed over.

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
            reason = why_not_written(error)
            if reason is None:
                raise
            raise OSError(
                f"the checkpoint could not be written in "
                f"{self.checkpoints_dir}: {reason}; the earlier "
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
