"""Threads of several processes on one machine."""

import pytest
import torch

from speechbrain_semamba.utils import workers
from speechbrain_semamba.utils.workers import use_threads


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
