"""What is said of the scores of many files, in numbers."""

import math

from speechbrain_semamba.evaluation import tables
from speechbrain_semamba.evaluation.metrics import COLUMNS, mean_scores

#: What a system is to improve on
BASELINE = "noisy"


def summarize(scores, kinds):
    """Statistics of each score, differences of systems, buckets of SNR.

    Arguments
    ---------
    scores : dict
        For each file's name its scores by kind, each a dict by name.
    kinds : list of str
        The kinds to show, in order. "noisy" is what the others are to
        improve on. Of several others the first is what the rest are
        compared with.

    Returns
    -------
    dict
        Of what JSON holds: ``files``, ``metrics``, ``bootstrap``, ``scores``
        (see ``tables.describe``) by kind and metric, ``differences`` (see
        ``tables.compare``), and ``by_snr`` if the SNR of noisy files is known.

    Example
    -------
    >>> scores = {"a": {"noisy": {"pesq": 1.5}, "enhanced": {"pesq": 2.0}}}
    >>> found = summarize(scores, ["noisy", "enhanced"])
    >>> found["scores"]["enhanced"]["pesq"]["mean"]
    2.0
    >>> found["differences"][0]["metrics"]["pesq"]["mean"]
    0.5
    """
    systems = [kind for kind in kinds if kind != BASELINE]
    first = next(iter(scores.values()), {}).get(systems[0], ())
    metrics = [name for name in COLUMNS if name in first]
    columns = {
        kind: {
            name: [file[kind][name] for file in scores.values()]
            for name in metrics
        }
        for kind in kinds
    }
    compared = [(kind, BASELINE) for kind in systems if BASELINE in kinds]
    compared += [(kind, systems[0]) for kind in systems[1:]]
    summary = {
        "files": len(scores),
        "metrics": metrics,
        "bootstrap": {
            "draws": tables.DRAWS,
            "seed": tables.SEED,
            "level": tables.LEVEL,
        },
        "scores": {
            kind: {name: tables.describe(x) for name, x in column.items()}
            for kind, column in columns.items()
        },
        "differences": [
            {"of": a, "from": b, "metrics": _differ(columns[a], columns[b])}
            for a, b in compared
        ],
    }
    if BASELINE in kinds and "snr" in next(iter(scores.values()))[BASELINE]:
        summary["by_snr"] = _by_snr(scores, kinds, metrics)
    return summary


def _differ(columns, others):
    return {
        name: tables.compare(
            values, others[name], COLUMNS[name].lower_is_better
        )
        for name, values in columns.items()
    }


def _by_snr(scores, kinds, metrics):
    unknown = {"snr": math.nan}
    snrs = {n: {**unknown, **f[BASELINE]}["snr"] for n, f in scores.items()}
    found = []
    for title, names in tables.buckets(snrs).items():
        means = {
            kind: mean_scores([scores[name][kind] for name in names])
            for kind in kinds
        }
        found.append(
            {
                "snr": title,
                "files": len(names),
                "means": {
                    kind: {name: _known(mean[name]) for name in metrics}
                    for kind, mean in means.items()
                },
            }
        )
    return found


def _known(mean):
    return mean if math.isfinite(mean) else None
