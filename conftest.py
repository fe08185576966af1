"""Fixtures for the doctests and the tests."""

import signal
import sys

import pytest


def pytest_configure():
    """Gives Ctrl-C its usual meaning, in the processes of the tests as well.

    A shell has what it starts in the background ignore it.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems():
    """Lets hypothesis read ``__file__`` of SpeechBrain's lazy modules.

    It asks every module for it; a lazy one would import its integration,
    such as k2, which need not be installed.
    """
    for module in list(sys.modules.values()):
        if type(module).__module__ == "speechbrain.utils.importutils":
            vars(module).setdefault("__file__", None)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory):
    """A model folder with a small generator of random weights."""
    import torch

    from speechbrain_semamba.checkpoints.model_folder import write_model_folder
    from speechbrain_semamba.lobes.models.semamba import SEMamba

    folder = tmp_path_factory.mktemp("model") / "folder"
    torch.manual_seed(0)
    sizes = {"channels": 8, "num_blocks": 1}
    weights = SEMamba(**sizes).state_dict()
    write_model_folder(folder, weights, sizes, origin="random weights")
    return folder
