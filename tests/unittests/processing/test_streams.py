"""A function of a stream, piece by piece, is the function of the whole."""

import weakref
from fractions import Fraction
from functools import partial
from itertools import islice

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from stub_enhancers import blocks_of, noise

from speechbrain_semamba.inference.pipeline import CONTEXT
from speechbrain_semamba.processing.highs import top_band_gain
from speechbrain_semamba.processing.pcs import PerceptualContrastStretching
from speechbrain_semamba.processing.resampling import (
    resample,
    resample_stream,
)
from speechbrain_semamba.processing.streams import (
    in_pieces,
    in_step,
    in_two,
    waves_of,
)

#: Rounding of sums that are the same but grouped otherwise, at a scale of 1
ROUNDING = 100 * torch.finfo(torch.float32).eps
RATES = (8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000)
#: None of them above 0: a generator must end
sizes = st.lists(st.integers(1, 9000), min_size=1, max_size=4)
samples = st.one_of(st.integers(1, 400), st.integers(1, 30_000))


def joined(blocks):
    return torch.cat(list(blocks), dim=-1)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(RATES), st.sampled_from(RATES), samples, sizes)
def test_resampling(rate_in, rate_out, samples, sizes):
    wav = noise(2, samples, seed=samples, scale=1)
    blocks = resample_stream(blocks_of(wav, sizes), rate_in, rate_out)
    expected = resample(wav, rate_in, rate_out)
    torch.testing.assert_close(
        joined(blocks), expected, rtol=0, atol=10 * ROUNDING
    )


def test_rates_that_no_filter_fits():
    """Filters made where they are needed, block by block."""
    wav = noise(1, 60_000, scale=1)
    blocks = resample_stream(wav.split(25_000, dim=1), 16001, 16000)
    expected = resample(wav, 16001, 16000)
    torch.testing.assert_close(
        joined(blocks), expected, rtol=0, atol=10 * ROUNDING
    )


@settings(max_examples=30, deadline=None)
@given(samples, sizes, st.integers(1, 50).map(lambda n: 100 * n))
def test_contrast_stretching(samples, sizes, piece):
    pcs = PerceptualContrastStretching(scale=None)
    wav = noise(2, samples, seed=samples)
    blocks = in_pieces(blocks_of(wav, sizes), pcs, CONTEXT, piece, step=100)
    expected = pcs(wav)
    torch.testing.assert_close(joined(blocks), expected, rtol=0, atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(samples, sizes, st.integers(1, 50).map(lambda n: 100 * n))
def test_top_band_gain(samples, sizes, piece):
    pair = noise(2, 1, samples, seed=samples)
    # louder and softer, so that the gain moves
    pair[1] *= 0.5 + 0.5 * torch.sin(torch.arange(samples) / 700.0)

    def gain(pair):
        return top_band_gain(*pair)

    blocks = in_pieces(blocks_of(pair, sizes), gain, CONTEXT, piece, step=100)
    torch.testing.assert_close(
        joined(blocks), gain(pair), rtol=0, atol=10 * ROUNDING
    )


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 300),
    st.lists(st.integers(1, 90), min_size=1, max_size=4),
    st.integers(0, 20),
    st.integers(1, 40),
    st.integers(1, 9),
)
def test_function_that_sees_as_far_as_it_says(
    samples, sizes, context, piece, step
):
    """Exactly, in whole numbers: a box of ``context`` on either side."""
    wav = torch.randint(-99, 99, (1, samples))

    def box(x):
        pad = torch.nn.functional.pad(x, (context, context))
        return pad.unfold(1, 2 * context + 1, 1).sum(dim=-1)

    blocks = in_pieces(blocks_of(wav, sizes), box, context, piece, step)
    assert torch.equal(joined(blocks), box(wav))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 300),
    st.lists(st.integers(1, 90), min_size=1, max_size=4),
    st.integers(1, 7),
    st.integers(1, 7),
)
def test_ratio(samples, sizes, up, down):
    """A function that repeats and drops samples on its grid."""
    ratio = Fraction(up, down)

    def pick(x):
        count = -(-x.shape[-1] * up // down)
        return x[..., torch.arange(count) * down // up]

    wav = torch.arange(samples)
    options = {"context": 3, "piece": 10, "step": ratio.denominator}
    blocks = in_pieces(blocks_of(wav, sizes), pick, ratio=ratio, **options)
    assert torch.equal(joined(blocks), pick(wav))


@pytest.mark.parametrize("blocks", [[], [torch.zeros(1, 0)] * 2])
def test_empty_streams_stay_empty(blocks):
    calls = []
    assert list(in_pieces(blocks, calls.append, 3, 10)) == []
    assert list(resample_stream(blocks, 8000, 16000)) == []
    assert list(in_step(blocks, [torch.ones(1, 4)])) == []
    assert list(waves_of(blocks)[1]) == []
    assert not calls


def test_empty_blocks_between_others():
    blocks = [torch.zeros(0), torch.ones(3), torch.zeros(0), torch.ones(2)]
    assert len(joined(in_pieces(blocks, torch.neg, 1, 2))) == 5
    pairs = list(in_step(blocks, [torch.ones(5)]))
    assert [len(left) for left, _ in pairs] == [3, 2]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 9), max_size=5), min_size=1, max_size=3)
)
def test_side_by_side(sizes):
    """Each stream says its own samples; the shortest ends all."""
    streams = [torch.arange(sum(s)).split(s) if s else () for s in sizes]
    shortest = min(sum(s) for s in sizes)
    told = list(in_step(*streams))
    assert all(len({len(part) for part in parts}) == 1 for parts in told)
    for stream in zip(*told):
        assert torch.cat(stream).tolist() == list(range(shortest))
    if not told:
        assert shortest == 0


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 9), st.lists(st.booleans(), max_size=30))
def test_two_readers(count, turns):
    """Whoever reads, each gets every block; none is held for longer."""
    alive = weakref.WeakSet()

    def blocks():
        for i in range(count):
            block = torch.tensor([i])
            alive.add(block)
            yield block
            del block

    readers, had = in_two(blocks()), ([], [])
    for turn in turns:
        had[turn].extend(block.item() for block in islice(readers[turn], 1))
        # and the one that the source has just given
        assert len(alive) <= abs(len(had[0]) - len(had[1])) + 1
    for reader, blocks in zip(readers, had):
        blocks.extend(block.item() for block in reader)
        assert blocks == list(range(count))


def test_rates_are_checked_before_anything_is_read():
    def blocks():
        pytest.fail("read already")
        yield

    for rates in ((2**31, 16000), (16000, 999), (0, 8000), (8000.5, 16000)):
        with pytest.raises(ValueError, match="a sample rate"):
            resample_stream(blocks(), *rates)


def test_blocks_as_users_give_them():
    stream = partial(waves_of)
    is_mono, waves = stream([torch.ones(2), torch.ones(3).double().numpy()])
    assert is_mono
    assert [(w.shape, w.dtype) for w in waves] == [
        ((1, 2), torch.float32),
        ((1, 3), torch.float32),
    ]
    wav = torch.ones(2, 3, requires_grad=True)
    is_mono, (wav,) = stream([wav])
    assert not is_mono and not wav.requires_grad


@pytest.mark.parametrize(
    "blocks",
    [
        [torch.ones(2, 3), torch.ones(1, 3)],
        [torch.ones(3), torch.ones(1, 3)],
        [torch.ones(1, 3), torch.ones(3)],
        [torch.tensor(1.0)],
        [torch.ones(1, 1, 3)],
    ],
)
def test_blocks_that_are_no_waves(blocks):
    with pytest.raises(ValueError, match=r"must be .*\[.*samples\], .*found"):
        list(waves_of(blocks)[1])
