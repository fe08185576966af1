"""What a log file gets in place of progress bars."""

import io
import subprocess
import sys

import pytest
import speechbrain as sb
import torch
from tqdm import tqdm

from speechbrain_semamba.utils.progress import ProgressLines, progress_bar


class Clock:
    """Stands still unless it is moved."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def lines(clock):
    def make(items, *args, **kwargs):
        return ProgressLines(
            items, *args, file=io.StringIO(), clock=clock, **kwargs
        )

    return make


def written(lines):
    return lines.file.getvalue().splitlines()


def test_a_line_every_half_minute_and_the_last(lines, clock):
    loop = lines(range(100), "Scoring")
    times = []
    for item in loop:
        clock.now += 1
        if len(written(loop)) > len(times):
            times.append(item)
    assert times == [30, 60, 90]
    assert written(loop) == [
        "Scoring: 30/100, 00:30 gone, 01:10 to go",
        "Scoring: 60/100, 01:00 gone, 00:40 to go",
        "Scoring: 90/100, 01:30 gone, 00:10 to go",
        "Scoring: 100/100, 01:40 gone",
    ]


def test_quick_loops_say_nothing(lines):
    loop = lines(range(1000), "Checking")
    assert list(loop) == list(range(1000))
    assert written(loop) == []


def test_what_was_done_before_does_not_speed_it_up(lines, clock):
    with lines(range(2), total=100, initial=90) as loop:
        for _ in loop:
            clock.now += 40
            loop.set_postfix(train_loss="0.5, pesq=1.2", lr=0.12345)
    assert written(loop) == [
        "91/100, 00:40 gone, 06:00 to go, train_loss=0.5, pesq=1.2, lr=0.123",
        "92/100, 01:20 gone, 05:20 to go, train_loss=0.5, pesq=1.2, lr=0.123",
    ]


def test_unknown_total(lines, clock):
    loop = lines(iter("ab"), "Reading")
    for _ in loop:
        clock.now += 10
    assert written(loop) == ["Reading: 2, 00:20 gone"]


def test_a_loop_that_failed_does_not_seem_to_have_ended(lines, clock):
    loop = lines(range(9))
    with pytest.raises(ZeroDivisionError):
        with loop:
            for item in loop:
                clock.now += 10
                1 / (1 - item)
    assert written(loop) == []


def test_a_loop_that_is_left_early_tells_how_far_it_came(lines, clock):
    with lines(range(9)) as loop:
        for item in loop:
            clock.now += 10
            if item == 2:
                break
    assert written(loop) == ["2/9, 00:20 gone, 01:10 to go"]


def test_a_terminal_gets_the_bar(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    bar = progress_bar([1, 2], "Adding", colour="green")
    assert isinstance(bar, tqdm) and sum(bar) == 3
    assert "\rAdding: 100%" in sys.stderr.getvalue()
    assert "2/2" in sys.stderr.getvalue()


def test_disabled(monkeypatch):
    for stderr in (io.StringIO(), Terminal()):
        monkeypatch.setattr(sys, "stderr", stderr)
        with progress_bar([1, 2], "Adding", disable=True) as bar:
            bar.set_postfix(loss=1)
            assert sum(bar) == 3
        assert stderr.getvalue() == ""


LOOP = """
import time
from speechbrain_semamba.utils import progress
progress.SECONDS, progress.SHORT_SECONDS = 0.2, 0.1
for _ in progress.progress_bar(range(50), "Waiting", delay=1):
    time.sleep(0.01)
"""


def test_file_in_place_of_a_terminal(tmp_path):
    log = tmp_path / "log.txt"
    with open(log, "wb") as file:
        subprocess.run([sys.executable, "-c", LOOP], check=True, stderr=file)
    text = log.read_bytes().decode()
    assert "\r" not in text and "%" not in text
    assert text.endswith("\n") and "Waiting: 50/50, 00:0" in text
    assert 2 <= text.count("\n") <= 6


class LineBrain(sb.Brain):
    """The least that ``fit`` and ``evaluate`` need."""

    def compute_forward(self, batch, stage):
        return self.modules.layer(batch)

    def compute_objectives(self, predictions, batch, stage):
        return predictions.square().mean()


def test_bars_of_speechbrain(monkeypatch):
    """They are ``tqdm`` of its module, and take this in its place."""
    stderr, clock = io.StringIO(), Clock()
    monkeypatch.setattr(sys, "stderr", stderr)

    def bar(*args, **kwargs):
        made = progress_bar(*args, **kwargs)
        made.clock = clock
        made.began = made.now = made.last_time = clock()
        return made

    monkeypatch.setattr(sb.core, "tqdm", bar)
    brain = LineBrain(
        {"layer": torch.nn.Linear(2, 1)},
        lambda p: torch.optim.SGD(p, 0.1),
        run_opts={"device": "cpu"},
    )
    fit_batch, evaluate_batch = brain.fit_batch, brain.evaluate_batch

    def slow(function):
        def wrapper(*args, **kwargs):
            clock.now += 12
            return function(*args, **kwargs)

        return wrapper

    brain.fit_batch, brain.evaluate_batch = map(
        slow, (fit_batch, evaluate_batch)
    )
    loader = torch.utils.data.DataLoader(torch.randn(4, 2), batch_size=1)
    brain.fit(range(1), loader, loader)
    brain.evaluate(loader)
    text = stderr.getvalue()
    assert "\r" not in text
    lines = [x for x in text.splitlines() if " gone" in x]
    assert [x.split(",")[0] for x in lines] == ["3/4", "4/4"] * 3
    assert "train_loss=" in lines[0] and "train_loss=" not in lines[2]


def test_another_measure_than_items(lines, clock):
    with lines(None, "Enhancing", total=90.0) as loop:
        for _ in range(4):
            clock.now += 20
            loop.update(22.5)
    assert written(loop) == [
        "Enhancing: 45/90, 00:40 gone, 00:40 to go",
        "Enhancing: 90/90, 01:20 gone",
    ]
