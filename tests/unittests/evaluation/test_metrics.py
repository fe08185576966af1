"""The table of metrics, several of one pair, and means."""

import math
import subprocess
import sys

import pytest
from speech_like import SPEECH, with_noise

from speechbrain_semamba.evaluation import composite
from speechbrain_semamba.evaluation.intelligibility import stoi
from speechbrain_semamba.evaluation.metrics import (
    METRICS,
    Metric,
    mean_scores,
    score,
)
from speechbrain_semamba.evaluation.pesq_scores import pesq
from speechbrain_semamba.evaluation.score_pool import ScorePool

#: Of which less is better
DISTANCES = {"llr", "wss"}
COLUMNS = "pesq csig cbak covl ssnr stoi estoi si_sdr llr wss".split()


@pytest.mark.parametrize("name", METRICS)
def test_more_noise_is_worse(name):
    metric = METRICS[name].function
    values = [metric(SPEECH, with_noise(SPEECH, x)) for x in (0, 0.01, 0.1)]
    assert {type(value) for value in values} == {float}
    best_first = sorted(values, reverse=name not in DISTANCES)
    assert values == best_first and len(set(values)) == 3
    assert math.isfinite(values[-1])


def test_score_gives_what_was_asked_for():
    noisy = with_noise(SPEECH, 0.05)
    scores = score(SPEECH, noisy)
    assert list(scores) == list(METRICS) == COLUMNS
    for name, value in scores.items():
        assert value == METRICS[name].function(SPEECH, noisy)
    some = ["si_sdr", "covl"]
    assert list(score(SPEECH, noisy, metrics=some)) == some


def test_no_part_is_computed_twice(monkeypatch):
    calls = []

    def counting(name):
        def metric(*pair):
            calls.append(name)
            return 2.0

        return metric

    for name, measure in composite.MEASURES.items():
        monkeypatch.setitem(METRICS, name, Metric(counting(name)))
        monkeypatch.setitem(composite.MEASURES, name, measure)
    scores = score(SPEECH, SPEECH)
    assert sorted(calls) == ["llr", "pesq", "ssnr", "wss"]
    assert scores["cbak"] == pytest.approx(1.634 + 2 * (0.478 - 0.007 + 0.063))
    calls.clear()
    score(SPEECH, SPEECH, metrics=["covl"])
    assert sorted(calls) == ["llr", "pesq", "wss"]


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
    expected = rf"need {package}; .*pip install '.\[eval\]'"
    with pytest.raises(ImportError, match=expected):
        use()


def test_packages_are_imported_only_where_used():
    code = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(['pesq', 'pystoi', 'loky']))\n"
        "from speechbrain_semamba.evaluation.metrics import METRICS, score\n"
        "import numpy as np\n"
        "wav = np.sin(np.arange(16000.0) ** 1.5)\n"
        "names = ['ssnr', 'si_sdr', 'llr', 'wss']\n"
        "assert all(score(wav, wav + 1e-3, metrics=names).values())\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
