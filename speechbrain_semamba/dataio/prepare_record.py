"""What a preparation remembers, so that it is not done in vain."""

import json
import logging
from pathlib import Path

from speechbrain_semamba.dataio.audio_folders import list_audio_files
from speechbrain_semamba.utils.whole_files import check_file_name, write_json

logger = logging.getLogger(__name__)


class PrepareRecord:
    """What a preparation did, so that it is not done again if nothing changed.

    It is kept in ``prepare_options.json``. Resampled files go into a folder
    beside it that is named after the rate, such as ``wav_16k``.

    Arguments
    ---------
    save_folder : str
        Holds both.
    outputs : list of str
        The files that the preparation writes.
    sample_rate : int
        Rate of the files that the manifests name, in Hz.

    Example
    -------
    >>> folder = getfixture("tmp_path")
    >>> write_json(folder / "train.json", {})
    >>> record = PrepareRecord(folder, [folder / "train.json"], 16000)
    >>> record.is_unchanged({"seed": 1})
    False
    >>> record.write({"seed": 1}, resampled=[])
    >>> record = PrepareRecord(folder, [folder / "train.json"], 16000)
    >>> record.is_unchanged({"seed": 1}), record.is_unchanged({"seed": 2})
    (True, False)
    """

    def __init__(self, save_folder, outputs, sample_rate):
        self.path = Path(save_folder) / "prepare_options.json"
        self.sample_rate = sample_rate
        self.wav_folder = self.path.parent / f"wav_{sample_rate / 1000:g}k"
        self.outputs = [Path(path) for path in outputs]
        self.content = _read_object(self.path)
        self.resampled = self.content.get("resampled", {})

    def prepare(self, root, look, make, skip_prep=False):
        """Has the outputs made, unless they are there and nothing changed.

        Arguments
        ---------
        root : pathlib.Path
            The data root, if nothing is resampled.
        look : callable
            Called without arguments, returns all that the outputs depend on,
            files included (``fingerprint``), as a dict for JSON.
        make : callable
            Called with what ``look`` returned; writes outputs and record and
            returns the data root.
        skip_prep : bool
            Whether to look at nothing but the existence of the outputs.

        Returns
        -------
        str
            The data root of the manifests.

        Raises
        ------
        FileNotFoundError
            If an output is missing under ``skip_prep``.
        OSError
            If the outputs cannot be written.
        """
        if skip_prep:
            self._check_outputs()
            return str(root)
        options = look()
        if self.is_unchanged(options):
            return str(root)
        for path in self.outputs:
            if path.parent.is_dir():
                check_file_name(path)
        return make(options)

    def _find_absent(self):
        return [str(path) for path in self.outputs if not path.is_file()]

    def _check_outputs(self):
        if absent := self._find_absent():
            raise FileNotFoundError(
                "skip_prep=True needs the manifests of an earlier run, but "
                f"there is no {', '.join(absent)}: run once with "
                "skip_prep=False."
            )

    def is_unchanged(self, options):
        """Whether options, outputs and resampled files are those recorded.

        Arguments
        ---------
        options : dict
            All that the outputs depend on, files included (``fingerprint``).

        Returns
        -------
        bool
            Whether there is nothing to do.
        """
        found = self._print_resampled(self.resampled)
        known = {**options, "resampled": found} == self.content
        if known and not self._find_absent():
            logger.info(
                "Skipping preparation, it was completed in a former run."
            )
            return True
        return False

    def forget(self):
        """Deletes the record, which must not vouch for changed files."""
        self.path.unlink(missing_ok=True)

    def write(self, options, resampled):
        """Writes the record, when all else is written.

        Arguments
        ---------
        options : dict
            As for ``is_unchanged``.
        resampled : list of str
            The sub-folders of ``wav_folder`` that the outputs refer to.
        """
        prints = self._print_resampled(resampled)
        write_json(self.path, {**options, "resampled": prints})

    def _print_resampled(self, names):
        return {name: fingerprint(self.wav_folder / name) for name in names}


def _read_object(path):
    """Returns a file's JSON object; an empty one if that is unreadable."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def fingerprint(folder):
    """Sums up a folder's audio files, to see later whether they changed.

    Arguments
    ---------
    folder : str
        Where they lie.

    Returns
    -------
    list of int
        Number of files, bytes, newest modification time.

    Example
    -------
    >>> fingerprint("absent")
    [0, 0, 0]
    """
    stats = [path.stat() for path in list_audio_files(folder)]
    size = sum(stat.st_size for stat in stats)
    newest = max((stat.st_mtime_ns for stat in stats), default=0)
    return [len(stats), size, newest]
