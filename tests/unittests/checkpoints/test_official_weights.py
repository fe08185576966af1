"""Official names, and sizes read off tensors."""

import pytest
import torch
from places import OFFICIAL

from speechbrain_semamba.checkpoints.official_weights import (
    from_official_generator,
    generator_sizes,
)
from speechbrain_semamba.lobes.models.semamba import SEMamba

SIZES = {"channels": 8, "num_blocks": 2, "d_state": 4, "expand": 2}


@pytest.fixture(scope="module")
def official():
    return torch.load(OFFICIAL, weights_only=True)["generator"]


def test_every_official_name_has_one_of_ours(official):
    ours = from_official_generator(official)
    assert len(ours) == len(official)
    assert ours.keys() == SEMamba(channels=8, num_blocks=1).state_dict().keys()


def test_unknown_official_name_is_refused(official):
    with pytest.raises(ValueError, match="'loss_weight' is no weight of"):
        from_official_generator({**official, "loss_weight": torch.ones(1)})


def test_sizes_that_are_not_the_defaults():
    sizes = {**SIZES, "d_conv": 3, "n_fft": 200}
    assert generator_sizes(SEMamba(**sizes).state_dict()) == sizes


def test_sizes_of_other_weights_are_refused():
    with pytest.raises(ValueError, match="not the weights of a SEMamba"):
        generator_sizes(torch.nn.Linear(2, 2).state_dict())
