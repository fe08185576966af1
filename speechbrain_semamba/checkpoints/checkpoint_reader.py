"""Finds checkpoints that are whole, and recovers from the best of them."""

import pickle

from speechbrain.utils.checkpoints import (
    CKPT_PREFIX,
    PARAMFILE_EXT,
    Checkpointer,
)
from speechbrain.utils.distributed import if_main_process
from speechbrain.utils.logger import get_logger

from speechbrain_semamba.checkpoints.sums import SUMS, find_damage
from speechbrain_semamba.utils.distributed import call_on_main
from speechbrain_semamba.utils.messages import why_not_loaded

logger = get_logger(__name__)


class UnfitCheckpoint(ValueError):
    """A checkpoint that cannot be gone on from, such as one of another
    configuration."""


class CheckpointReader(Checkpointer):
    """SpeechBrain's checkpointer, which lists none that is damaged.

    A checkpoint that does not match its ``sums.json`` is left out of every
    listing, with a warning, and stays where it is. One of SpeechBrain's own
    checkpointer has no checksums; it counts as whole if it has all files that
    are asked for.

    In a distributed run the main process alone chooses, in a folder that all
    processes see.

    Arguments
    ---------
    checkpoints_dir : str
        Where they are.
    recoverables : mapping
        What is recovered, by name.
    custom_load_hooks : mapping
        As in ``Checkpointer``.
    custom_save_hooks : mapping
        As in ``Checkpointer``.
    allow_partial_load : bool
        As in ``Checkpointer``.

    Example
    -------
    >>> reader = CheckpointReader(getfixture("tmp_path"))
    >>> reader.recover_if_possible() is None
    True
    """

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
        except (EOFError, pickle.UnpicklingError) as error:
            raise UnfitCheckpoint(
                f"{checkpoint.path} is damaged, {why_not_loaded(error)}; "
                "remove it, and the run goes on from one before it"
            ) from error
        except (RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())
        raise UnfitCheckpoint(
            f"{checkpoint.path} was saved with other options, {reason}; give "
            "the same ones, or name another output_folder"
        )

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
