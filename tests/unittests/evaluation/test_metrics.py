"""Scores, their failures, and the pool that computes them."""

import math
import runpy
import sys

import numpy as np
import pesq as pesq_package
import pytest

from speechbrain_semamba.evaluation import metrics
from speechbrain_semamba.evaluation.metrics import (
    METRICS,
    mean_scores,
    pesq,
    pesq_label,
    score,
    si_sdr,
    stoi,
)
from speechbrain_semamba.evaluation.score_pool import ScorePool


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


@pytest.mark.parametrize(
    "package, use",
    [
        ("pesq", lambda: pesq(SPEECH, SPEECH)),
        ("pystoi", lambda: stoi(SPEECH, SPEECH)),
        ("loky", ScorePool),
    ],
)
def test_missing_package_names_the_extra(monkeypatch, package, use):
    monkeypatch.setitem(sys.modules, package, None)
    expected = rf"need {package}; .*pip install '.\[train\]'"
    with pytest.raises(ImportError, match=expected):
        use()


def test_packages_are_imported_only_where_used(monkeypatch):
    for package in ("pesq", "pystoi", "loky"):
        monkeypatch.setitem(sys.modules, package, None)
    names = runpy.run_path(metrics.__file__)
    assert names["si_sdr"](SPEECH, with_noise(SPEECH, 0.01)) > 0


def test_pesq_is_narrow_band_at_8_khz():
    noisy = with_noise(SPEECH, 0.05)
    narrow = pesq(SPEECH[::2], noisy[::2], 8000)
    assert 1 < narrow < 4.6
    expected = pesq_package.pesq(8000, SPEECH[::2], noisy[::2], "nb")
    assert narrow == expected


@pytest.mark.parametrize("rate", [48000, 22050, 0])
def test_rates_that_pesq_does_not_know(rate):
    for use in (lambda: pesq(SPEECH, SPEECH, rate), lambda: ScorePool(0, rate)):
        with pytest.raises(ValueError, match=f"8,000 Hz, found {rate:,}; res"):
            use()
