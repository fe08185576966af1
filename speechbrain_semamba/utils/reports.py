"""What a run reports: a table of scores, a file of scores, its log."""

import csv
import os
from pathlib import Path

from speechbrain.utils.distributed import main_process_only


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
    noisy          1.500
    enhanced       2.250
    """
    names = [name for name in means[kinds[0]] if "failed" not in name]
    lines = [" " * 10 + "".join(f"{name:>10}" for name in names)]
    for kind in kinds:
        values = "".join(f"{means[kind][name]:10.3f}" for name in names)
        lines.append(f"{kind:10}" + values)
    return "\n".join(lines)


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
    partial = f"{path}.part"
    with open(partial, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id"] + [f"{kind}_{name}" for kind, name in columns])
        for key, values in scores.items():
            row = [f"{values[kind][name]:.4f}" for kind, name in columns]
            writer.writerow([key] + row)
    os.replace(partial, path)


@main_process_only
def drop_last_line(path, start):
    """Takes the last line off a log, if it starts so.

    A run that was killed between the log of an epoch and its checkpoint logs
    that epoch again.

    Arguments
    ---------
    path : str
        The log; it need not exist.
    start : str
        How the line starts, such as "epoch: 3,".

    Example
    -------
    >>> path = getfixture("tmp_path") / "log.txt"
    >>> _ = path.write_text("epoch: 1, a\\nepoch: 2, b\\n")
    >>> drop_last_line(path, "epoch: 1,")
    >>> drop_last_line(path, "epoch: 2,")
    >>> path.read_text()
    'epoch: 1, a\\n'
    """
    path = Path(path)
    lines = path.read_text().splitlines(True) if path.is_file() else []
    if lines and lines[-1].startswith(start):
        partial = path.with_name(f".{path.name}.part")
        partial.write_text("".join(lines[:-1]))
        os.replace(partial, path)
