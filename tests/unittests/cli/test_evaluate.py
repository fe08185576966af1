"""``semamba evaluate``: what it prints and writes, and its exit status."""

import csv
import json
import math
import sys

import pytest
from small_corpus import NAMES, make_corpus, make_waves, write_waves

from speechbrain_semamba.cli import main
from speechbrain_semamba.evaluation.metrics import METRICS, score

WRITTEN = ["metrics.csv", "report.html", "summary.json", "summary.md"]


def words_of(folders, *kinds):
    """The options that name folders."""
    return [word for k in kinds for word in (f"--{k}", str(folders[k]))]


def read_rows(folder):
    with open(folder / "metrics.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_all_that_it_says_and_writes(tmp_path, capsys):
    folders, out = make_corpus(tmp_path), tmp_path / "new" / "scores"
    words = words_of(folders, "clean", "enhanced", "noisy")
    assert main(["evaluate", *words, "-o", str(out), "--workers", "1"]) == 0
    assert sorted(path.name for path in out.iterdir()) == WRITTEN
    printed = capsys.readouterr().out
    assert printed == (out / "summary.md").read_text() + f"\n{out}\n"
    for title in (
        "Scores of 3 files",
        "enhanced minus noisy",
        "Means by the SNR of the noisy file",
    ):
        assert f"## {title}\n" in printed
    rows, waves = read_rows(out), make_waves()
    assert list(rows[0])[: len(METRICS) + 1] == ["file", *METRICS]
    assert [row["file"] for row in rows] == list(NAMES)
    for row in rows:
        kinds = {"": "enhanced", "noisy_": "noisy"}
        for prefix, kind in kinds.items():
            pair = waves["clean"][row["file"]], waves[kind][row["file"]]
            for name, value in score(*pair).items():
                found = float(row[prefix + name])
                assert found == pytest.approx(value, abs=1e-3)
    summary = json.loads((out / "summary.json").read_text())
    pesq = [float(row["pesq"]) for row in rows]
    mean = summary["scores"]["enhanced"]["pesq"]["mean"]
    assert mean == pytest.approx(sum(pesq) / 3, abs=1e-4)
    assert summary["differences"][0]["metrics"]["pesq"]["better"] == 3
    assert sum(part["files"] for part in summary["by_snr"]) == 3
    assert "nan" not in (out / "summary.md").read_text()


def test_one_broken_pair_costs_its_scores_and_the_exit_status(
    tmp_path, capsys, caplog
):
    folders = make_corpus(tmp_path)
    (folders["enhanced"] / "p1/b.wav").write_text("no audio")
    out = tmp_path / "scores"
    words = words_of(folders, "clean", "enhanced")
    words += ["--metrics", "si_sdr,ssnr", "-o", str(out)]
    assert main(["evaluate", *words]) == 1
    assert sorted(path.name for path in out.iterdir()) == WRITTEN
    printed = capsys.readouterr().out
    assert "enhanced: 1 of 3 files without ssnr, si_sdr: broken" in printed
    assert "1 files are broken:" in caplog.text
    a, b, c = read_rows(out)
    assert list(a) == ["file", "ssnr", "si_sdr"]
    assert math.isnan(float(b["ssnr"]))
    assert float(a["ssnr"]) > float(c["ssnr"])


def test_systems_side_by_side(tmp_path, capsys):
    folders, out = make_corpus(tmp_path), tmp_path / "scores"
    words = ["--clean", str(folders["clean"]), "-o", str(out)]
    words += ["--compare", f"half={folders['enhanced']}"]
    words += ["--compare", f"no-thing={folders['noisy']}"]
    assert main(["evaluate", *words, "--metrics=si_sdr"]) == 0
    printed = capsys.readouterr().out
    assert "## no-thing minus half\n" in printed
    assert "SNR (dB)" not in printed
    assert list(read_rows(out)[0]) == [
        "file",
        "half_si_sdr",
        "no-thing_si_sdr",
    ]
    summary = json.loads((out / "summary.json").read_text())
    (part,) = summary["differences"]
    assert part["metrics"]["si_sdr"]["worse"] == 3
    assert "no-thing minus half" in (out / "report.html").read_text()


def test_narrow_band_is_said(tmp_path, capsys):
    folders = make_corpus(tmp_path)
    for kind, waves in make_waves().items():
        write_waves(folders[kind], waves, rate=8000)
    words = words_of(folders, "clean", "enhanced")
    assert main(["evaluate", *words, "--metrics", "pesq"]) == 0
    assert "- 8 kHz: PESQ is narrow band" in capsys.readouterr().out


def test_other_files_of_the_folder_stay(tmp_path):
    folders, out = make_corpus(tmp_path), tmp_path / "scores"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    (out / "metrics.csv").write_text("old")
    words = words_of(folders, "clean", "enhanced")
    words += ["--metrics", "ssnr", "-o", str(out)]
    assert main(["evaluate", *words]) == 0
    assert (out / "mine.txt").read_text() == "mine"
    assert len(read_rows(out)) == 3


@pytest.mark.parametrize("absent", ["pesq", "jinja2", "matplotlib"])
def test_a_package_that_is_missing_is_named_before_the_work(
    absent, tmp_path, monkeypatch, capsys
):
    monkeypatch.setitem(sys.modules, absent, None)
    folders, out = make_corpus(tmp_path), tmp_path / "scores"
    words = words_of(folders, "clean", "enhanced")
    words += ["--metrics", "ssnr", "-o", str(out)]
    assert main(["evaluate", *words]) == 1
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1
    assert f" need {absent}; " in printed.err and "[eval]" in printed.err
    assert not list(tmp_path.glob("scores/*"))
