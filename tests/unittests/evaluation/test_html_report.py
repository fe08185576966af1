"""The page of a report: what is in it, and how it does in a browser."""

import base64
import io
import re

import pytest
import soundfile
import torch
from browser import find_browser, run_in_page
from small_corpus import make_corpus, make_waves, write_waves

from speechbrain_semamba.evaluation import html_report
from speechbrain_semamba.evaluation.folder_report import (
    summarize_folders,
    write_folder,
)
from speechbrain_semamba.evaluation.folder_scores import score_folders
from speechbrain_semamba.evaluation.html_report import extremes

METRICS = ["si_sdr", "llr"]
ODD = "p2/<b>&\"'"
in_browser = pytest.mark.skipif(
    find_browser() is None, reason="no Chromium is installed"
)


def make_report(root):
    """Of three files, of one with an odd name, of a silent and a broken one."""
    folders = make_corpus(root)
    for kind, waves in make_waves().items():
        odd = {ODD: 3 * waves["p1/a"], "quiet": waves["p1/b"]}
        write_waves(folders[kind], {**odd, "broken": waves["p2/c"]})
    write_waves(folders["enhanced"], {"quiet": torch.zeros(16000).numpy()})
    (folders["enhanced"] / "broken.wav").write_text("no audio")
    result = score_folders(folders, METRICS, 0)
    write_folder(root / "report", result, summarize_folders(result))
    return root / "report" / "report.html"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return make_report(tmp_path_factory.mktemp("report"))


def test_best_and_worst_share_no_file():
    scores = {f"{i:02}": {"a": {"pesq": i, "llr": i}} for i in range(30)}
    best, worst = extremes(scores, "a", "pesq")
    assert best == [f"{i:02}" for i in range(29, 19, -1)]
    assert worst == [f"{i:02}" for i in range(10)]
    assert extremes(scores, "a", "llr") == (worst, best)
    few = dict(list(scores.items())[:3])
    few["none"] = {"a": {"pesq": float("nan")}}
    assert extremes(few, "a", "pesq") == (["02", "01"], ["00"])


def test_nothing_is_fetched(page):
    text = page.read_text(encoding="utf-8")
    sources = re.findall(r'(?:src|href)="([^"]{1,40})', text)
    assert len(sources) > 10
    assert all(s.startswith(("data:", "#")) for s in sources)
    assert not re.search(r"https?:|@import|url\(", text)


def test_names_are_text(page):
    text = page.read_text(encoding="utf-8")
    assert "<b>&" not in text and "p2/&lt;b&gt;&amp;&#34;&#39;" in text


def test_sounds_are_those_of_the_files(page):
    """Of the loud file all are turned down alike, so that none is clipped."""
    text = page.read_text(encoding="utf-8")
    article = next(a for a in text.split("<article>") if "&lt;b&gt;" in a)
    found = re.findall(r"data:audio/flac;base64,([^\"]*)", article)
    kinds = re.findall(r"<figcaption>(.*)</figcaption>", article)
    assert kinds == ["noisy", "enhanced", "clean"]
    waves = {kind: 3 * x["p1/a"] for kind, x in make_waves().items()}
    peak = max(abs(wave).max() for wave in waves.values())
    assert peak > 1
    for kind, sound in zip(kinds, found):
        decoded = io.BytesIO(base64.b64decode(sound))
        heard, rate = soundfile.read(decoded)
        assert rate == 16000
        assert abs(heard - waves[kind] / peak).max() < 2**-14


def test_sounds_are_cut(monkeypatch):
    monkeypatch.setattr(html_report, "SECONDS", 1)
    wave = torch.randn(20000)
    sounds = html_report._look_and_listen({"a": wave}, 16000)["sounds"]
    data = base64.b64decode(sounds["a"].split(",")[1])
    assert soundfile.info(io.BytesIO(data)).frames == 16000


def test_what_is_not_finite_is_silence():
    wave = torch.tensor([0.5, torch.nan, -torch.inf, 0.25]).repeat(1000)
    found = html_report._look_and_listen({"a": wave}, 16000)
    sound = base64.b64decode(found["sounds"]["a"].split(",")[1])
    heard, _ = soundfile.read(io.BytesIO(sound))
    assert heard[:4].tolist() == [0.5, 0, 0, 0.25]


def test_what_has_no_score_says_why(page):
    text = page.read_text(encoding="utf-8")
    assert '<td title="broken file">–</td>' in text
    assert '<td title="silence">–</td>' in text
    assert "enhanced: 2 of 6 files without si_sdr" in text
    assert "enhanced/broken.wav: unreadable" in text


@in_browser
@pytest.mark.parametrize("width", [390, 1280])
def test_in_a_browser(page, width, tmp_path):
    script = """
    const column = (i) => Array.from(
      document.querySelectorAll(".sortable tbody tr"),
      row => row.cells[i].textContent);
    const button = document.querySelectorAll(".sortable th button")[1];
    const sorted = [];
    for (let i = 0; i < 2; i++) {
      button.click();
      sorted.push([button.parentElement.ariaSort, column(1), column(0)]);
    }
    document.querySelector(".sortable th button").click();
    const sounds = Array.from(document.querySelectorAll("audio"));
    await Promise.all(sounds.map(s => s.readyState > 0 ||
      new Promise(go => s.addEventListener("loadedmetadata", go))));
    return {
      title: button.textContent,
      sorted,
      names: column(0),
      durations: sounds.map(s => s.duration),
      pictures: Array.from(document.images, i => i.naturalWidth),
      fetched: performance.getEntriesByType("resource")
        .map(e => e.name.slice(0, 30)).filter(n => !n.startsWith("data:")),
      overflow: document.documentElement.scrollWidth - innerWidth,
    };"""
    found, problems, console = run_in_page(page, script, tmp_path, width)
    assert problems == [] and console == [] and found["fetched"] == []
    assert found["title"] == "si_sdr"
    (up, rising, names), (down, falling, _) = found["sorted"]
    assert (up, down) == ("ascending", "descending")
    # what has no score comes last in either order
    assert rising[-2:] == falling[-2:] == ["–", "–"]
    numbers = [float(text) for text in rising[:-2]]
    assert numbers == sorted(numbers) and len(set(numbers)) > 2
    assert [float(text) for text in falling[:-2]] == numbers[::-1]
    assert set(names[-2:]) == {"broken", "quiet"}
    assert found["names"] == sorted(found["names"]) and ODD in found["names"]
    # four files with a score
    assert found["durations"] == [1] * 12
    assert min(found["pictures"]) > 100
    assert found["overflow"] <= 0
