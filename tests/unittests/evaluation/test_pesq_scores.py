"""PESQ: bands, rates, labels."""

import math

import pesq as pesq_package
import pytest
from speech_like import SPEECH, with_noise

from speechbrain_semamba.evaluation.pesq_scores import pesq, pesq_label
from speechbrain_semamba.evaluation.score_pool import ScorePool


def test_of_the_reference_itself():
    """The largest raw value, 4.5, mapped as P.862.2 says."""
    expected = 0.999 + 4 / (1 + math.exp(-1.3669 * 4.5 + 3.8224))
    assert pesq(SPEECH, SPEECH) == pytest.approx(expected, abs=1e-4)


def test_is_narrow_band_at_8_khz():
    clean, noisy = (
        x[::2].astype(float) for x in (SPEECH, with_noise(SPEECH, 0.05))
    )
    narrow = pesq(clean, noisy, 8000)
    assert 1 < narrow < 4.6
    assert narrow == pesq_package.pesq(8000, clean, noisy, "nb")


@pytest.mark.parametrize("rate", [48000, 22050, 0])
def test_rates_that_it_does_not_know(rate):
    for use in (lambda: pesq(SPEECH, SPEECH, rate), lambda: ScorePool(0, rate)):
        with pytest.raises(ValueError, match=f"8,000 Hz, found {rate:,}; res"):
            use()


def test_what_it_finds_no_speech_in():
    clean = 1e-50 * SPEECH.astype(float)
    assert pesq(clean, SPEECH).reason == "no speech found"


def test_label():
    assert [pesq_label(x) for x in (1.0, 2.75, 4.5)] == [0.0, 0.5, 1.0]
    assert math.isnan(pesq_label(math.nan))
