"""Scores summed up: numbers for programs, tables for readers."""

import json

import pytest
from made_scores import make_scores

from speechbrain_semamba.evaluation.metrics import METRICS
from speechbrain_semamba.evaluation.summary import summarize
from speechbrain_semamba.evaluation.summary_text import (
    markdown,
    missing_scores,
    summary_tables,
)

KINDS = ["noisy", "enhanced"]


def test_numbers_are_what_json_holds():
    summary = summarize(make_scores(), KINDS)
    text = json.dumps(summary, allow_nan=False)
    assert json.loads(text) == summary
    assert summary["metrics"] == list(METRICS)
    pesq = summary["scores"]["enhanced"]["pesq"]
    assert pesq["mean"] == -10
    assert pesq["without"] == {"silence": 1, "shorter than 0.25 s": 1}


def test_reasons_are_counted():
    both = "shorter than 0.25 s (1)"
    others = [name for name in METRICS if name not in ("pesq", "llr")]
    assert missing_scores(summarize(make_scores(), KINDS)) == [
        f"enhanced: 2 of 3 files without pesq, llr: silence (1), {both}",
        f"enhanced: 1 of 3 files without {', '.join(others)}: {both}",
    ]


def test_each_bucket_has_its_own_means():
    scores = make_scores()
    scores["a"]["enhanced"]["stoi"] = 0.5
    low, middle, unknown = summarize(scores, KINDS)["by_snr"]
    assert [part["snr"] for part in (low, middle)] == ["0 to 5", "5 to 10"]
    assert (low["files"], unknown["snr"]) == (1, "unknown")
    assert low["means"]["enhanced"]["stoi"] == 0.5
    assert middle["means"]["enhanced"]["stoi"] == -15
    assert middle["means"]["enhanced"]["pesq"] is None
    assert unknown["means"]["noisy"]["stoi"] == -15


def test_systems_are_compared_with_noisy_and_with_the_first():
    scores = {
        key: {
            "noisy": {"pesq": 1.0, "llr": 1.0, "snr": 3.0},
            "one": {"pesq": 2.0 + gain, "llr": 0.5},
            "two": {"pesq": 2.0, "llr": 0.75},
        }
        for key, gain in (("a", 0.5), ("b", -0.25), ("c", 0))
    }
    parts = summarize(scores, ["noisy", "one", "two"])["differences"]
    compared = [(part["of"], part["from"]) for part in parts]
    assert compared == [("one", "noisy"), ("two", "noisy"), ("two", "one")]
    found = parts[-1]["metrics"]
    assert found["pesq"]["mean"] == pytest.approx(-0.25 / 3)
    assert [found["pesq"][x] for x in ("better", "worse", "same")] == [1, 1, 1]
    # a distance: more is worse
    assert (found["llr"]["mean"], found["llr"]["worse"]) == (0.25, 3)


def test_without_noisy_files_there_is_neither_gain_nor_bucket():
    summary = summarize(make_scores(), ["enhanced"])
    assert summary["differences"] == [] and "by_snr" not in summary
    (table,) = summary_tables(summary)
    assert table.header == ["", "enhanced"]


def test_tables_stand_in_line():
    text = markdown(summarize(make_scores(), KINDS), ["A note."])
    tables = [part for part in text.split("\n\n") if part.startswith("|")]
    assert len(tables) == 3
    for table in tables:
        assert len({len(line) for line in table.splitlines()}) == 1
        assert set(table.splitlines()[1]) == {"|", "-"}
    assert "| -10.000 ± 0.000 [-10.000, -10.000] |" in tables[0]
    assert "| pesq        | +0.000 [+0.000, +0.000] | 1.000 | 0 " in tables[1]
    assert text.endswith("- A note.\n")
    assert "- enhanced: 2 of 3 files without pesq, llr: " in text
