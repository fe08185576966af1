"""A run over many files; the whole command is tested in integration."""

import json

import pytest
import soundfile
import torch

from speechbrain_semamba.inference.enhancement import SEMambaEnhancement
from speechbrain_semamba.inference.folders import runs
from speechbrain_semamba.inference.folders.plans import make_plan
from speechbrain_semamba.inference.folders.runs import Run
from speechbrain_semamba.inference.folders.showing import FileProgress
from speechbrain_semamba.inference.settings import EnhancementSettings


@pytest.fixture
def enhancer(model_folder):
    return SEMambaEnhancement.from_hparams(source=model_folder)


@pytest.fixture
def noisy(tmp_path):
    """Three files, one of them broken behind its header."""
    folder = tmp_path / "noisy"
    folder.mkdir()
    for name, seconds in (("a", 2.0), ("b", 0.5), ("c", 0.25)):
        noise = 0.1 * torch.randn(round(seconds * 16000))
        if name == "b":
            noise[100] = float("nan")
        kind = {"subtype": "FLOAT"} if name == "b" else {}
        soundfile.write(folder / f"{name}.wav", noise.numpy(), 16000, **kind)
    return folder


def test_progress_ends_at_the_whole_whatever_fails(
    enhancer, noisy, tmp_path, monkeypatch
):
    """And a file of several windows moves it on its way."""
    shown, steps = [], []

    class Watched(FileProgress):
        def __init__(self, jobs):
            super().__init__(jobs)
            shown.append(self)

        def _tell(self, seconds):
            super()._tell(seconds)
            steps.append(self.files)

    monkeypatch.setattr(runs, "FileProgress", Watched)
    settings = EnhancementSettings(window_seconds=0.5, overlap_seconds=0.1)
    run = Run(make_plan([str(noisy)], str(tmp_path / "out")))
    states = [outcome.state for outcome in run.enhance(enhancer, settings)]
    assert sorted(states) == ["failed", "written", "written"]
    assert shown[0].told == pytest.approx(2.75, abs=1e-3)
    assert shown[0].files == 3
    assert steps.count(0) > 1  # within the first, the longest


def test_account(enhancer, noisy, tmp_path):
    out, report = tmp_path / "out", tmp_path / "new" / "report.json"
    out.mkdir()
    (out / "c.wav").write_text("there already")
    plan = make_plan([str(noisy)], str(out), existing="skip")
    run = Run(plan)
    list(run.enhance(enhancer, EnhancementSettings()))
    totals, is_last = run.account(report, {"strength": 1.0})
    assert is_last and totals["files"] == 3
    assert [totals[k] for k in ("written", "skipped", "failed")] == [1, 1, 1]
    assert totals["audio_seconds"] == 2.0
    told = json.loads(report.read_text())
    assert told["settings"] == {"strength": 1.0} and told["totals"] == totals
    states = {file["input"][-5]: file["state"] for file in told["files"]}
    assert states == {"a": "written", "b": "failed", "c": "skipped"}
    assert (out / "c.wav").read_text() == "there already"


def test_what_is_there_is_refused_before_any_work(noisy, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "c.wav").touch()
    words = [str(noisy)], str(tmp_path / "out")
    with pytest.raises(FileExistsError, match="c.wav exists already;"):
        make_plan(*words)
    assert len(make_plan(*words, existing="replace").targets) == 3
