"""The table, the lines and the file of a test's scores."""

import csv
import math

from speechbrain_semamba.evaluation.file_scores import means_by_kind
from speechbrain_semamba.evaluation.metrics import METRICS
from speechbrain_semamba.evaluation.reports import (
    missing_scores,
    publish,
    score_table,
)
from speechbrain_semamba.evaluation.unscorable import NoScore


def make_scores():
    """Of three files: one is all there, one is silent, one is short."""
    there = {name: -10.0 - i for i, name in enumerate(METRICS)}
    silent = {**there, "pesq": NoScore("silence"), "llr": NoScore("silence")}
    short = dict.fromkeys(METRICS, NoScore("shorter than 0.25 s"))
    files = {"a": there, "b": silent, "c": short}
    return {
        key: {"losses": {}, "noisy": there, "enhanced": file}
        for key, file in files.items()
    }


def test_table_has_a_column_for_each_metric():
    lines = score_table(means_by_kind(make_scores())).splitlines()
    assert lines[0].split() == list(METRICS)
    assert [line.split()[0] for line in lines[1:]] == ["noisy", "enhanced"]
    # even three digits before the point and a sign stand apart
    assert {len(line) for line in lines} == {8 + 8 * len(METRICS)}
    assert lines[2].split()[1:3] == ["-10.000", "-11.000"]


def test_reasons_are_counted():
    both = "shorter than 0.25 s (1)"
    others = [name for name in METRICS if name not in ("pesq", "llr")]
    assert missing_scores(make_scores()) == [
        f"enhanced: 2 of 3 files without pesq, llr: silence (1), {both}",
        f"enhanced: 1 of 3 files without {', '.join(others)}: {both}",
    ]
    assert missing_scores({}) == []


def test_published(tmp_path, capsys):
    path, scores = tmp_path / "scores.csv", make_scores()
    publish(path, means_by_kind(scores), scores)
    printed = capsys.readouterr().out
    assert "enhanced: 2 of 3 files without pesq, llr: silence (1)" in printed
    assert printed.count("\n") == 5
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    names = [f"{k}_{name}" for k in ("noisy", "enhanced") for name in METRICS]
    assert list(rows[0]) == ["id", *names]
    assert [row["id"] for row in rows] == ["a", "b", "c"]
    assert math.isnan(float(rows[1]["enhanced_pesq"]))
    assert rows[2]["noisy_wss"] == "-19.0000"
