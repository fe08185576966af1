"""Word error rates, counted by hand."""

import math

import numpy as np
import pytest

from speechbrain_semamba.evaluation.word_errors import WordErrorRates, words_of

TRANSCRIPTS = {"a": "One, two - three four five.", "b": "Six seven", "c": "\n"}


def stub(wav):
    """Hears what a number stands for."""
    return {
        0: [],
        1: "ONE TWO THREE FOUR FIVE".split(),
        2: "ONE TOO THREE FIVE".split(),
        3: "SIX SEVEN ATE".split(),
    }[int(wav[0])]


def rates_of(transcripts, **kinds):
    rates = WordErrorRates(stub, transcripts, list(kinds))
    for index, key in enumerate(transcripts):
        rates.add(key, {k: np.array([x[index]]) for k, x in kinds.items()})
    return rates.finish()


def test_counted_by_hand():
    found = rates_of(TRANSCRIPTS, noisy=[0, 0, 0], enhanced=[2, 3, 1])
    ours = found["enhanced"]
    assert ours[2:] == (7, 1, 1, 1)
    # of all words, not the mean of 40 and 50
    assert ours.rate == pytest.approx(100 * 3 / 7)
    assert ours.rates["a"] == pytest.approx(40)
    assert ours.rates["b"] == pytest.approx(50)
    assert found["noisy"].rate == 100 and found["noisy"].deletions == 7
    for errors in found.values():
        assert errors.rates["c"].reason == "no words in its transcript"


def test_more_errors_than_words():
    found = rates_of({"a": "six"}, clean=[1])["clean"]
    assert found.rate == found.rates["a"] == 500


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_broken_waves_have_no_rate(value):
    found = rates_of({"a": "six seven", "b": "six"}, enhanced=[3, value])
    assert found["enhanced"].rate == 50
    assert found["enhanced"].rates["b"].reason == "not finite"


def test_nothing_that_can_be_scored():
    found = rates_of({"c": ""}, enhanced=[1])["enhanced"]
    assert math.isnan(found.rate) and found.words == 0
    assert found.rates["c"].reason == "no words in its transcript"
    assert WordErrorRates(stub, {}).finish()["enhanced"].rates == {}


@pytest.mark.parametrize(
    "text, words",
    [
        ("Please call Stella.\n", "PLEASE CALL STELLA"),
        ("It's\ttwelve o\u2019clock", "IT'S TWELVE O'CLOCK"),
        ("'Tis the dogs' \"bone\"", "TIS THE DOGS BONE"),
        (
            "a well-known\u2014 and_old... (caf\u00e9)",
            "A WELL KNOWN AND OLD CAF\u00c9",
        ),
        ("In 1455", "IN 1455"),
        (" -- ", ""),
    ],
)
def test_words(text, words):
    assert words_of(text) == words.split()
