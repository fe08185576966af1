"""The pool of scoring processes against scores computed inline."""

import math

import numpy as np
import pytest
from test_metrics import SPEECH, syllables, with_noise

from speechbrain_semamba.utils.metrics import METRICS, pesq, score
from speechbrain_semamba.utils.score_pool import ScorePool


@pytest.fixture(scope="module")
def pool():
    return ScorePool(num_workers=2)


@pytest.fixture(scope="module")
def waves():
    """Five of different lengths, in falling quality; the third is silent."""
    clean = [syllables(8000 + 1000 * i, seed=i) for i in range(5)]
    noisy = [with_noise(x, 0.01 * 2**i) for i, x in enumerate(clean)]
    clean[2] = np.zeros_like(clean[2])
    return clean, noisy


def assert_same_scores(ours, expected):
    assert len(ours) == len(expected)
    for x, y in zip(ours, expected):
        assert list(x) == list(y)
        # the number of threads decides how NumPy rounds a sum
        ours_now, expected_now = list(x.values()), list(y.values())
        np.testing.assert_allclose(ours_now, expected_now, rtol=1e-9)


@pytest.mark.parametrize("num_workers", [0, 1])
def test_inline_keeps_order_and_neighbours(waves, num_workers):
    results = list(ScorePool(num_workers).start(*waves))
    assert_same_scores(results, [{"pesq": pesq(*both)} for both in zip(*waves)])
    values = [result["pesq"] for result in results]
    assert math.isnan(values.pop(2))
    assert values == sorted(values, reverse=True) and values[0] > values[-1]


def test_workers_score_as_inline(pool, waves):
    names = list(METRICS)
    expected = list(ScorePool().start(*waves, metrics=names))
    assert_same_scores(list(pool.start(*waves, metrics=names)), expected)
    for name in ("pesq", "si_sdr"):
        failed = [math.isnan(result[name]) for result in expected]
        assert failed == [False, False, True, False, False]


def test_workers_keep_the_order_of_a_slow_item(pool):
    """The first takes longer than all the others together."""
    clean = [syllables(8000 * n, seed=n) for n in (60, 1, 2, 1, 2)]
    noisy = [with_noise(x, 0.05) for x in clean]
    names = ["pesq", "si_sdr"]
    expected = [score(x, y, metrics=names) for x, y in zip(clean, noisy)]
    assert_same_scores(list(pool.start(clean, noisy, names)), expected)


def test_workers_are_other_processes(pool, waves, monkeypatch):
    """What is patched here does not reach them, but reaches the inline."""
    monkeypatch.setitem(METRICS, "pesq", lambda *args: -1.0)
    inline = list(ScorePool().start(*waves))
    assert [result["pesq"] for result in inline] == [-1.0] * 5
    assert list(pool.start(*waves))[0]["pesq"] > 1


def test_pool_can_be_used_again_and_again(pool, waves):
    first, second, again = (
        list(pool.start(*waves, metrics=[name]))
        for name in ("si_sdr", "pesq", "si_sdr")
    )
    assert_same_scores(first, again)
    assert [list(result) for result in second] == 5 * [["pesq"]]
    assert list(pool.start([], [])) == []
    one = list(pool.start(waves[0][:1], waves[1][:1], ["si_sdr"]))
    assert_same_scores(one, first[:1])


@pytest.mark.filterwarnings("ignore:.*have been cancelled:UserWarning")
@pytest.mark.parametrize("num_workers", [0, 2])
def test_results_that_nobody_reads(num_workers, waves):
    pool = ScorePool(num_workers)
    unread = pool.start(*waves, metrics=["si_sdr"])
    next(unread)
    del unread
    assert len(list(pool.start(*waves, metrics=["si_sdr"]))) == 5


def test_sample_rate_reaches_the_metrics(monkeypatch):
    monkeypatch.setitem(METRICS, "rate", lambda ref, est, rate: float(rate))
    pool = ScorePool(sample_rate=8000)
    assert list(pool.start([SPEECH], [SPEECH], ["rate"])) == [{"rate": 8000.0}]


def test_run_waits_for_all(waves):
    pool = ScorePool()
    expected = list(pool.start(*waves, metrics=["si_sdr"]))
    assert_same_scores(pool.run(*waves, ["si_sdr"]), expected)
    assert_same_scores(pool.run(*waves, ["si_sdr"], "bar"), expected)
