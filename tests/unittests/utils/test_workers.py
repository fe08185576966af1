"""Processes that work for another: their signals, their threads."""

import os
import signal
import time
from multiprocessing.connection import wait

import pytest
import torch

from speechbrain_semamba.utils import workers
from speechbrain_semamba.utils.workers import (
    heed_parent_alone,
    sheltered_context,
    use_threads,
)


def signal_then_say(queue, number):
    """What a worker does that is signalled before it is ready."""
    os.kill(os.getpid(), number)
    heed_parent_alone()
    queue.put("ready")
    time.sleep(60)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_no_signal_ends_a_worker_before_it_is_ready(number):
    context = sheltered_context()
    if context is None:
        pytest.skip("only a forked process inherits what is blocked")
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, set())
    queue = context.SimpleQueue()
    worker = context.Process(target=signal_then_say, args=(queue, number))
    worker.start()
    assert signal.pthread_sigmask(signal.SIG_BLOCK, set()) == blocked
    ready = wait([queue._reader, worker.sentinel])
    assert ready == [queue._reader]
    assert queue.get() == "ready"
    worker.terminate()  # a parent's signal is heeded
    worker.join(20)
    assert worker.exitcode == 0


@pytest.mark.parametrize(
    "environment, count, expected",
    [
        ({"LOCAL_WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}, None, 4),
        ({"LOCAL_WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}, 3, 3),
        ({"LOCAL_WORLD_SIZE": "2", "OMP_NUM_THREADS": "2"}, None, None),
        ({"LOCAL_WORLD_SIZE": "1", "OMP_NUM_THREADS": "1"}, None, None),
        ({}, None, None),
    ],
)
def test_share_of_the_cores(environment, count, expected, monkeypatch):
    set_to = []
    monkeypatch.setattr(torch, "set_num_threads", set_to.append)
    monkeypatch.setattr(
        workers.os, "sched_getaffinity", lambda pid: range(8), raising=False
    )
    for name in ("LOCAL_WORLD_SIZE", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    use_threads(count)
    assert set_to == [expected] * (expected is not None)
