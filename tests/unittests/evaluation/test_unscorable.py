"""What has no score is NaN and says why, whatever the metric."""

import math
import pickle

import numpy as np
import pytest
from speech_like import SILENCE, SPEECH, syllables

from speechbrain_semamba.evaluation.metrics import METRICS, score
from speechbrain_semamba.evaluation.unscorable import NoScore, reason_of

#: Of which a silent estimate has a value
OF_SILENCE = {"ssnr", "stoi", "estoi", "wss"}


def spoilt(value):
    wav = syllables()
    wav[77] = value
    return wav


@pytest.mark.parametrize(
    "clean, enhanced, reason",
    [
        (SILENCE, SILENCE, "silence"),
        (SILENCE, SPEECH, "silence"),
        (SILENCE + 1, SPEECH, "silence"),
        (SPEECH, spoilt(math.nan), "not finite"),
        (spoilt(math.nan), SPEECH, "not finite"),
        (SPEECH, spoilt(math.inf), "not finite"),
        (SPEECH[:0], SPEECH[:0], "shorter than 0.25 s"),
        (SPEECH[:1], SPEECH[:1], "shorter than 0.25 s"),
        (SPEECH[:3200], SPEECH[:3200], "shorter than 0.25 s"),
    ],
    ids=[
        *("silent", "no reference", "constant reference", "nan"),
        *("nan reference", "inf", "nothing", "one sample", "0.2 s"),
    ],
)
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", METRICS)
def test_reasons(name, clean, enhanced, reason):
    alone = METRICS[name].function(clean, enhanced)
    among = score(clean, enhanced)[name]
    for value in (alone, among):
        assert isinstance(value, float) and math.isnan(value)
        assert reason_of(value) == reason


@pytest.mark.parametrize("name", METRICS)
def test_silent_estimate(name):
    """An enhancer that mutes what is hard must not get rid of the file."""
    value = METRICS[name].function(SPEECH, SILENCE)
    expected = None if name in OF_SILENCE else "silence"
    assert reason_of(value) == expected


@pytest.mark.parametrize("name", METRICS)
def test_waves_that_do_not_fit(name):
    for wrong in (SPEECH[:-1], SPEECH[None]):
        with pytest.raises(ValueError, match=r"one length, found .*; cut or p"):
            METRICS[name].function(SPEECH, wrong)


def test_reason_travels():
    value = pickle.loads(pickle.dumps({"pesq": NoScore("silence")}))["pesq"]
    assert math.isnan(value) and value.reason == "silence"


def test_reason_of_ordinary_numbers():
    assert reason_of(1) is None and reason_of(np.float64(0)) is None
    assert reason_of(math.nan) == "not a number"
    assert reason_of(-math.inf) == "infinite"
