"""What a run reports: mean losses, a table of scores, a file of scores."""

import csv
import os

import torch


def mean_losses(parts):
    """Means of loss parts over a stage; batches without a number are left out.

    Arguments
    ---------
    parts : list of dict
        For each batch its scalar tensors by name.

    Returns
    -------
    dict
        Floats by name.

    Example
    -------
    >>> mean_losses([{"time": torch.ones(())}, {"time": torch.zeros(())}])
    {'time': 0.5}
    """
    names = parts[0] if parts else ()
    return {
        n: torch.stack([p[n] for p in parts]).nanmean().item() for n in names
    }


def score_table(**rows):
    """Means of the scores, a line for each kind of wave.

    Arguments
    ---------
    **rows : dict
        For each kind, such as noisy and enhanced, its means by name. The
        names of the first kind are the columns.

    Returns
    -------
    str
        Lines of text.

    Example
    -------
    >>> print(score_table(noisy={"pesq": 1.5}, enhanced={"pesq": 2.25}))
                    pesq
    noisy          1.500
    enhanced       2.250
    """
    names = [k for k in next(iter(rows.values())) if "failed" not in k]
    lines = [" " * 10 + "".join(f"{name:>10}" for name in names)]
    for kind, means in rows.items():
        values = "".join(f"{means[name]:10.3f}" for name in names)
        lines.append(f"{kind:10}" + values)
    return "\n".join(lines)


def write_scores(path, **kinds):
    """Writes the scores of each file; the CSV is complete or not there.

    Arguments
    ---------
    path : str
        The CSV file to write.
    **kinds : dict
        For each kind, such as noisy and enhanced, the scores by name of
        each file, by the file's id.

    Example
    -------
    >>> path = getfixture("tmp_path") / "scores.csv"
    >>> write_scores(path, noisy={"a": {"pesq": 2.0}})
    >>> path.read_text().split()
    ['id,noisy_pesq', 'a,2.0000']
    """
    partial = f"{path}.part"
    with open(partial, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        first = next(iter(kinds.values()))
        columns = [(k, n) for k in kinds for n in next(iter(first.values()))]
        writer.writerow(["id"] + [f"{k}_{n}" for k, n in columns])
        for key in first:
            values = [kinds[k][key][n] for k, n in columns]
            writer.writerow([key] + [f"{v:.4f}" for v in values])
    os.replace(partial, path)
