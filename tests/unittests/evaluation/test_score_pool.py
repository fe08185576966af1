"""The pool of scoring processes against scores computed inline."""

import math
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from speech_like import SPEECH, syllables, with_noise

from speechbrain_semamba.evaluation import score_pool
from speechbrain_semamba.evaluation.metrics import METRICS, Metric
from speechbrain_semamba.evaluation.pesq_scores import pesq
from speechbrain_semamba.evaluation.score_pool import ScorePool


@pytest.fixture(scope="module")
def pool():
    return ScorePool(num_workers=2)


@pytest.fixture(scope="module")
def waves():
    """Five of different lengths, in falling quality; the third is silent."""
    clean = [syllables(8000 + 1000 * i, seed=i) for i in range(5)]
    noisy = [with_noise(x, 0.01 * 2**i) for i, x in enumerate(clean)]
    clean[2] = np.zeros_like(clean[2])
    return clean, noisy


def scores_of(pool, clean, noisy, metrics=("pesq",)):
    """Starts all pairs before it waits for the first."""
    futures = [pool.start(x, y, metrics) for x, y in zip(clean, noisy)]
    return [future.result() for future in futures]


def assert_same_scores(ours, expected):
    assert len(ours) == len(expected)
    for x, y in zip(ours, expected):
        assert list(x) == list(y)
        # the number of threads decides how NumPy rounds a sum
        ours_now, expected_now = list(x.values()), list(y.values())
        np.testing.assert_allclose(ours_now, expected_now, rtol=1e-9)


@pytest.mark.parametrize("num_workers", [0, 1])
def test_scores_keep_order_and_neighbours(waves, num_workers):
    results = scores_of(ScorePool(num_workers), *waves)
    assert_same_scores(results, [{"pesq": pesq(*both)} for both in zip(*waves)])
    values = [result["pesq"] for result in results]
    assert math.isnan(values.pop(2))
    assert values == sorted(values, reverse=True) and values[0] > values[-1]


def test_workers_score_as_inline(pool, waves):
    names = list(METRICS)
    expected = scores_of(ScorePool(), *waves, names)
    ours = scores_of(pool, *waves, names)
    assert_same_scores(ours, expected)
    assert {value.reason for value in ours[2].values()} == {"silence"}
    for name in ("pesq", "si_sdr"):
        failed = [math.isnan(result[name]) for result in expected]
        assert failed == [False, False, True, False, False]


def test_workers_are_other_processes(pool, waves, monkeypatch):
    """What is patched here does not reach them, but reaches the inline."""
    monkeypatch.setitem(METRICS, "pesq", Metric(lambda *args: -1.0))
    inline = scores_of(ScorePool(), *waves)
    assert [result["pesq"] for result in inline] == [-1.0] * 5
    assert scores_of(pool, *waves)[0]["pesq"] > 1


def test_starts_overlap_and_may_stay_unread(pool, waves):
    unread = [pool.start(x, y, ["si_sdr"]) for x, y in zip(*waves)]
    again = scores_of(pool, *waves, ["si_sdr"])
    assert_same_scores([future.result() for future in unread], again)


def test_sample_rate_reaches_the_metrics(monkeypatch):
    monkeypatch.setitem(METRICS, "rate", Metric(lambda c, e, rate: rate))
    future = ScorePool(sample_rate=8000).start(SPEECH, SPEECH, ["rate"])
    assert future.result() == {"rate": 8000.0}


def test_workers_share_the_cores_of_a_machine(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: range(16))
    assert ScorePool(4).num_workers == 4
    assert ScorePool(99).num_workers == 16
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "8")
    assert ScorePool(4).num_workers == 2
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "99")
    assert ScorePool(4).num_workers == 1
    assert ScorePool(0).num_workers == 0


def num_threads():
    """Of PyTorch, and those of this process that are not Python's."""
    np.ones((600, 600)) @ np.ones((600, 600))
    tasks = Path("/proc/self/task")  # Linux
    others = threading.active_count()
    if tasks.exists():
        others = len(list(tasks.iterdir()))
    return torch.get_num_threads(), others - threading.active_count()


def test_workers_take_one_thread_each(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    pool = ScorePool(num_workers=1)
    assert pool._executor.submit(num_threads).result() == (1, 0)


PARENT = """
import os, signal, sys
from speechbrain_semamba.evaluation.score_pool import ScorePool

if __name__ == "__main__":
    pool = ScorePool(1)
    print(pool._executor.submit(os.getpid).result(), flush=True)
    sys.stdin.readline()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    # a dead one whose new parent has not looked after it counts as dead
    return not (stat.exists() and ") Z " in stat.read_text())


def test_workers_outlive_signals_but_not_their_parent():
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    worker = int(parent.stdout.readline())
    for number in (signal.SIGTERM, signal.SIGINT):
        os.kill(worker, number)
    time.sleep(0.5)
    assert is_running(worker)
    parent.communicate("go on\n")
    deadline = time.monotonic() + 20
    while is_running(worker) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not is_running(worker)


def test_worker_whose_parent_died_before_it_began():
    """As is left when a run is killed while it starts its workers."""
    parent = subprocess.Popen(["true"])
    parent.wait()
    code = (
        "import time\n"
        "from speechbrain_semamba.utils.workers import heed_parent_alone\n"
        f"heed_parent_alone(parent={parent.pid})\n"
        "time.sleep(60)\n"
        "raise SystemExit(1)\n"
    )
    worker = subprocess.run([sys.executable, "-c", code], timeout=30)
    assert worker.returncode == 0


def dies(reference, estimate, sample_rate, metrics):
    """Scores like ``score``, but dies of what is longer than a second."""
    if len(reference) > 16000:
        os.kill(os.getpid(), signal.SIGKILL)
    return dict.fromkeys(metrics, float(len(reference)))


def test_death_of_a_worker_costs_one_score(monkeypatch, caplog):
    monkeypatch.setattr(score_pool, "score", dies)
    pool = ScorePool(num_workers=1)

    def scores_of_sizes(*sizes):
        pending = [
            pool.start(np.zeros(n), np.zeros(n), name=f"file {n}")
            for n in sizes
        ]
        return [scores.result()["pesq"] for scores in pending]

    first, second, dead, third = scores_of_sizes(1, 2, 16001, 3)
    assert [first, second, third] == [1, 2, 3] and math.isnan(dead)
    assert dead.reason == "its process died"
    assert scores_of_sizes(4) == [4]  # the pool works on
    warnings = [record.getMessage() for record in caplog.records]
    assert warnings == [
        "file 16001: the process that scored it died, so it has no score"
    ]
    pool.close()


def test_long_pair_does_not_end_this_process(monkeypatch, caplog):
    monkeypatch.setattr(score_pool, "score", dies)
    monkeypatch.setattr(score_pool, "SAFE_SECONDS", 1)
    long, short = np.zeros(16001), np.zeros(16000)
    pool = ScorePool(num_workers=0)
    assert math.isnan(pool.start(long, long).result()["pesq"])
    assert pool.start(short, short).result()["pesq"] == 16000
    assert "a pair: the process" in caplog.text


def test_more_bursts_than_pesq_has_room_for():
    """A pair as of a meeting, on which the C code overruns its memory; what
    it gives then is a number, NaN or the process's death."""
    bursts = [np.pad(syllables(9600, seed=i), (0, 6400)) for i in range(70)]
    clean = np.concatenate(bursts)
    pool = ScorePool(num_workers=0)
    scores = pool.start(clean, with_noise(clean, 0.003)).result()
    assert list(scores) == ["pesq"]
