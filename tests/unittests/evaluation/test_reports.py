"""The file of a test's scores, and what is printed of them."""

import csv
import math

from made_scores import make_scores

from speechbrain_semamba.evaluation.metrics import METRICS
from speechbrain_semamba.evaluation.reports import publish, write_scores
from speechbrain_semamba.evaluation.summary import summarize
from speechbrain_semamba.evaluation.summary_text import markdown


def read_rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_published(tmp_path, capsys):
    path, scores = tmp_path / "scores.csv", make_scores()
    publish(path, scores)
    kinds = ["noisy", "enhanced"]
    assert capsys.readouterr().out == markdown(summarize(scores, kinds))
    rows = read_rows(path)
    noisy = [f"noisy_{name}" for name in (*METRICS, "snr")]
    assert list(rows[0]) == ["file", *METRICS, *noisy]
    assert [row["file"] for row in rows] == ["a", "b", "c"]
    assert math.isnan(float(rows[1]["pesq"]))
    assert rows[2]["noisy_wss"] == "-19.0000"
    assert rows[1]["noisy_snr"] == "7.0000"


def test_systems_have_columns_of_their_own(tmp_path):
    scores = {"a,b": {"one": {"pesq": 2.0}, "two": {"pesq": 3.0}}}
    write_scores(tmp_path / "scores.csv", scores, ["one", "two"])
    (row,) = read_rows(tmp_path / "scores.csv")
    assert row == {"file": "a,b", "one_pesq": "2.0000", "two_pesq": "3.0000"}


def test_a_broken_first_file_costs_no_column(tmp_path):
    whole = {"pesq": 2.0, "snr": 3.0}
    scores = {"a": {"noisy": {"pesq": math.nan}}, "b": {"noisy": whole}}
    write_scores(tmp_path / "scores.csv", scores, ["noisy"])
    first, second = read_rows(tmp_path / "scores.csv")
    assert first["noisy_snr"] == "nan" and second["noisy_snr"] == "3.0000"
