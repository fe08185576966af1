"""Where a process computes."""

import pytest
import torch

from speechbrain_semamba.utils import devices
from speechbrain_semamba.utils.devices import choose_device


@pytest.mark.parametrize(
    "name, local_rank, expected",
    [
        ("auto", 1, "cuda:1"),
        ("cuda", 3, "cuda:1"),
        ("cuda:0", 1, "cuda:0"),
        ("cpu", 1, "cpu"),
    ],
)
def test_each_process_has_its_gpu(name, local_rank, expected, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(devices, "check_device", lambda name: None)
    assert choose_device(name, local_rank) == expected


def test_auto_without_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto", 1) == "cpu"
