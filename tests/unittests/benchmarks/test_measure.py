"""What a benchmark says of the conditions under which it ran."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from places import ROOT


@pytest.fixture
def measure(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import measure

    return measure


@pytest.mark.parametrize(
    "busy, warned", [(0.0, False), (0.5, True), (float("nan"), True)]
)
def test_a_warning_where_others_run_or_may_run(
    measure, monkeypatch, busy, warned
):
    monkeypatch.setattr(measure, "cores_of_others", lambda: busy)
    text = "\n".join(measure.conditions())
    assert f"kept busy at the start: {busy:.2f}" in text
    assert ("Warning" in text) == warned


@pytest.mark.skipif(
    not Path("/proc/stat").exists(), reason="reads Linux's /proc/stat"
)
def test_another_process_is_seen(measure):
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        assert measure.cores_of_others(0.5) > 0.5
    finally:
        other.kill()
        other.wait()
    assert measure.cores_of_others(0.2) <= os.cpu_count() + 0.5
