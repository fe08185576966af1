"""Pairs of waves, from pairs of files."""

import pytest
import soundfile
import torch

from speechbrain_semamba.dataio.recorded_pairs import RecordedPairs
from speechbrain_semamba.processing.levels import level_pair
from speechbrain_semamba.processing.segments import crop_pair


@pytest.mark.parametrize("bad", ["noisy", "clean"])
def test_file_that_is_not_finite_is_named(tmp_path, bad):
    for half in ("noisy", "clean"):
        wav = torch.ones(100)
        wav[7] = torch.nan if half == bad else 1.0
        soundfile.write(tmp_path / f"{half}.wav", wav.numpy(), 16000, "FLOAT")
    paths = [str(tmp_path / f"{half}.wav") for half in ("noisy", "clean")]
    with pytest.raises(ValueError, match=f"{bad}.wav holds samples that are"):
        RecordedPairs()(*paths, epoch=1, utterance="a")


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


def test_segment_of_no_samples():
    with pytest.raises(ValueError, match="segment must be .* found 0"):
        RecordedPairs(segment=0.5)
