"""Statistics of scores over files: intervals, differences, buckets of SNR.

All draws are of one seed, so that the same scores give the same numbers.
"""

import math
from collections import Counter

import numpy as np

from speechbrain_semamba.evaluation.unscorable import reason_of

#: Of the bootstrap
DRAWS = 2000
SEED = 1234
#: Of the intervals, in percent
LEVEL = 95
#: Of the buckets, in dB
BUCKET = 5
#: Scores that agree in as many decimals are called the same
DECIMALS = 4


def bootstrap_means(values):
    """Means of files drawn with replacement, as many as there are.

    Efron and Tibshirani, "An Introduction to the Bootstrap", 1993.

    Arguments
    ---------
    values : numpy.ndarray
        Finite values [files], at least one.

    Returns
    -------
    numpy.ndarray
        Means [draws].

    Example
    -------
    >>> bootstrap_means(np.ones(3))[:2].tolist()
    [1.0, 1.0]
    """
    rng, count = np.random.default_rng(SEED), len(values)
    return np.array(
        [values[rng.integers(count, size=count)].mean() for _ in range(DRAWS)]
    )


def describe(values):
    """What to say of one score of many files.

    Arguments
    ---------
    values : list of float
        A score for each file, NaN where there is none.

    Returns
    -------
    dict
        ``mean``, ``std`` (over files, sample), ``low`` and ``high`` of the
        mean's interval (percentiles of the bootstrap), each None where there
        are too few files; number of ``files``; and ``without``, the number
        of those that have no score by reason.

    Example
    -------
    >>> found = describe([1.0, 3.0, math.nan])
    >>> found["mean"], round(found["std"], 3), found["low"], found["high"]
    (2.0, 1.414, 1.0, 3.0)
    >>> found["files"], found["without"]
    (2, {'not a number': 1})
    """
    reasons = Counter(filter(None, map(reason_of, values)))
    values = np.array([x for x in values if math.isfinite(x)])
    found = {"mean": None, "std": None, "low": None, "high": None}
    if len(values):
        found["mean"] = float(values.mean())
        found["low"], found["high"] = _interval(bootstrap_means(values))
    if len(values) > 1:
        found["std"] = float(values.std(ddof=1))
    without = dict(reasons.most_common())
    return {**found, "files": len(values), "without": without}


def compare(values, others, lower_is_better=False):
    """Two systems' scores of the same files.

    Arguments
    ---------
    values : list of float
        A score for each file, NaN where there is none.
    others : list of float
        What they are compared with, of the same files.
    lower_is_better : bool
        As of a distance.

    Returns
    -------
    dict
        The ``mean`` of value less other over the files that have both, with
        ``low`` and ``high`` of its interval and ``p``, the share of the
        bootstrap whose mean is not of the same sign (two-sided, never 0); each None where there is no file. Number of ``files``, and of
        those that are ``better``, ``worse`` and the ``same`` in
        ``DECIMALS`` decimals.

    Example
    -------
    >>> found = compare([2.0, 3.0, 4.0], [1.0, 1.0, 4.0])
    >>> found["mean"], found["better"], found["worse"], found["same"]
    (1.0, 2, 0, 1)
    """
    pairs = [(a, b) for a, b in zip(values, others) if math.isfinite(a - b)]
    found = {"mean": None, "low": None, "high": None, "p": None}
    if pairs:
        gains = np.subtract(*np.array(pairs).T)
        means = bootstrap_means(gains)
        found["mean"] = float(gains.mean())
        found["low"], found["high"] = _interval(means)
        fewest = min((means <= 0).sum(), (means >= 0).sum())
        found["p"] = min(1.0, float(2 * (fewest + 1) / (DRAWS + 1)))
    signs = [np.sign(round(a, DECIMALS) - round(b, DECIMALS)) for a, b in pairs]
    counts = Counter(-s if lower_is_better else s for s in signs)
    return {
        **found,
        "files": len(pairs),
        "better": counts[1],
        "worse": counts[-1],
        "same": counts[0],
    }


def buckets(values):
    """Files by their SNR, in buckets of 5 dB.

    Arguments
    ---------
    values : dict
        SNR in dB by name of the file.

    Returns
    -------
    dict
        The names of each bucket that has any, by its title, from low to
        high; those without a finite SNR come last.

    Example
    -------
    >>> buckets({"a": 7.5, "b": -0.1, "c": 5.0, "d": math.nan})
    {'-5 to 0': ['b'], '5 to 10': ['a', 'c'], 'unknown': ['d']}
    """
    found = {}
    for name, value in values.items():
        place = math.inf
        if math.isfinite(value):
            place = math.floor(value / BUCKET) * BUCKET
        found.setdefault(place, []).append(name)
    return {_title(place): found[place] for place in sorted(found)}


def _title(place):
    if math.isinf(place):
        return "unknown"
    return f"{place} to {place + BUCKET}"


def _interval(means):
    tail = (100 - LEVEL) / 2
    return tuple(float(x) for x in np.percentile(means, (tail, 100 - tail)))
