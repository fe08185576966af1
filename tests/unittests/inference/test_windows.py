"""Long waves in windows: what the network gives back comes out again."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from stub_enhancers import blocks_of, noise

from speechbrain_semamba.inference.windows import cut_windows, join_windows
from speechbrain_semamba.processing.levels import RunningLevel, rms_gain


@st.composite
def cuts(draw):
    """Samples, sizes of blocks, size and overlap of windows."""
    size = draw(st.integers(2, 400))
    overlap = draw(st.integers(0, size // 2))
    samples = draw(st.integers(1, 5 * size))
    sizes = draw(st.lists(st.integers(1, 900), min_size=1, max_size=4))
    return samples, sizes, size, overlap


def windows_of(wav, sizes, size, overlap):
    level = RunningLevel()
    return list(cut_windows(blocks_of(wav, sizes), level, size, overlap))


@settings(max_examples=200, deadline=None)
@given(cuts())
def test_windows_are_whole_and_cover_the_stream(cut):
    samples, sizes, size, overlap = cut
    wav = torch.arange(1.0, samples + 1).repeat(2, 1)
    windows = windows_of(wav, sizes, size, overlap)
    assert [w.is_last for w in windows] == [False] * (len(windows) - 1) + [True]
    assert windows[0].start == 0
    if samples <= size:
        assert len(windows) == 1
    ends = []
    for window in windows:
        length = window.noisy.shape[1]
        assert length == min(size, samples)
        end = window.start + length
        assert torch.equal(window.noisy, wav[:, window.start : end])
        ends.append(end)
    assert ends[-1] == samples
    for window, end in zip(windows[1:], ends):
        assert end - window.start >= overlap
        assert window.is_last or end - window.start == overlap


@settings(max_examples=200, deadline=None)
@given(cuts())
def test_identity_comes_out_bit_for_bit(cut):
    samples, sizes, size, overlap = cut
    wav = noise(2, samples, seed=samples)
    windows = windows_of(wav, sizes, size, overlap)
    joined = join_windows([(w, w.noisy) for w in windows], overlap)
    joined = torch.cat(list(joined), dim=2)
    assert torch.equal(joined, torch.stack([wav, wav]))


@settings(max_examples=100, deadline=None)
@given(cuts())
def test_a_seam_is_no_steeper_than_its_fade(cut):
    """Windows that are enhanced unalike, on a constant wave."""
    samples, sizes, size, overlap = cut
    windows = windows_of(torch.ones(1, samples), sizes, size, overlap)
    factors = [(i * 7 % 5) / 4 for i in range(len(windows))]
    pairs = [(w, f * w.noisy) for w, f in zip(windows, factors)]
    joined = torch.cat(list(join_windows(pairs, overlap)), dim=2)[1, 0]
    assert joined.min() >= 0 and joined.max() <= 1
    fade = max(1, overlap - 2 * (overlap // 4))
    assert (joined.diff().abs() <= 1 / fade + 1e-6).all()
    # the first and the last sample are those of their windows alone
    assert joined[0] == factors[0] and joined[-1] == factors[-1]


@settings(max_examples=100, deadline=None)
@given(cuts())
def test_level_is_that_of_all_that_came(cut):
    samples, sizes, size, overlap = cut
    wav = noise(2, samples, seed=samples)
    for window in windows_of(wav, sizes, size, overlap):
        end = window.start + window.noisy.shape[1]
        torch.testing.assert_close(window.gain, rms_gain(wav[:, :end]))


def test_empty_streams_have_no_window():
    for blocks in ([], [torch.zeros(1, 0)]):
        assert list(cut_windows(blocks, RunningLevel(), 10, 2)) == []
    assert list(join_windows([], 2)) == []
