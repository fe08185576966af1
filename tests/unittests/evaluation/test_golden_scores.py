"""All metrics against numbers that other code computed."""

import json
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from literal_metrics import LITERAL
from places import ROOT
from speech_like import syllables

from speechbrain_semamba.evaluation.metrics import METRICS, score

CORPUS = ROOT / "samples" / "voicebank_mini"
GOLDEN = json.loads((ROOT / "tests" / "reference" / "scores.json").read_text())
SHARED = ROOT.parent / "shared"
#: What the published scripts compute, and so do the packages
TOLERANCES = {"pesq": 1e-6, "stoi": 1e-6, "estoi": 1e-6}


def assert_golden(folder, name, expected):
    clean, noisy = (
        soundfile.read(folder / f"{kind}_testset_wav" / f"{name}.wav")[0]
        for kind in ("clean", "noisy")
    )
    waves = {"noisy": noisy, "half": 0.5 * (clean + noisy)}
    for kind, wave in waves.items():
        ours = score(clean, wave)
        assert ours.keys() == expected[kind].keys() == METRICS.keys()
        for metric, value in ours.items():
            tolerance = TOLERANCES.get(metric, 1e-3)
            golden = pytest.approx(expected[kind][metric], abs=tolerance)
            assert value == golden, (name, kind, metric)


@pytest.mark.parametrize("name", GOLDEN)
def test_embedded_corpus(name):
    assert_golden(CORPUS, name, GOLDEN[name])


@pytest.mark.skipif(
    not SHARED.is_dir(), reason="needs real speech beside the repository"
)
def test_real_pairs(tmp_path):
    script = SHARED / "data" / "scripts" / "make_voicebank_mini.py"
    options = "--train-minutes", "0.01", "--out", tmp_path
    subprocess.run([sys.executable, script, *options], check=True)
    golden = json.loads((SHARED / "reference" / "metrics.json").read_text())
    for name, expected in golden["files"].items():
        assert_golden(tmp_path, name, expected)


@st.composite
def pairs(draw):
    """Clean and enhanced, random or like speech, with a pause or none."""
    rate = draw(st.sampled_from([8000, 16000]))
    samples = draw(st.integers(rate // 4, 3 * rate))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    noise = rng.standard_normal((2, samples))
    clean = 0.1 * noise[0]
    if draw(st.booleans()):
        # coloured as speech is, and swelling
        clean = syllables(samples, rng, rate).astype(float)
        clean[1:] += 0.9 * clean[:-1]
    enhanced = clean + 10 ** draw(st.floats(-4, 0)) * noise[1]
    if draw(st.booleans()):
        start, end = sorted(draw(st.integers(0, samples)) for _ in "12")
        # not everywhere, or there is nothing to be scored
        clean[max(start, 400) : end] = 0
    return clean, enhanced, rate


@pytest.mark.parametrize("name", LITERAL)
@settings(max_examples=15, deadline=None)
@given(pair=pairs())
def test_literal(name, pair):
    ours = METRICS[name].function(*pair)
    assert ours == pytest.approx(LITERAL[name](*pair), rel=1e-5, abs=1e-7)
