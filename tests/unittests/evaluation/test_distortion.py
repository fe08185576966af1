"""SI-SDR and segmental SNR by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from speech_like import SILENCE, SPEECH, syllables, with_noise

from speechbrain_semamba.evaluation.distortion import si_sdr, ssnr

ALTERNATING = np.tile([1.0, -1.0], 2000)
#: Across it, and of the same energy
ACROSS = np.tile([1.0, 1.0, -1.0, -1.0], 1000)


def test_si_sdr_by_hand():
    """Twice the reference, and noise across it, of a quarter the energy."""
    expected = 10 * math.log10(4)
    ours = si_sdr(ALTERNATING, 2 * ALTERNATING + ACROSS)
    assert ours == pytest.approx(expected)
    # neither scale nor offset counts
    moved = si_sdr(5 * ALTERNATING + 3, 0.1 * (2 * ALTERNATING + ACROSS) - 7)
    assert moved == pytest.approx(expected)
    turned = si_sdr(ALTERNATING, -2 * ALTERNATING - ACROSS)
    assert turned == pytest.approx(expected)


@given(st.floats(-60, 60), st.sampled_from([-1, 1]))
def test_si_sdr_knows_no_gain(gain_db, sign):
    noisy = with_noise(SPEECH, 0.05).astype(float)
    scaled = si_sdr(SPEECH, sign * 10 ** (gain_db / 20) * noisy)
    assert scaled == pytest.approx(si_sdr(SPEECH, noisy))


def test_si_sdr_of_float32_is_computed_in_float64():
    noise = 1e-6 * ACROSS
    quiet = (ALTERNATING * 2.0**-80).astype("float32")
    ours = si_sdr(quiet, quiet.astype("float64") * (1 + ALTERNATING * noise))
    assert ours == pytest.approx(120, abs=1e-3)


def test_si_sdr_of_the_reference_itself():
    assert si_sdr(ALTERNATING, ALTERNATING) == math.inf


@pytest.mark.parametrize("snr", [-9.5, 0, 12.5, 34.5])
def test_ssnr_of_a_known_one(snr):
    enhanced = SPEECH.astype(float) * (1 + 10 ** (-snr / 20))
    # the first and last frames are so quiet that the constant counts
    assert ssnr(SPEECH, enhanced) == pytest.approx(snr, abs=0.02)


@pytest.mark.parametrize("snr, limited", [(-20, -10), (50, 35)])
def test_ssnr_is_limited_in_each_frame(snr, limited):
    loud = 0.1 * ALTERNATING
    other = loud * (1 + 10 ** (-snr / 20))
    assert ssnr(loud, other) == pytest.approx(limited, abs=1e-6)


def test_ssnr_where_the_clean_speech_pauses():
    """Of 62 frames 34 begin before the pause, at 35 dB; of others -10."""
    clean = np.concatenate([0.1 * ALTERNATING, np.zeros(4000)])
    assert ssnr(clean, clean) == pytest.approx((34 * 35 - 28 * 10) / 62)


def test_ssnr_of_silence_is_no_gain_and_no_loss():
    assert ssnr(syllables(), SILENCE) == pytest.approx(0, abs=0.1)
