"""Level and crop of training pairs."""

import pytest
import torch

from speechbrain_semamba.processing.levels import level_pair, rms_gain
from speechbrain_semamba.processing.segments import crop_pair

PAIR = torch.arange(100_000.0).expand(2, -1)


def start(**changes):
    """Where a crop starts: its first sample, by the construction of PAIR."""
    options = {"segment": 100, "seed": 1, "epoch": 1, "utterance": "p226_001"}
    return crop_pair(PAIR, **{**options, **changes})[0, 0].item()


def test_same_arguments_same_crop():
    torch.manual_seed(0)
    first = start()
    torch.manual_seed(1)
    assert start() == first


@pytest.mark.parametrize(
    "change", [{"seed": 2}, {"epoch": 2}, {"utterance": "p226_002"}]
)
def test_each_argument_moves_the_crop(change):
    assert start(**change) != start()


def test_crops_reach_both_ends():
    pair = torch.arange(5.0).expand(2, -1)
    starts = {
        crop_pair(pair, 3, 1, epoch, "a")[0, 0].item() for epoch in range(50)
    }
    assert starts == {0, 1, 2}


def test_both_waves_are_cut_at_the_same_place():
    pair = torch.stack([PAIR[0], -PAIR[0]])
    noisy, clean = crop_pair(pair, 100, 1, 1, "a")
    assert torch.equal(noisy, -clean) and noisy[-1] - noisy[0] == 99


@pytest.mark.parametrize("samples", [1, 99, 100])
def test_short_pairs_are_filled_with_zeros(samples):
    pair = torch.ones(2, samples)
    crop = crop_pair(pair, 100, 1, 1, "a")
    assert crop.shape == (2, 100)
    assert torch.equal(crop[:, :samples], pair)
    assert crop[:, samples:].abs().sum() == 0


def test_gain_is_that_of_the_whole_noisy_file():
    noisy = torch.cat([torch.zeros(1000), torch.ones(1000)])
    clean = torch.full((2000,), 0.5)
    levelled = level_pair(noisy, clean)
    assert levelled[0].square().mean() == pytest.approx(1)
    assert levelled[1, 0] == pytest.approx(0.5 * 2**0.5)
    # the gain of a crop of it would be another one
    assert rms_gain(noisy[None, 1000:]).item() == pytest.approx(1)


def test_silence_stays_silence():
    silence = torch.zeros(100)
    assert torch.equal(level_pair(silence, silence), torch.zeros(2, 100))
