"""What a run reports: a table of scores, a file of scores, its log."""

import csv
import io
import re
from collections import Counter
from pathlib import Path

from speechbrain.utils.distributed import main_process_only

from speechbrain_semamba.evaluation.unscorable import reason_of
from speechbrain_semamba.utils.whole_files import write_text


def score_table(means, kinds=("noisy", "enhanced")):
    """Means of the scores, a line for each kind of wave.

    Arguments
    ---------
    means : dict
        For each kind of wave its means by name. The names of the first kind
        are the columns.
    kinds : list of str
        The kinds to show, in order.

    Returns
    -------
    str
        Lines of text.

    Example
    -------
    >>> print(score_table({"noisy": {"pesq": 1.5}, "enhanced": {"pesq": 2.25}}))
                pesq
    noisy      1.500
    enhanced   2.250
    """
    names = [name for name in means[kinds[0]] if "failed" not in name]
    first = max(map(len, kinds))
    lines = [" " * first + "".join(f"{name:>8}" for name in names)]
    for kind in kinds:
        values = "".join(f"{means[kind][name]:8.3f}" for name in names)
        lines.append(f"{kind:{first}}" + values)
    return "\n".join(lines)


def missing_scores(scores, kinds=("noisy", "enhanced")):
    """Which scores are missing, of how many files, and why.

    Arguments
    ---------
    scores : dict
        For each file's id its scores by kind, each a dict by name.
    kinds : list of str
        The kinds to look at, in order.

    Returns
    -------
    list of str
        Lines of text; none if no score is missing.

    Example
    -------
    >>> from speechbrain_semamba.evaluation.unscorable import NoScore
    >>> none = NoScore("silence")
    >>> missing_scores({"a": {"noisy": {"pesq": none, "llr": none}}}, ["noisy"])
    ['noisy: 1 of 1 files without pesq, llr: silence (1)']
    """
    lines = []
    for kind in kinds:
        names = {}
        for name in next(iter(scores.values()), {}).get(kind, ()):
            reasons = (reason_of(file[kind][name]) for file in scores.values())
            counts = Counter(filter(None, reasons)).most_common()
            if counts:
                names.setdefault(tuple(counts), []).append(name)
        for counts, alike in names.items():
            lines.append(
                f"{kind}: {sum(n for _, n in counts)} of {len(scores)} files "
                f"without {', '.join(alike)}: "
                + ", ".join(f"{reason} ({n})" for reason, n in counts)
            )
    return lines


@main_process_only
def publish(path, means, scores):
    """Writes the scores of each file; prints their means and what is missing.

    Arguments
    ---------
    path : str
        The CSV file to write.
    means : dict
        For each kind of wave its means by name.
    scores : dict
        For each file's id its scores by kind.
    """
    write_scores(path, scores)
    print("\n".join([score_table(means), *missing_scores(scores)]))


def write_scores(path, scores, kinds=("noisy", "enhanced")):
    """Writes the scores of each file; the CSV is complete or not there.

    Arguments
    ---------
    path : str
        The CSV file to write.
    scores : dict
        For each file's id its scores by kind, each a dict by name.
    kinds : list of str
        The kinds to write, in order.

    Example
    -------
    >>> path = getfixture("tmp_path") / "scores.csv"
    >>> write_scores(path, {"a": {"noisy": {"pesq": 2.0}}}, ["noisy"])
    >>> path.read_text().split()
    ['id,noisy_pesq', 'a,2.0000']
    """
    first = next(iter(scores.values()))
    columns = [(kind, name) for kind in kinds for name in first[kind]]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id"] + [f"{kind}_{name}" for kind, name in columns])
    for key, values in scores.items():
        row = [f"{values[kind][name]:.4f}" for kind, name in columns]
        writer.writerow([key] + row)
    write_text(path, text.getvalue())


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
