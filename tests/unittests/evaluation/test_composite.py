"""CSIG, CBAK and COVL: what they are made of."""

import pytest
from literal_metrics import rating
from speech_like import SILENCE, SPEECH, with_noise

from speechbrain_semamba.evaluation.composite import MEASURES
from speechbrain_semamba.evaluation.metrics import METRICS

RATINGS = pytest.mark.parametrize("name", ["csig", "cbak", "covl"])


@RATINGS
@pytest.mark.parametrize("level", [0.002, 0.02, 0.1])
def test_alone_and_of_known_parts(name, level):
    pair = SPEECH, with_noise(SPEECH, level)
    parts = {part: measure(*pair) for part, measure in MEASURES.items()}
    row = METRICS[name]
    expected = pytest.approx(rating(name, **parts))
    assert row.function(*pair) == expected
    known = {part: parts[part] for part in row.parts}
    assert row.function(*pair, **known) == expected


@RATINGS
def test_is_limited(name):
    row = METRICS[name]
    for pesq, limit in ((-99, 1), (99, 5)):
        known = {**dict.fromkeys(row.parts, 0.0), "pesq": pesq}
        assert row.function(SPEECH, SPEECH, **known) == limit


@RATINGS
def test_clean_speech_is_excellent(name):
    assert METRICS[name].function(SPEECH, SPEECH) > 4.9


@RATINGS
def test_a_part_without_value_gives_its_reason(name):
    assert METRICS[name].function(SPEECH, SILENCE).reason == "silence"
    assert METRICS[name].parts[0] == "pesq"
