"""WSS: its bands, and what counts as the nearest peak."""

import numpy as np
import pytest
from speech_like import SPEECH, with_noise

from speechbrain_semamba.evaluation.spectral_slope import (
    CENTRES,
    band_energies,
    critical_bands,
    slope_weights,
    wss,
)


def test_of_the_reference_itself():
    assert wss(SPEECH, SPEECH) == 0


def test_is_symmetric():
    noisy = with_noise(SPEECH, 0.05)
    assert wss(SPEECH, noisy) == pytest.approx(wss(noisy, SPEECH))


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
def test_a_tone_is_in_its_band(rate):
    for band in (3, 12, 24):
        tone = np.sin(2 * np.pi * CENTRES[band] / rate * np.arange(rate))
        energies = band_energies(tone, rate)
        assert (energies.argmax(axis=1) == band).all()


def test_bands_have_equal_areas_but_for_their_edges():
    areas = critical_bands(16000).sum(axis=1)
    assert areas.max() < 1.3 * areas.min()


def test_weights_by_hand():
    """Up, up, down, level: the peak of what rises is the band below it."""
    bands = np.array([[0.0, 10.0, 30.0, 5.0, 5.0]])
    largest = 20 / (20 + np.array([30, 20, 0, 25]))
    nearest = 1 / (1 + np.array([10 - 0, 10 - 10, 30 - 30, 30 - 5]))
    np.testing.assert_allclose(slope_weights(bands), [largest * nearest])


def test_gain_counts():
    """As in the published numbers, by the floor of the energies."""
    noisy = with_noise(SPEECH, 0.05)
    assert wss(0.01 * SPEECH, 0.01 * noisy) < 0.5 * wss(SPEECH, noisy)
