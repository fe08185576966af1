"""Fixtures for the doctests and the tests."""

import pytest


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory):
    """A model folder with a small generator of random weights."""
    import torch

    from speechbrain_semamba.lobes.models.semamba import SEMamba
    from speechbrain_semamba.utils.model_folder import write_model_folder

    folder = tmp_path_factory.mktemp("model") / "folder"
    torch.manual_seed(0)
    sizes = {"channels": 8, "num_blocks": 1}
    weights = SEMamba(**sizes).state_dict()
    write_model_folder(folder, weights, sizes, origin="random weights")
    return folder
