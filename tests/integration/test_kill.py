"""Runs that are killed, against runs that are left alone."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "kill_runs.py"


@pytest.mark.parametrize(
    "options",
    [
        ["--points", "--kills=0", "--accumulation=2"],
        ["--kills=10", "--processes=2"],
    ],
    ids=["at chosen points", "at random moments, two processes"],
)
def test_killed_run_is_the_same_bit_for_bit(options):
    run = subprocess.run(
        [sys.executable, SCRIPT, *options], capture_output=True, text=True
    )
    output = run.stdout[-4000:] + run.stderr[-4000:]
    assert run.returncode == 0, output
    assert "all the same" in run.stdout
