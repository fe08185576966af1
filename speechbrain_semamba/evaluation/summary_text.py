"""A summary as tables of text, which Markdown and HTML show alike."""

from typing import NamedTuple

from speechbrain_semamba.evaluation.metrics import COLUMNS

NOTHING = "–"
DIFFERENCES = (
    "Mean of the files' differences [its interval], p of no difference "
    "(paired bootstrap, two-sided, no correction for several tests); in how "
    "many files it is better, worse, the same."
)


class Table(NamedTuple):
    """Text in rows.

    Arguments
    ---------
    title : str
        A few words.
    note : str
        How to read it; may be empty.
    header : list of str
        Titles of the columns.
    rows : list of list of str
        What they hold.
    """

    title: str
    note: str
    header: list
    rows: list


def metric_title(name):
    """What to call a metric in a table.

    Arguments
    ---------
    name : str
        A key of ``COLUMNS``.

    Returns
    -------
    str
        With its unit, and an arrow where lower is better.

    Example
    -------
    >>> metric_title("pesq"), metric_title("ssnr"), metric_title("llr")
    ('pesq', 'ssnr (dB)', 'llr ↓')
    """
    row = COLUMNS[name]
    unit = f" ({row.unit})" if row.unit else ""
    return f"{name}{unit}{' ↓' if row.lower_is_better else ''}"


def summary_tables(summary):
    """The tables to show of a summary.

    Arguments
    ---------
    summary : dict
        As ``summarize`` makes it.

    Returns
    -------
    list of Table
        Scores, differences, buckets of SNR.

    Example
    -------
    >>> from speechbrain_semamba.evaluation.summary import summarize
    >>> scores = {"a": {"enhanced": {"pesq": 2.0}}}
    >>> summary_tables(summarize(scores, ["enhanced"]))[0].rows
    [['pesq', '2.000 ± – [2.000, 2.000]']]
    """
    found = [_score_table(summary)]
    for part in summary["differences"]:
        # said once
        note = DIFFERENCES if part is summary["differences"][0] else ""
        found.append(_difference_table(part, note))
    if "by_snr" in summary:
        found.append(_snr_table(summary))
    return found


def _score_table(summary):
    kinds, level = summary["scores"], summary["bootstrap"]["level"]
    return Table(
        f"Scores of {summary['files']} files",
        f"Mean ± standard deviation over files [{level} % interval of the "
        "mean, bootstrap over files]; ↓: lower is better.",
        ["", *kinds],
        [
            [metric_title(name), *(_mean(x[name]) for x in kinds.values())]
            for name in summary["metrics"]
        ],
    )


def _mean(found):
    if not found["files"]:
        return NOTHING
    std = _number(found["std"])
    return f"{found['mean']:.3f} ± {std} {_interval(found)}"


def _difference_table(part, note):
    rows = []
    for name, found in part["metrics"].items():
        difference = NOTHING
        if found["files"]:
            difference = f"{found['mean']:+.3f} {_interval(found, '+')}"
        counts = (str(found[key]) for key in ("better", "worse", "same"))
        p = NOTHING if found["p"] is None else f"{found['p']:.3f}"
        rows.append([metric_title(name), difference, p, *counts])
    return Table(
        f"{part['of']} minus {part['from']}",
        note,
        ["", "difference", "p", "better", "worse", "same"],
        rows,
    )


def _snr_table(summary):
    names = summary["metrics"]
    rows = [
        [part["snr"], str(part["files"]), kind]
        + [_number(means[name]) for name in names]
        for part in summary["by_snr"]
        for kind, means in part["means"].items()
    ]
    return Table(
        "Means by the SNR of the noisy file",
        "Against the clean file, in dB; the lower edge belongs to the row.",
        ["SNR (dB)", "files", "", *map(metric_title, names)],
        rows,
    )


def _number(value):
    return NOTHING if value is None else f"{value:.3f}"


def _interval(found, sign=""):
    return f"[{found['low']:{sign}.3f}, {found['high']:{sign}.3f}]"


def missing_scores(summary):
    """Which scores are missing, of how many files, and why.

    Arguments
    ---------
    summary : dict
        As ``summarize`` makes it.

    Returns
    -------
    list of str
        Sentences; none if no score is missing.

    Example
    -------
    >>> from speechbrain_semamba.evaluation.summary import summarize
    >>> from speechbrain_semamba.evaluation.unscorable import NoScore
    >>> none = NoScore("silence")
    >>> scores = {"a": {"noisy": {"pesq": none, "llr": none}}}
    >>> scores["a"]["enhanced"] = {"pesq": 1.5, "llr": 0.5}
    >>> missing_scores(summarize(scores, ["noisy", "enhanced"]))
    ['noisy: 1 of 1 files without pesq, llr: silence (1)']
    """
    lines = []
    for kind, columns in summary["scores"].items():
        alike = {}
        for name, found in columns.items():
            if found["without"]:
                counts = tuple(found["without"].items())
                alike.setdefault(counts, []).append(name)
        for counts, names in alike.items():
            lines.append(
                f"{kind}: {sum(n for _, n in counts)} of {summary['files']} "
                f"files without {', '.join(names)}: "
                + ", ".join(f"{reason} ({n})" for reason, n in counts)
            )
    return lines


def markdown(summary, notes=()):
    """A summary as Markdown whose columns stand in line.

    Arguments
    ---------
    summary : dict
        As ``summarize`` makes it.
    notes : list of str
        What else is to be said, a sentence each.

    Returns
    -------
    str
        Lines of text.

    Example
    -------
    >>> from speechbrain_semamba.evaluation.summary import summarize
    >>> summary = summarize({"a": {"enhanced": {"pesq": 2.0}}}, ["enhanced"])
    >>> print("\\n".join(markdown(summary, ["So."]).splitlines()[-5:]))
    |      | enhanced                 |
    |------|--------------------------|
    | pesq | 2.000 ± – [2.000, 2.000] |
    <BLANKLINE>
    - So.
    """
    parts = []
    for table in summary_tables(summary):
        parts += [f"## {table.title}", table.note, table_rows(table)]
    parts = [part for part in parts if part]
    notes = [*missing_scores(summary), *notes]
    if notes:
        parts.append("\n".join(f"- {note}" for note in notes))
    return "\n\n".join(parts) + "\n"


def table_rows(table):
    """A table in Markdown, whose columns stand in line.

    Arguments
    ---------
    table : Table
        Without its title and note.

    Returns
    -------
    str
        Lines of text.

    Example
    -------
    >>> print(table_rows(Table("", "", ["", "a"], [["pesq", "2.0"]])))
    |      | a   |
    |------|-----|
    | pesq | 2.0 |
    """
    rows = [[cell.replace("|", "\\|") for cell in row] for row in table.rows]
    widths = [max(map(len, column)) for column in zip(table.header, *rows)]
    lines = [
        "| " + " | ".join(map(str.ljust, row, widths)) + " |"
        for row in (table.header, *rows)
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
