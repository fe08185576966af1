"""Statistics of scores, against literal versions of them."""

import math
import statistics

import numpy as np
import pytest

from speechbrain_semamba.evaluation import tables
from speechbrain_semamba.evaluation.tables import buckets, compare, describe
from speechbrain_semamba.evaluation.unscorable import NoScore

VALUES = [1.0, 2.5, 2.0, 4.0, 3.25]
OTHERS = [1.5, 2.0, 2.0, 3.0, 3.75]


def literal_means(values):
    """A file at a time, by the draws that the seed gives."""
    rng, means = np.random.default_rng(tables.SEED), []
    for _ in range(tables.DRAWS):
        total = 0.0
        for place in rng.integers(len(values), size=len(values)):
            total += values[int(place)]
        means.append(total / len(values))
    return sorted(means)


def literal_percentile(ordered, percent):
    place = percent / 100 * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def test_bootstrap_against_a_literal_one():
    found, means = describe(VALUES), literal_means(VALUES)
    assert found["mean"] == pytest.approx(statistics.mean(VALUES))
    assert found["std"] == pytest.approx(statistics.stdev(VALUES))
    assert found["low"] == pytest.approx(literal_percentile(means, 2.5))
    assert found["high"] == pytest.approx(literal_percentile(means, 97.5))
    assert found == describe(VALUES)


def test_interval_is_that_of_the_mean():
    """For many files it is the normal one, sigma / sqrt(n) wide."""
    values = np.random.default_rng(0).standard_normal(400)
    found = describe(values)
    width = 1.96 * values.std() / math.sqrt(len(values))
    assert found["high"] - found["mean"] == pytest.approx(width, rel=0.1)
    assert found["mean"] - found["low"] == pytest.approx(width, rel=0.1)


def test_missing_scores_are_counted_and_not_averaged():
    values = [1.0, NoScore("silence"), 3.0, math.inf, NoScore("silence")]
    found = describe(values)
    assert found["mean"] == 2 and found["files"] == 2
    assert found["without"] == {"silence": 2, "infinite": 1}
    nothing = describe([math.nan])
    assert nothing["mean"] is nothing["low"] is nothing["std"] is None
    assert describe([1.0])["std"] is None


def test_paired_difference_against_a_literal_one():
    found = compare(VALUES, OTHERS)
    gains = [a - b for a, b in zip(VALUES, OTHERS)]
    means = literal_means(gains)
    assert found["mean"] == pytest.approx(statistics.mean(gains))
    assert found["low"] == pytest.approx(literal_percentile(means, 2.5))
    assert found["high"] == pytest.approx(literal_percentile(means, 97.5))
    below = sum(mean <= 0 for mean in means)
    above = sum(mean >= 0 for mean in means)
    expected = 2 * (min(below, above) + 1) / (tables.DRAWS + 1)
    assert found["p"] == pytest.approx(expected)
    counts = found["better"], found["worse"], found["same"]
    assert counts == (2, 2, 1)


def test_difference_turned_round():
    there, back = compare(VALUES, OTHERS), compare(OTHERS, VALUES)
    assert there["mean"] == pytest.approx(-back["mean"])
    assert there["low"] == pytest.approx(-back["high"])
    assert there["p"] == back["p"]
    turned = compare(VALUES, OTHERS, lower_is_better=True)
    assert (turned["better"], turned["mean"]) == (there["worse"], there["mean"])


def test_pairs_without_both_scores_do_not_count():
    found = compare([1.0, math.nan, 3.0], [0.5, 1.0, math.inf])
    assert (found["mean"], found["files"], found["better"]) == (0.5, 1, 1)
    assert compare([math.nan], [1.0])["p"] is None


def test_the_same_system_is_not_significant():
    found = compare(VALUES, [value + 1e-6 for value in VALUES])
    assert (found["same"], found["better"]) == (5, 0)
    assert compare(VALUES, VALUES)["p"] == 1


def test_significance_needs_more_than_luck():
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(50)
    assert compare(noise + 1, np.zeros(50))["p"] < 0.01
    assert compare(noise - noise.mean(), np.zeros(50))["p"] > 0.5


def test_edges_of_buckets():
    snrs = {"a": 0.0, "b": 4.999, "c": 5.0, "d": -5.0, "e": -5.001, "f": 12}
    assert buckets(snrs) == {
        "-10 to -5": ["e"],
        "-5 to 0": ["d"],
        "0 to 5": ["a", "b"],
        "5 to 10": ["c"],
        "10 to 15": ["f"],
    }
    odd = {"a": math.inf, "b": NoScore("silence"), "c": 1.0}
    assert list(buckets(odd).items())[-1] == ("unknown", ["a", "b"])
