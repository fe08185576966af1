"""STOI and ESTOI: what the packages' functions leave open."""

import numpy as np
import pystoi
import pytest
from speech_like import SILENCE, SPEECH, syllables, with_noise

from speechbrain_semamba.evaluation.intelligibility import estoi, stoi

BOTH = pytest.mark.parametrize("metric", [stoi, estoi])


@BOTH
def test_of_the_reference_itself(metric):
    assert metric(SPEECH, SPEECH) == pytest.approx(1, abs=1e-6)


@BOTH
def test_of_silence_nothing_is_intelligible(metric):
    assert metric(SPEECH, SILENCE) == pytest.approx(0, abs=1e-6)


def test_estoi_is_the_extended_one():
    noisy = with_noise(SPEECH, 0.1)
    extended = pystoi.stoi(SPEECH, noisy, 16000, extended=True)
    assert estoi(SPEECH, noisy) == pytest.approx(extended, abs=1e-6)
    assert abs(estoi(SPEECH, noisy) - stoi(SPEECH, noisy)) > 0.01


@BOTH
def test_neither_depends_on_what_was_drawn_nor_draws(metric):
    """The second half is silent, so that the package's dither counts."""
    clean = syllables(32000)
    enhanced = np.where(np.arange(32000) < 16000, clean, 0)
    np.random.seed(5)
    first = metric(clean, enhanced)
    drawn = np.random.random()
    np.random.seed(5)
    assert np.random.random() == drawn
    assert metric(clean, enhanced) == first


@BOTH
@pytest.mark.parametrize("samples", [4000, 5000, 6000])
def test_too_little_speech(metric, samples):
    assert metric(SPEECH[:samples], SPEECH[:samples]).reason == (
        "too little speech"
    )
