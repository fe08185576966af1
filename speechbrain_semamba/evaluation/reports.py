"""What a run reports: the scores of each file, their summary, its log."""

import csv
import io
import math
import re
from pathlib import Path

from speechbrain.utils.distributed import main_process_only

from speechbrain_semamba.evaluation.summary import BASELINE, summarize
from speechbrain_semamba.evaluation.summary_text import markdown
from speechbrain_semamba.utils.whole_files import write_text


@main_process_only
def publish(path, scores, kinds=("noisy", "enhanced")):
    """Writes the scores of each file; prints what is to be said of them.

    Arguments
    ---------
    path : str
        The CSV file to write.
    scores : dict
        For each file's id its scores by kind.
    kinds : list of str
        The kinds to show, in order.
    """
    write_scores(path, scores, kinds)
    print(markdown(summarize(scores, kinds)), end="")


def write_scores(path, scores, kinds):
    """Writes the scores of each file; the CSV is complete or not there.

    Arguments
    ---------
    path : str
        The CSV file to write.
    scores : dict
        For each file's id its scores by kind, each a dict by name.
    kinds : list of str
        The kinds to write, named as ``score_columns`` says.

    Example
    -------
    >>> path = getfixture("tmp_path") / "scores.csv"
    >>> file = {"noisy": {"pesq": 2.0}, "enhanced": {"pesq": 2.5}}
    >>> write_scores(path, {"a": file}, ["noisy", "enhanced"])
    >>> path.read_text().split()
    ['file,pesq,noisy_pesq', 'a,2.5000,2.0000']
    """
    columns = score_columns(scores, kinds)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", *columns])
    for key, values in scores.items():
        row = [
            f"{values[kind].get(name, math.nan):.4f}"
            for kind, name in columns.values()
        ]
        writer.writerow([key] + row)
    write_text(path, text.getvalue())


def read_scores(path):
    """Reads what ``write_scores`` wrote of noisy and enhanced files.

    Arguments
    ---------
    path : str
        The CSV file.

    Returns
    -------
    dict
        For each file's id its scores by kind, each a dict by name.

    Raises
    ------
    ValueError
        If there is something else than a number.

    Example
    -------
    >>> path = getfixture("tmp_path") / "scores.csv"
    >>> scores = {"a": {"noisy": {"pesq": 2.0}, "enhanced": {"pesq": 2.5}}}
    >>> write_scores(path, scores, ["noisy", "enhanced"])
    >>> read_scores(path) == scores
    True
    """
    scores, noisy = {}, f"{BASELINE}_"
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file, restval=""):
            kinds = scores.setdefault(row.pop("file"), {})
            for column, value in row.items():
                is_noisy = column.startswith(noisy)
                kind = kinds.setdefault(
                    BASELINE if is_noisy else "enhanced", {}
                )
                name = column[len(noisy) :] if is_noisy else column
                kind[name] = float(value)
    return scores


def score_columns(scores, kinds):
    """The columns of a table of files: noisy ones come last.

    Arguments
    ---------
    scores : dict
        For each file's id its scores by kind, each a dict by name.
    kinds : list of str
        The kinds to show.

    Returns
    -------
    dict
        Kind and name of the score, by the column's title: the name, with
        the kind before it unless that is "enhanced".

    Example
    -------
    >>> file = {"noisy": {"pesq": 2.0}, "enhanced": {"pesq": 2.5}}
    >>> score_columns({"a": file}, ["noisy", "enhanced"])
    {'pesq': ('enhanced', 'pesq'), 'noisy_pesq': ('noisy', 'pesq')}
    """
    columns = {}
    for kind in sorted(kinds, key=lambda kind: kind == BASELINE):
        prefix = "" if kind == "enhanced" else f"{kind}_"
        # a file that cannot be read has fewer scores than others
        for file in scores.values():
            columns.update({f"{prefix}{n}": (kind, n) for n in file[kind]})
    return columns


def log_stats(train_logger, meta, **stats):
    """Logs an epoch once, although a run may have logged it before.

    A run that was killed after it had logged an epoch, but before it had saved
    its checkpoint, comes to the same place again.

    Arguments
    ---------
    train_logger : speechbrain.utils.train_logger.FileTrainLogger
        The log. If its last line starts with the first of ``meta``, that line
        is replaced.
    meta : dict
        What the line is of, such as the epoch, by name.
    **stats : dict
        As in ``log_stats`` of the logger.

    Example
    -------
    >>> from speechbrain.utils.train_logger import FileTrainLogger
    >>> logger = FileTrainLogger(getfixture("tmp_path") / "log.txt")
    >>> for epoch, loss in ((1, 3.0), (2, 2.0), (2, 2.0)):
    ...     log_stats(logger, {"epoch": epoch}, train_stats={"loss": loss})
    >>> print(Path(logger.save_file).read_text().strip())
    epoch: 1 - train loss: 3.00
    epoch: 2 - train loss: 2.00
    """
    name, value = next(iter(meta.items()))
    _drop_last_line(train_logger.save_file, f"{name}: {value}")
    train_logger.log_stats(meta, **stats)


@main_process_only
def _drop_last_line(path, start):
    path = Path(path)
    lines = path.read_text().splitlines(True) if path.is_file() else []
    if lines and re.match(re.escape(start) + "[, ]", lines[-1]):
        write_text(path, "".join(lines[:-1]))
