"""A page of scores to look at and listen to, in one file.

It needs no network: pictures and sounds are in the page.
"""

import base64
import io
import math
from pathlib import Path

import soundfile

from speechbrain_semamba.evaluation import charts
from speechbrain_semamba.evaluation.aligned_files import read_aligned
from speechbrain_semamba.evaluation.figures import DOTS, spectrogram_figure
from speechbrain_semamba.evaluation.metrics import COLUMNS
from speechbrain_semamba.evaluation.reports import score_columns
from speechbrain_semamba.evaluation.summary import BASELINE
from speechbrain_semamba.evaluation.summary_text import (
    NOTHING,
    missing_scores,
    summary_tables,
)
from speechbrain_semamba.evaluation.unscorable import reason_of
from speechbrain_semamba.utils.extras import import_extra
from speechbrain_semamba.utils.progress import progress_bar
from speechbrain_semamba.utils.whole_files import write_text

PAGE = Path(__file__).with_name("page")
#: Files to hear and see, of the best and of the worst
EXAMPLES = 10
#: What makes a file the best, if it was computed
RANKING = "pesq", "ovrl"
#: Of each of them, so that the page stays small enough for a phone
SECONDS = 10


def check_extras():
    """Whether all is installed that the page needs.

    Raises
    ------
    ImportError
        If not; names the extra.

    Example
    -------
    >>> check_extras()
    """
    for name in ("jinja2", "matplotlib"):
        import_extra(name, "Reports", "eval")


def write_page(path, result, summary, notes):
    """Writes the page.

    Arguments
    ---------
    path : str
        The HTML file.
    result : FolderScores
        What came of an evaluation.
    summary : dict
        As ``summarize`` makes it.
    notes : list of str
        What has to be known of the files.
    """
    jinja2 = import_extra("jinja2", "Reports", "eval")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PAGE),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    kinds = list(summary["scores"])
    known = [name for name in RANKING if name in summary["metrics"]]
    ranking = (known or summary["metrics"])[0]
    best, worst = extremes(result.scores, systems_of(kinds)[0], ranking)
    page = environment.get_template("report.html").render(
        tables=summary_tables(summary),
        notes=[*missing_scores(summary), *notes],
        header=list(score_columns(result.scores, kinds)),
        rows=_rows(result.scores, kinds),
        charts=_charts(result.scores, kinds, summary["metrics"], ranking),
        ranking=ranking,
        system=systems_of(kinds)[0],
        seconds=SECONDS,
        examples=_examples(result, kinds, best, worst),
    )
    write_text(path, page)


def systems_of(kinds):
    """The kinds that are not noisy files.

    Arguments
    ---------
    kinds : list of str
        Kinds of scores.

    Returns
    -------
    list of str
        Those of systems, in order.

    Example
    -------
    >>> systems_of(["noisy", "enhanced"])
    ['enhanced']
    """
    return [kind for kind in kinds if kind != BASELINE]


def extremes(scores, kind, name, count=EXAMPLES):
    """The files with the best scores and those with the worst.

    Arguments
    ---------
    scores : dict
        For each file's name its scores by kind.
    kind : str
        The kind to rank.
    name : str
        The score to rank by.
    count : int
        Of each at most; no file is in both.

    Returns
    -------
    best : list of str
        From the best on.
    worst : list of str
        From the worst on.

    Example
    -------
    >>> scores = {n: {"enhanced": {"pesq": i}} for i, n in enumerate("abc")}
    >>> extremes(scores, "enhanced", "pesq")
    (['c', 'b'], ['a'])
    """
    sign = 1 if COLUMNS[name].lower_is_better else -1
    scored = {key: sign * file[kind][name] for key, file in scores.items()}
    known = [key for key in scored if math.isfinite(scored[key])]
    ranked = sorted(known, key=scored.get)
    best = ranked[: min(count, (len(ranked) + 1) // 2)]
    rest = ranked[len(best) :]
    return best, rest[: -count - 1 : -1]


def _rows(scores, kinds):
    """For each file its name, and text and reason of each score."""
    columns = score_columns(scores, kinds).values()
    rows = {}
    for key, file in scores.items():
        values = [file[kind].get(name, math.nan) for kind, name in columns]
        reasons = [reason_of(value) for value in values]
        rows[key] = [
            (NOTHING if reason else f"{value:.3f}", reason)
            for value, reason in zip(values, reasons)
        ]
    return rows


def _charts(scores, kinds, metrics, ranking):
    """Data URIs of pictures, with what each shows."""
    columns = {
        name: {kind: [f[kind][name] for f in scores.values()] for kind in kinds}
        for name in metrics
    }
    found = []
    if len(kinds) > 1:
        first, *others = columns[ranking].items()
        for other in others:
            title = f"{ranking}: {other[0]} over {first[0]}"
            found.append((title, charts.scatter(ranking, first, other)))
    for name in metrics:
        found.append(
            (f"files by {name}", charts.histogram(name, columns[name]))
        )
    return [(title, _picture(figure)) for title, figure in found]


def _examples(result, kinds, best, worst):
    """Title, name, picture, sounds and scores of files to look into."""
    groups = [("Best", name) for name in best]
    groups += [("Worst", name) for name in worst]
    for group, name in progress_bar(groups, "Drawing", delay=1):
        paths = result.files[name]
        order = [kind for kind in (*kinds, "clean") if kind in paths]
        waves, *_ = read_aligned({kind: paths[kind] for kind in order})
        yield {
            "group": group,
            "name": name,
            "whole": len(next(iter(waves.values()))) / result.rate,
            **_look_and_listen(waves, result.rate),
        }


def _look_and_listen(waves, rate):
    # what is not finite can be neither drawn nor heard
    waves = {
        kind: wave[: SECONDS * rate].nan_to_num(0, 0, 0)
        for kind, wave in waves.items()
    }
    # one gain for all, so that a system's loudness is heard
    peak = max(wave.abs().max().item() for wave in waves.values())
    gain = 1 / max(1, peak)
    return {
        # as PNG five times as large: noise cannot be compressed
        "picture": _picture(spectrogram_figure(waves, rate), "jpeg"),
        "sounds": {k: _sound(gain * wave, rate) for k, wave in waves.items()},
    }


def _picture(figure, kind="png"):
    file = io.BytesIO()
    figure.savefig(file, format=kind, dpi=DOTS)
    return _data_uri(f"image/{kind}", file)


def _sound(wave, rate):
    file = io.BytesIO()
    soundfile.write(file, wave.numpy(), rate, "PCM_16", format="FLAC")
    return _data_uri("audio/flac", file)


def _data_uri(kind, file):
    text = base64.b64encode(file.getvalue()).decode()
    return f"data:{kind};base64,{text}"
