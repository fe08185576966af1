"""The recipe in the process of the tests."""

import logging
import sys

import pytest


@pytest.fixture
def train(monkeypatch):
    """The module train.py, which may not ask the network, nor leave its
    handlers and hooks behind."""
    from speechbrain.utils import fetching

    def no_network(**_):
        pytest.fail("asked the network")

    import train

    monkeypatch.setattr(fetching.huggingface_hub, "hf_hub_download", no_network)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield train
    root.handlers[:], root.level = handlers, level
