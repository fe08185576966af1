"""Official names, and sizes read off tensors."""

import pytest
import torch
from places import OFFICIAL, ROOT

from speechbrain_semamba.checkpoints.official_weights import (
    from_official_generator,
    generator_sizes,
    to_official_generator,
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


def assert_same_bits(ours, theirs):
    """Names in the same order, shapes, types and every bit."""
    assert list(ours) == list(theirs)
    for name, tensor in ours.items():
        other = theirs[name]
        assert (tensor.shape, tensor.dtype) == (other.shape, other.dtype)
        bits = [x.contiguous().view(torch.uint8) for x in (tensor, other)]
        assert torch.equal(*bits) and tensor.is_contiguous()


def test_there_and_back(official):
    official = dict(official)
    # bits that a comparison of numbers does not see
    official["mask_decoder.lsigmoid.slope"] = torch.full((201, 1), -0.0)
    for name in ("TSMamba.0.tlinear.weight", "mask_decoder.mask_conv.4.weight"):
        official[name] = official[name].double() * torch.pi
    ours = from_official_generator(official)
    assert_same_bits(to_official_generator(ours), official)


def test_back_and_there():
    torch.manual_seed(0)
    ours = dict(SEMamba(**SIZES, n_fft=200).state_dict())
    official = to_official_generator(ours)
    assert official.keys().isdisjoint(ours)
    assert_same_bits(from_official_generator(official), ours)


@pytest.mark.parametrize("name", ["semamba_hid8", "semamba_hid8_f64"])
def test_there_and_back_of_the_larger_reference(name):
    path = ROOT.parent / "shared" / "reference" / f"{name}.pt"
    if not path.exists():
        pytest.skip("the larger reference is not beside this repository")
    official = torch.load(path, weights_only=True)["generator"]
    ours = from_official_generator(official)
    assert_same_bits(to_official_generator(ours), official)


def test_unknown_name_of_ours_is_refused():
    with pytest.raises(ValueError, match="'n_averaged' is no weight of the SE"):
        to_official_generator({"n_averaged": torch.ones(1)})


@pytest.mark.parametrize(
    "name",
    ["encoder.conv_in.conv.weight", "mask_decoder.sigmoid.slope"],
)
@pytest.mark.parametrize("shape", [(), (0,), (0, 2, 1, 1), (1, 1)])
def test_tensors_that_no_size_is_read_off(name, shape):
    weights = dict(SEMamba(**SIZES).state_dict())
    weights[name] = torch.ones(shape)
    with pytest.raises(ValueError, match=f"generator: {name!r} of shape"):
        generator_sizes(weights)


def test_sizes_that_are_not_the_defaults():
    sizes = {**SIZES, "d_conv": 3, "n_fft": 200}
    assert generator_sizes(SEMamba(**sizes).state_dict()) == sizes


def test_sizes_of_other_weights_are_refused():
    with pytest.raises(ValueError, match="not the weights of a SEMamba"):
        generator_sizes(torch.nn.Linear(2, 2).state_dict())
