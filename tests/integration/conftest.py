"""What the tests start from: the recipe in their process, the sources alone."""

import logging
import shutil
import sys

import pytest
from places import ROOT


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


@pytest.fixture
def checkout(tmp_path):
    """A copy of the sources without what was built."""
    target = tmp_path / "checkout"
    target.mkdir()
    for name in ("setup.py", "pyproject.toml", "README.md", "Makefile"):
        shutil.copy(ROOT / name, target)
    built = shutil.ignore_patterns("*.so", "*.error", "__pycache__")
    shutil.copytree(
        ROOT / "speechbrain_semamba",
        target / "speechbrain_semamba",
        ignore=built,
    )
    return target
