"""What ``semamba evaluate`` says and writes."""

import math
from pathlib import Path

from speechbrain_semamba.evaluation.folder_scores import tell_cut
from speechbrain_semamba.evaluation.html_report import write_page
from speechbrain_semamba.evaluation.pesq_scores import PESQ_BANDS
from speechbrain_semamba.evaluation.reports import write_scores
from speechbrain_semamba.evaluation.summary import BASELINE, summarize
from speechbrain_semamba.evaluation.summary_text import markdown
from speechbrain_semamba.utils.messages import MAX_LISTED
from speechbrain_semamba.utils.whole_files import (
    check_file_name,
    write_json,
    write_text,
)


def summarize_folders(result):
    """The summary of an evaluation, with what was wrong with its files.

    Arguments
    ---------
    result : FolderScores
        Scores and all that has to be told with them.

    Returns
    -------
    dict
        That of ``summarize``, and ``sample_rate``, ``pesq_band``,
        ``missing``, ``broken``, ``cut``, ``words``.
    """
    return {
        "sample_rate": result.rate,
        "pesq_band": PESQ_BANDS.get(result.rate),
        **summarize(result.scores, kinds_of(result)),
        "missing": result.missing,
        "broken": {str(path): why for path, why in result.broken.items()},
        "cut": result.cut,
        "words": {k: _counts(found) for k, found in result.words.items()},
    }


def _counts(words):
    """Errors over all words of a kind, without those of each file."""
    counts = words._asdict()
    del counts["rates"]
    rate = counts.pop("rate")
    return {"rate": rate if math.isfinite(rate) else None, **counts}


def kinds_of(result):
    """The kinds that were scored, in the order in which they are shown.

    Arguments
    ---------
    result : FolderScores
        What came of an evaluation.

    Returns
    -------
    list of str
        Noisy ones first, if there are any, then the systems.
    """
    kinds = next(iter(result.scores.values()))
    return sorted(kinds, key=lambda kind: kind != BASELINE)


def tell_files(summary):
    """What has to be known of the files behind the scores.

    Arguments
    ---------
    summary : dict
        As ``summarize_folders`` makes it.

    Returns
    -------
    list of str
        Sentences.

    Example
    -------
    >>> summary = {"sample_rate": 8000, "pesq_band": "nb", "metrics": ["pesq"]}
    >>> summary.update(missing={"enhanced": ["b"]}, broken={}, cut={}, words={})
    >>> tell_files(summary)
    ['8 kHz: PESQ is narrow band, not to be compared with wide band', \
'missing among the enhanced files, so not scored: b']
    """
    notes = []
    if summary["pesq_band"] == "nb" and "pesq" in summary["metrics"]:
        notes.append(
            "8 kHz: PESQ is narrow band, not to be compared with wide band"
        )
    notes += [
        f"word error rate of {kind} files: {found['rate']:.1f} % of "
        f"{found['words']} words ({found['substitutions']} substituted, "
        f"{found['deletions']} deleted, {found['insertions']} inserted; upper "
        "case, no punctuation)"
        for kind, found in summary["words"].items()
        if found["rate"] is not None
    ]
    notes += [
        f"missing among the {kind} files, so not scored: {_few(names)}"
        for kind, names in summary["missing"].items()
        if names
    ]
    broken = [f"{path}: {why}" for path, why in summary["broken"].items()]
    if broken:
        notes.append(f"broken: {_few(broken)}")
    if summary["cut"]:
        notes.append(tell_cut(summary["cut"], summary["sample_rate"]))
    return notes


def text_of(summary):
    """All that is to be said of an evaluation.

    Arguments
    ---------
    summary : dict
        As ``summarize_folders`` makes it.

    Returns
    -------
    str
        Markdown.
    """
    return markdown(summary, tell_files(summary))


def write_folder(folder, result, summary):
    """Writes metrics.csv, summary.json, summary.md and report.html.

    Each is whole under its name; other files of the folder are left alone.

    Arguments
    ---------
    folder : str
        Where; it is made if need be.
    result : FolderScores
        What came of an evaluation.
    summary : dict
        As ``summarize_folders`` makes it.
    """
    folder = Path(folder)
    write_scores(folder / "metrics.csv", result.scores, kinds_of(result))
    write_json(folder / "summary.json", summary)
    write_text(folder / "summary.md", text_of(summary))
    write_page(folder / "report.html", result, summary, tell_files(summary))


def check_folder(folder):
    """Makes a folder, if need be, and looks whether it can be written to.

    Arguments
    ---------
    folder : str
        Where the files of a report are to be.

    Raises
    ------
    OSError
        If it is a file, or cannot be written to.

    Example
    -------
    >>> check_folder(getfixture("tmp_path") / "scores")
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file; name a folder")
    folder.mkdir(parents=True, exist_ok=True)
    check_file_name(folder / "report.html")


def _few(names):
    more = len(names) - MAX_LISTED
    return ", ".join(names[:MAX_LISTED]) + (f" and {more} more" * (more > 0))
