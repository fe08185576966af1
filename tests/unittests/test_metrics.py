"""Scores, their failures, and the pool that computes them."""

import math
import runpy
import sys

import numpy as np
import pytest

from speechbrain_semamba.utils import metrics
from speechbrain_semamba.utils.metrics import (
    METRICS,
    ScorePool,
    mean_scores,
    pesq,
    pesq_label,
    score,
    si_sdr,
    stoi,
)


def syllables(samples=16000, seed=0):
    """Noise that comes and goes four times a second, as speech does."""
    rng = np.random.default_rng(seed)
    swell = np.sin(4 * np.pi * np.arange(samples) / 16000) ** 2
    wav = 0.1 * swell * rng.standard_normal(samples)
    return wav.astype("float32")


def with_noise(wav, level, seed=1):
    noise = np.random.default_rng(seed).standard_normal(len(wav))
    return wav + level * noise.astype("float32")


def spoilt(value):
    wav = syllables()
    wav[77] = value
    return wav


SILENCE = np.zeros(16000, dtype="float32")
SPEECH = syllables()


def test_si_sdr_by_hand():
    """Twice the reference, energy 16, and noise across it, energy 4."""
    reference = np.array([1.0, -1.0, 1.0, -1.0])
    noise = np.array([1.0, 1.0, -1.0, -1.0])
    expected = 10 * math.log10(16 / 4)
    ours = si_sdr(reference, 2 * reference + noise)
    assert ours == pytest.approx(expected)
    # neither scale nor offset counts
    moved = si_sdr(5 * reference + 3, 0.1 * (2 * reference + noise) - 7)
    assert moved == pytest.approx(expected)
    assert si_sdr(reference, -2 * reference - noise) == pytest.approx(expected)


def test_si_sdr_of_float32_is_computed_in_float64():
    reference = np.array([1.0, -1.0, 1.0, -1.0])
    noise = np.array([1e-6, 1e-6, -1e-6, -1e-6])
    quiet = (reference * 2.0**-80).astype("float32")
    ours = si_sdr(quiet, quiet.astype("float64") * (1 + reference * noise))
    assert ours == pytest.approx(120, abs=1e-3)


def test_si_sdr_of_the_reference_itself():
    reference = np.array([1.0, -1.0, 1.0, -1.0])
    assert si_sdr(reference, reference) == math.inf


def test_pesq_of_the_reference_itself():
    """The largest raw value, 4.5, mapped as P.862.2 says."""
    expected = 0.999 + 4 / (1 + math.exp(-1.3669 * 4.5 + 3.8224))
    assert pesq(SPEECH, SPEECH) == pytest.approx(expected, abs=1e-4)


def test_stoi_of_the_reference_itself():
    assert stoi(SPEECH, SPEECH) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("name", METRICS)
def test_more_noise_scores_lower(name):
    clean = METRICS[name](SPEECH, with_noise(SPEECH, 0.01))
    noisy = METRICS[name](SPEECH, with_noise(SPEECH, 0.1))
    assert isinstance(noisy, float) and clean > noisy > -math.inf


@pytest.mark.parametrize(
    "reference, estimate",
    [
        (SILENCE, SILENCE),
        (SILENCE, SPEECH),
        (SPEECH, spoilt(math.nan)),
        (spoilt(math.nan), SPEECH),
        (SPEECH, spoilt(math.inf)),
        (SPEECH[:1], SPEECH[:1]),
    ],
    ids=["silent", "no reference", "nan", "nan reference", "inf", "one sample"],
)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("name", METRICS)
def test_what_cannot_be_scored_is_nan(name, reference, estimate):
    value = METRICS[name](reference, estimate)
    assert isinstance(value, float) and math.isnan(value)


@pytest.mark.parametrize("samples", [0, 1, 100, 1000])
@pytest.mark.parametrize("metric", [pesq, stoi])
def test_too_short_is_nan(metric, samples):
    assert math.isnan(metric(SPEECH[:samples], SPEECH[:samples]))


def test_silent_estimate():
    """Of PESQ and SI-SDR there is none; nothing of it is intelligible."""
    assert math.isnan(pesq(SPEECH, SILENCE))
    assert math.isnan(si_sdr(SPEECH, SILENCE))
    assert stoi(SPEECH, SILENCE) == pytest.approx(0, abs=1e-6)


def test_score_gives_what_was_asked_for():
    noisy = with_noise(SPEECH, 0.05)
    scores = score(SPEECH, noisy)
    assert list(scores) == ["pesq", "stoi", "si_sdr"]
    for name, value in scores.items():
        assert value == METRICS[name](SPEECH, noisy)
    assert list(score(SPEECH, noisy, metrics=["si_sdr"])) == ["si_sdr"]


def test_pesq_label():
    assert [pesq_label(x) for x in (1.0, 2.75, 4.5)] == [0.0, 0.5, 1.0]
    assert math.isnan(pesq_label(math.nan))


def test_mean_scores():
    files = [
        {"pesq": 1.5, "stoi": 0.5},
        {"pesq": math.nan, "stoi": 1.0},
        {"pesq": 3.5, "stoi": 0.75},
        {"pesq": math.nan, "stoi": 0.75},
    ]
    means = mean_scores(files)
    assert means == {"pesq": 2.5, "pesq_failed": 2, "stoi": 0.75}
    assert {type(x) for x in means.values()} == {float, int}


def test_mean_scores_without_any():
    means = mean_scores([{"pesq": math.nan}])
    assert math.isnan(means["pesq"]) and means["pesq_failed"] == 1
    assert mean_scores([]) == {}


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
        np.testing.assert_array_equal(list(x.values()), list(y.values()))


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


@pytest.mark.parametrize(
    "package, use",
    [
        ("pesq", lambda: pesq(SPEECH, SPEECH)),
        ("pystoi", lambda: stoi(SPEECH, SPEECH)),
        ("joblib", ScorePool),
    ],
)
def test_missing_package_names_the_extra(monkeypatch, package, use):
    monkeypatch.setitem(sys.modules, package, None)
    expected = rf"need {package}: .*'speechbrain-semamba\[train\]'"
    with pytest.raises(ImportError, match=expected):
        use()


def test_packages_are_imported_only_where_used(monkeypatch):
    for package in ("pesq", "pystoi", "joblib"):
        monkeypatch.setitem(sys.modules, package, None)
    names = runpy.run_path(metrics.__file__)
    assert names["si_sdr"](SPEECH, with_noise(SPEECH, 0.01)) > 0
