"""The table of scores that need no clean wave, and the networks' numbers."""

import json
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from places import ROOT
from speech_like import SILENCE, SPEECH

from speechbrain_semamba.evaluation.metrics import (
    METRICS,
    NO_REFERENCE,
    Metric,
    check_packages,
    score,
)
from speechbrain_semamba.evaluation.score_pool import ScorePool
from speechbrain_semamba.evaluation.unscorable import reason_of

NOISY = ROOT / "samples" / "voicebank_mini" / "noisy_testset_wav"
GOLDEN = json.loads((ROOT / "tests" / "reference" / "mos.json").read_text())
#: Of a network in float32, on processors that round differently
TOLERANCE = 1e-3


def read(name):
    if name == "all":
        paths = sorted(NOISY.iterdir())
    else:
        kind, name = name.split("_", 1)
        paths = [NOISY.parent / f"{kind}_testset_wav" / f"{name}.wav"]
    return np.concatenate([soundfile.read(path)[0] for path in paths])


@pytest.mark.parametrize("wave", GOLDEN["scores"])
@pytest.mark.parametrize(
    "names", [("sig", "bak", "ovrl"), ("p808",), ("distill",)], ids="-".join
)
def test_numbers_of_the_packages(names, wave):
    for package in NO_REFERENCE[names[0]].packages:
        pytest.importorskip(
            package, reason=f"no {package}: pip install '.[mos]'"
        )
    golden = {name: GOLDEN["scores"][wave][name] for name in names}
    found = score(None, read(wave), metrics=names)
    assert found == pytest.approx(golden, abs=TOLERANCE)


def test_says_nothing(capfd):
    pytest.importorskip("distillmos", reason="no distillmos: '.[mos]'")
    NO_REFERENCE["distill"].function(SPEECH)
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    "enhanced, reason",
    [
        (SILENCE, "silence"),
        (SILENCE + 1, "silence"),
        (SPEECH + np.nan, "not finite"),
        (SPEECH + np.inf, "not finite"),
        (SPEECH[:3999], "shorter than 0.25 s"),
        (SPEECH[:0], "shorter than 0.25 s"),
    ],
    ids=["silent", "constant", "nan", "inf", "short", "nothing"],
)
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", NO_REFERENCE)
def test_reasons(name, enhanced, reason):
    assert reason_of(NO_REFERENCE[name].function(enhanced)[name]) == reason
    assert reason_of(score(None, enhanced, metrics=[name])[name]) == reason


def test_no_network_hears_a_wave_twice(monkeypatch):
    calls = []

    def rate(enhanced, sample_rate):
        calls.append((len(enhanced), sample_rate))
        return {"sig": 1.0, "bak": 2.0, "ovrl": 3.0}

    for name in ("sig", "bak", "ovrl"):
        monkeypatch.setitem(NO_REFERENCE, name, Metric(rate))
    metrics = ["ovrl", "si_sdr", "sig"]
    scores = score(SPEECH, 2 * SPEECH, metrics=metrics)
    assert list(scores) == metrics and calls == [(16000, 16000)]
    assert (scores["ovrl"], scores["sig"]) == (3.0, 1.0)


def test_in_a_pool_without_a_clean_wave():
    pool = ScorePool(num_workers=1)
    pending = pool.start(None, SILENCE, list(NO_REFERENCE))
    reasons = {name: reason_of(x) for name, x in pending.result().items()}
    pool.close()
    assert reasons == dict.fromkeys(NO_REFERENCE, "silence")


def test_no_name_is_in_both_tables():
    assert not METRICS.keys() & NO_REFERENCE.keys()


@pytest.mark.parametrize("name", NO_REFERENCE)
def test_missing_package_names_the_extra(monkeypatch, name):
    for package in NO_REFERENCE[name].packages:
        monkeypatch.setitem(sys.modules, package, None)
    first, *_ = NO_REFERENCE[name].packages
    with pytest.raises(ImportError, match=rf"need {first}; .*'.\[mos\]'"):
        check_packages([name])


def test_nothing_is_imported_for_other_scores():
    """Processes of a pool hold neither PyTorch nor onnxruntime in vain."""
    code = (
        "import sys\n"
        "from speechbrain_semamba.evaluation.metrics import NO_REFERENCE\n"
        "packages = {p for row in NO_REFERENCE.values() for p in row.packages}\n"
        "assert not (packages | {'torch'}) & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
