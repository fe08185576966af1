"""Files that are damaged or were made to harm: an answer in one line each."""

import json
import os
import subprocess
import sys

from places import ROOT

COUNT = 200
HELPERS = ROOT / "tests" / "helpers"
#: More than a file of 2 s took: blocks and windows of 64 channels would fit,
#: what a header promises would not
MEMORY_MB = 300


def test_two_hundred_hostile_files(model_folder, tmp_path):
    command = [sys.executable, HELPERS / "hostile_worker.py"]
    run = subprocess.run(
        [*command, model_folder, tmp_path, str(COUNT)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    result = json.loads(run.stdout.splitlines()[-1])
    answers = result["answers"]
    assert len(answers) == COUNT
    for seed, answer in enumerate(answers):
        error = answer["error"]
        if error is None:
            assert answer["finite"] and answer["unread"] is None, seed
        else:
            assert f"{seed}." in error and "\n" not in error, error
            assert len(error) < 500
        if answer["unread"]:
            assert error is not None and "\n" not in answer["unread"]
    enhanced = sum(answer["error"] is None for answer in answers)
    assert 30 < enhanced < 150, "files that are all alike test little"
    assert result["mb"] < MEMORY_MB
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]
