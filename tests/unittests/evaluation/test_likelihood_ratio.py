"""LLR, and the linear prediction in it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from speech_like import SPEECH, syllables, with_noise

from speechbrain_semamba.evaluation.likelihood_ratio import (
    autocorrelation,
    linear_prediction,
    llr,
    prediction_error,
)


@given(st.floats(-40, 40))
def test_gain_does_not_count(gain_db):
    gain = 10 ** (gain_db / 20)
    assert llr(SPEECH, gain * SPEECH.astype(float)) == pytest.approx(
        0, abs=1e-9
    )
    noisy = with_noise(SPEECH, 0.03).astype(float)
    assert llr(SPEECH, gain * noisy) == pytest.approx(llr(SPEECH, noisy))


@pytest.mark.parametrize("order", [1, 10, 16])
def test_prediction_solves_the_normal_equations(order):
    """So that no other filter leaves less of the frame."""
    frames = np.random.default_rng(0).standard_normal((5, 480)).cumsum(axis=1)
    lags = autocorrelation(frames, order)
    places = np.arange(order)
    for row, ours in zip(lags, linear_prediction(lags)):
        matrix = row[abs(places[:, None] - places)]
        expected = -np.linalg.solve(matrix, row[1:])
        np.testing.assert_allclose(ours, [1, *expected], rtol=1e-6, atol=1e-8)
    least = prediction_error(linear_prediction(lags), lags)
    assert (least < lags[:, 0]).all()
    moved = linear_prediction(lags)
    moved[:, 1] += 0.01
    assert (prediction_error(moved, lags) > least).all()


def test_frames_of_digital_silence_do_not_count():
    """They have no envelope: their ratio would be of rounding errors."""
    speech = syllables(16000, seed=3)
    pause = np.zeros(16000)
    clean = np.concatenate([speech, pause])
    noisy = with_noise(clean, 0.01)
    # but for the few frames in which the pause begins
    alone = llr(speech, noisy[:16000])
    assert llr(clean, noisy) == pytest.approx(alone, rel=0.3)
    turned = llr(noisy[:16000], speech)
    assert llr(noisy, clean) == pytest.approx(turned, rel=0.3)


def test_waves_that_never_sound_together():
    sounds = np.arange(16000) < 8000
    first, second = np.where(sounds, SPEECH, 0), np.where(sounds, 0, SPEECH)
    second[:9000] = 0
    assert llr(first, second).reason == "never sound in both"


def test_a_perfect_prediction_is_finite():
    tone = np.sin(np.arange(16000.0))
    assert 0 < llr(tone, SPEECH) < 60
    assert llr(tone, tone) == pytest.approx(0, abs=1e-6)


@pytest.mark.filterwarnings("error")
def test_frames_that_are_all_but_constant():
    """An offset with hardly any sound on it: rounding decides what is left."""
    rng = np.random.default_rng(0)
    for level in 10.0 ** np.arange(-15, -5):
        quiet = 0.5 + level * rng.standard_normal(4000)
        assert np.isfinite(llr(quiet, SPEECH[:4000]))
        assert np.isfinite(llr(SPEECH[:4000], quiet))


@pytest.mark.filterwarnings("error")
def test_prediction_without_error():
    lags = np.ones((1, 17))
    filters = linear_prediction(lags)
    np.testing.assert_allclose(filters[0, :2], [1, -1])
    assert 0 < prediction_error(filters, lags) < 1e-14


def test_order_follows_the_rate():
    """A wave predictable from 12 samples ago and nothing nearer."""
    rng = np.random.default_rng(0)
    clean, enhanced = rng.standard_normal((2, 12000))
    for start in range(12, 12000, 12):
        clean[start : start + 12] += 0.95 * clean[start - 12 : start]
    assert llr(clean, enhanced, 16000) > 3 * llr(clean, enhanced, 8000)
    assert llr(clean, enhanced, 10000) > 3 * llr(clean, enhanced, 9999)


def test_rates_without_its_bands():
    with pytest.raises(ValueError, match="least 8,000 Hz, found 7,999; resam"):
        llr(SPEECH, SPEECH, 7999)
