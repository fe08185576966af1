"""Rates, PCS, mix and highs around a network that is a plain function."""

import math
import weakref

import pytest
import torch
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from stub_enhancers import blocks_of, calls_of, noise, stub_enhancer

from speechbrain_semamba.inference.pipeline import enhance_blocks
from speechbrain_semamba.inference.settings import EnhancementSettings
from speechbrain_semamba.processing.levels import RunningLevel, rms_gain
from speechbrain_semamba.processing.pcs import PerceptualContrastStretching
from speechbrain_semamba.processing.resampling import resample

SHORT = {"window_seconds": 0.5, "overlap_seconds": 0.1}


def identity(noisy, gain):
    return noisy.clone()


def nothing(noisy, gain):
    return torch.zeros_like(noisy)


def enhanced(network, wav, rate=16000, sizes=(5000,), **settings):
    """[channels, samples], by way of blocks."""
    settings = EnhancementSettings(**{**SHORT, **settings})
    blocks = blocks_of(wav, sizes)
    level = RunningLevel()
    result = enhance_blocks(network, blocks, rate, 16000, settings, level)
    return torch.cat(list(result), dim=1)


def level_above(wav, rate, frequency):
    """RMS of what lies above a frequency, away from the ends."""
    wav = wav[:, rate // 10 : -(rate // 10)]
    wav = wav * torch.hann_window(wav.shape[1])
    spectrum = torch.fft.rfft(wav.double())
    first = math.ceil(frequency / rate * wav.shape[1])
    return spectrum[:, first:].abs().square().sum().sqrt().item()


@examples(max_examples=40, deadline=None)
@given(
    rate=st.integers(8000, 48000),
    out_rate=st.sampled_from([None, 8000, 16000, 44100, 48000]),
    channels=st.integers(1, 6),
    samples=st.one_of(st.integers(1, 500), st.integers(1, 40_000)),
    sizes=st.lists(st.integers(1, 20_000), min_size=1, max_size=3),
    window=st.floats(0.1, 1),
    batch=st.sampled_from([0, 1.0, 20]),
    more=st.sampled_from(
        [{}, {"pcs": "level"}, {"keep_highs": True, "strength": 0.5}]
    ),
)
def test_length_is_kept(
    rate, out_rate, channels, samples, sizes, window, batch, more
):
    # filters of rates that share no divisor take seconds to make
    rate = round(rate, -2)
    wav = noise(channels, samples, seed=samples)
    options = {"overlap_seconds": window / 3, "batch_seconds": batch, **more}
    result = enhanced(
        identity,
        wav,
        rate,
        sizes,
        window_seconds=window,
        sample_rate=out_rate,
        **options,
    )
    expected = math.ceil(samples * (out_rate or rate) / rate)
    assert result.shape == (channels, expected)
    assert result.isfinite().all()


def test_identity_at_the_models_rate_is_exact():
    wav = noise(3, 50_000)
    assert torch.equal(enhanced(identity, wav), wav)


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
@pytest.mark.parametrize("keep_highs", [False, True])
def test_no_strength_gives_the_input_back(rate, keep_highs):
    wav = noise(2, rate + 123)
    options = {"strength": 0, "keep_highs": keep_highs}
    assert torch.equal(enhanced(nothing, wav, rate, **options), wav)


@pytest.mark.parametrize("rate", [16000, 44100])
@pytest.mark.parametrize("limit", [0, 6, 12.5, 40])
def test_attenuation_limit(rate, limit):
    wav = noise(1, rate)
    result = enhanced(nothing, wav, rate, attenuation_limit=limit)
    lowered = wav * 10 ** (-limit / 20)
    torch.testing.assert_close(result, lowered, rtol=1e-6, atol=0)


def test_strength_is_a_mix():
    wav = noise(1, 30_000)
    result = enhanced(lambda x, g: -x, wav, strength=0.75)
    torch.testing.assert_close(result, -0.5 * wav)


def test_highs_of_a_network_that_keeps_all():
    wav = noise(2, 48_000)
    kept = enhanced(identity, wav, 48000, keep_highs=True)
    before, after = (level_above(x, 48000, 8000) for x in (wav, kept))
    assert abs(20 * math.log10(after / before)) < 1


def test_highs_of_a_network_that_keeps_nothing():
    wav = noise(1, 48_000)
    kept = enhanced(nothing, wav, 48000, keep_highs=True)
    assert not kept.any()


def test_highs_go_as_far_as_the_top_band():
    """20 dB less in the first half, all of the second."""
    wav = noise(1, 96_000)

    def network(noisy, gain):
        # windows are the whole here
        return torch.cat([0.1 * noisy[:, :16_000], noisy[:, 16_000:]], dim=1)

    options = {"window_seconds": 3, "overlap_seconds": 0.5}
    kept = enhanced(network, wav, 48000, keep_highs=True, **options)
    for half, factor in ((slice(0, 47_000), 0.1), (slice(49_000, None), 1)):
        before = level_above(wav[:, half], 48000, 8500)
        after = level_above(kept[:, half], 48000, 8500)
        assert after / before == pytest.approx(factor, rel=0.15)


@pytest.mark.parametrize("network", [identity, nothing])
def test_no_highs_unless_asked_for(network):
    wav = noise(1, 48_000)
    result = enhanced(network, wav, 48000)
    before, after = (level_above(x, 48000, 8100) for x in (wav, result))
    assert after < 1e-4 * before


@examples(max_examples=25, deadline=None)
@given(
    samples=st.one_of(st.integers(1, 500), st.integers(1, 40_000)),
    sizes=st.lists(st.integers(1, 9000), min_size=1, max_size=3),
)
def test_pcs_in_windows_is_that_of_the_whole(samples, sizes):
    wav = noise(2, samples, seed=samples)
    result = enhanced(lambda x, g: 0.5 * x, wav, sizes=sizes, pcs="level")
    pcs = PerceptualContrastStretching(scale=None)
    torch.testing.assert_close(result, pcs(0.5 * wav), rtol=0, atol=1e-6)


def test_batches_of_windows_are_as_large_as_asked_for():
    rows = []

    def network(noisy, gain):
        assert noisy.shape[1] == 8000 and gain.shape == (len(noisy), 1)
        rows.append(len(noisy))
        return noisy

    wav = noise(2, 16_000 * 3)
    for batch, most in ((0, 1), (0.5, 1), (1, 2), (1.6, 2), (4, 8), (100, 16)):
        rows.clear()
        assert torch.equal(enhanced(network, wav, batch_seconds=batch), wav)
        assert max(rows) == most and sum(rows) == 16


def test_level_of_a_stream_is_that_of_what_came_so_far():
    enhancer = stub_enhancer()
    wav = noise(2, 40_000) * torch.linspace(0.1, 3, 40_000)
    list(enhancer.enhance_stream(wav.split(700, dim=1), **SHORT))
    ends = [8000 + 6400 * i for i in range(5)] + [40_000]
    calls = calls_of(enhancer)
    gains = torch.stack([gain for *_, gain in calls]).view(-1, 2)
    expected = torch.stack([rms_gain(wav[:, :end])[:, 0] for end in ends])
    torch.testing.assert_close(gains, expected)


def test_stream_at_another_rate():
    enhancer = stub_enhancer()
    wav = noise(30_000)
    blocks = enhancer.enhance_stream(wav.split(100), 44100, strength=0, **SHORT)
    assert torch.equal(torch.cat(list(blocks)), wav)
    for *_, gain in calls_of(enhancer):
        assert gain.shape == (1, 1)
    low = resample(wav, 44100, 16000)
    torch.testing.assert_close(gain, rms_gain(low[None]), rtol=1e-5, atol=0)


@pytest.mark.parametrize("rate", [16000, 48000])
@pytest.mark.parametrize("more", [{}, {"pcs": "level", "keep_highs": True}])
def test_no_more_than_a_few_windows_are_held(rate, more):
    """Of a stream of 100 windows, in blocks that are counted."""
    alive, most = weakref.WeakSet(), 0

    def blocks():
        nonlocal most
        for i in range(400):
            block = noise(1, rate // 8, seed=i)
            alive.add(block.untyped_storage())
            yield block
            del block
            most = max(most, len(alive))

    settings = EnhancementSettings(batch_seconds=0.5, **SHORT, **more)
    level = RunningLevel()
    result = enhance_blocks(identity, blocks(), rate, 16000, settings, level)
    assert sum(block.shape[1] for block in result) == 50 * rate
    # a window of 4 blocks, their overlap, and what the resamplers wait for
    assert 2 < most < 16


def test_peak_of_a_stream_is_refused():
    with pytest.raises(ValueError, match="not known before its end"):
        stub_enhancer().enhance_stream([], pcs="peak")


def test_overflow_is_told():
    wav = torch.full((1, 2000), 3e38)
    wav[:, ::2] *= -1
    with pytest.raises(ValueError, match="finite.*; scale the input to -1"):
        enhanced(lambda x, g: 2 * x, wav)
