"""Level and crop of training pairs."""

import pytest
import soundfile
import torch

from speechbrain_semamba.dataio.recorded_pairs import RecordedPairs
from speechbrain_semamba.processing.segments import crop_pair, level_pair
from speechbrain_semamba.processing.spectral import rms_gain

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


@pytest.mark.parametrize("bad", ["noisy", "clean"])
def test_file_that_is_not_finite_is_named(tmp_path, bad):
    for half in ("noisy", "clean"):
        wav = torch.ones(100)
        wav[7] = torch.nan if half == bad else 1.0
        soundfile.write(tmp_path / f"{half}.wav", wav.numpy(), 16000, "FLOAT")
    paths = [str(tmp_path / f"{half}.wav") for half in ("noisy", "clean")]
    with pytest.raises(ValueError, match=f"{bad}.wav holds samples that are"):
        RecordedPairs()(*paths, epoch=1, utterance="a")


def test_silence_stays_silence():
    silence = torch.zeros(100)
    assert torch.equal(level_pair(silence, silence), torch.zeros(2, 100))


def test_recorded_pair_is_levelled_then_cut(tmp_path):
    waves = 0.1 * torch.randn(2, 1000)
    paths = [str(tmp_path / f"{half}.wav") for half in ("noisy", "clean")]
    for path, wav in zip(paths, waves):
        soundfile.write(path, wav.numpy(), 16000, "FLOAT")
    whole = RecordedPairs()(*paths, 3, "a")
    torch.testing.assert_close(whole, level_pair(*waves))
    segment = RecordedPairs(segment=100.0, seed=7)(*paths, 3, "a")
    assert torch.equal(segment, crop_pair(whole, 100, 7, 3, "a"))

    # what is to be learnt is made of the wave as it was recorded
    quiet = RecordedPairs(target=lambda wav: wav.clamp(-0.1, 0.1))
    noisy, clean = quiet(*paths, 3, "a")
    assert torch.equal(noisy, whole[0])
    torch.testing.assert_close(
        clean, level_pair(waves[0], waves[1].clamp(-0.1, 0.1))[1]
    )
