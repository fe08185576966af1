"""The log of a training run, read as numbers."""

import re
from pathlib import Path
from typing import NamedTuple

#: Of the recipe's output folder
NAME = "train_log.txt"
#: What a line is of. The last one counts: a line may begin with what is left
#: of an earlier one that was cut off.
START = re.compile(r"epoch( loaded)?: (\d+)(?=[, ])")


class TrainLog(NamedTuple):
    """What a run has logged.

    Arguments
    ---------
    epochs : dict
        For each finished epoch, in order, its numbers by name: "lr",
        "train loss", "valid pesq" and so on.
    tests : list of tuple
        For each test the epoch whose checkpoint was tested, and its numbers.
    """

    epochs: dict
    tests: list


def read_train_log(path):
    """Reads what SpeechBrain's ``FileTrainLogger`` wrote.

    A line that was cut off counts as not written. Where a run has gone back
    to an earlier checkpoint, what it had logged after that is forgotten.

    Arguments
    ---------
    path : str
        The log.

    Returns
    -------
    TrainLog
        Without what is no number.

    Raises
    ------
    OSError
        If it cannot be read.

    Example
    -------
    >>> path = getfixture("tmp_path") / "train_log.txt"
    >>> _ = path.write_text("epoch: 1, lr: 1.00e-03 - train loss: 1.25\\nepo")
    >>> read_train_log(path)
    TrainLog(epochs={1: {'lr': 0.001, 'train loss': 1.25}}, tests=[])
    """
    text = Path(path).read_text(encoding="utf-8", errors="replace")
    log = TrainLog({}, [])
    for line in text.split("\n")[:-1]:
        starts = list(START.finditer(line))
        if not starts:
            continue
        loaded, epoch = starts[-1].groups()
        values = _numbers(line[starts[-1].end() :])
        if loaded:
            log.tests.append((int(epoch), values))
            continue
        for later in [e for e in log.epochs if e >= int(epoch)]:
            del log.epochs[later]
        log.epochs[int(epoch)] = values
    return log


def _numbers(text):
    found = {}
    for item in re.split(", | - ", text):
        name, _, value = item.rpartition(": ")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            continue
    found.pop("", None)
    return found
