"""The generator, and the enhancer from wave to wave."""

import math

import pytest
import torch
from operators import needs_kernels

from speechbrain_semamba.lobes.models.semamba import SEMamba, SEMambaEnhancer
from speechbrain_semamba.processing.levels import rms_gain
from speechbrain_semamba.processing.spectral import MagPhaseSTFT

RAGGED = (16000, 9001, 3000, 150, 1)


def build(**sizes):
    torch.manual_seed(0)
    return SEMamba(**{"channels": 8, "num_blocks": 1, **sizes}).eval()


@pytest.fixture(scope="module")
def enhance():
    return SEMambaEnhancer(build())


@pytest.fixture(scope="module")
def exact():
    """In float64: the angle of a short vector is not exact in float32."""
    return SEMambaEnhancer(build()).double()


@pytest.fixture(autouse=True)
def no_gradient():
    with torch.no_grad():
        yield


def noise(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(*shape, generator=generator)


def spectrum(batch, frames, freq=201, seed=0):
    generator = torch.Generator().manual_seed(seed)
    mag, angle = torch.rand(2, batch, frames, freq, generator=generator)
    return mag, (2 * angle - 1) * math.pi


def padded_batch(sizes):
    """Noise in a batch with loud rubbish beyond each item's end."""
    wav = noise(len(sizes), max(sizes), seed=1)
    for item, size in zip(wav, sizes):
        item[size:] = 10.0
    return wav, torch.tensor(sizes) / max(sizes)


def assert_same_angle(ours, expected, atol):
    turn = torch.remainder(ours - expected + math.pi, 2 * math.pi) - math.pi
    assert turn.abs().max() < atol


@pytest.mark.parametrize(
    "sizes, freq",
    [
        ({}, 201),
        ({"channels": 4, "num_blocks": 2, "d_state": 4, "d_conv": 2}, 201),
        ({"channels": 16, "expand": 2}, 201),
        ({"n_fft": 16}, 9),
    ],
)
@pytest.mark.parametrize("frames", [1, 7])
def test_shapes(sizes, freq, frames):
    noisy = spectrum(2, frames, freq)
    mag, phase = build(**sizes)(*noisy)
    assert mag.shape == phase.shape == (2, frames, freq)
    assert (mag >= 0).all() and (mag <= 2 * noisy[0]).all()
    assert (phase.abs() <= math.pi).all()


def test_beta_bounds_the_mask():
    noisy = spectrum(1, 7)
    mag, phase = build(beta=2.0)(*noisy)
    half, same = build(beta=1.0)(*noisy)
    torch.testing.assert_close(mag, 2 * half)
    torch.testing.assert_close(phase, same)


@pytest.mark.parametrize("n_fft", [401, 402, 403, 510])
def test_n_fft_must_be_a_multiple_of_4(n_fft):
    with pytest.raises(ValueError, match=f"multiple of 4, not {n_fft}"):
        SEMamba(channels=4, num_blocks=1, n_fft=n_fft)


def test_a_model_has_a_block():
    with pytest.raises(ValueError, match="num_blocks must be .* found 0"):
        SEMamba(channels=4, num_blocks=0)


def test_generator_ragged_equals_alone():
    # the angle of a short vector would need a loose bound in float32
    generator = build(num_blocks=2).double()
    sizes = (61, 41, 31, 3, 1)
    mag, phase = (x.double() for x in spectrum(5, 61))
    for i, size in enumerate(sizes):  # rubbish beyond each item's end
        mag[i, size:], phase[i, size:] = 50.0, 3.0
    ours = generator(mag, phase, torch.tensor(sizes) / 61)
    for i, size in enumerate(sizes):
        alone = generator(mag[i : i + 1, :size], phase[i : i + 1, :size])
        torch.testing.assert_close(
            ours[0][i, :size], alone[0][0], atol=1e-6, rtol=0
        )
        assert_same_angle(ours[1][i, :size], alone[1][0], atol=2e-6)


def test_enhancer_ragged_equals_alone(exact):
    wav, lengths = padded_batch(RAGGED)
    wav = wav.double()
    together, (mag, phase) = exact(wav, lengths)
    assert together.shape == wav.shape
    assert mag.shape == phase.shape == (5, 161, 201)
    for i, size in enumerate(RAGGED):
        alone, (mag_alone, _) = exact(wav[i : i + 1, :size])
        assert alone.abs().max() > 1e-4
        torch.testing.assert_close(
            together[i, :size], alone[0], atol=1e-9, rtol=0
        )
        assert not together[i, size:].any()
        frames = mag_alone.shape[1]
        torch.testing.assert_close(
            mag[i, :frames], mag_alone[0], atol=1e-9, rtol=0
        )


@pytest.mark.parametrize("seed", range(4))
def test_enhancer_ragged_equals_alone_for_any_wave(enhance, seed):
    """Also where the sums of a padded item are rounded otherwise."""
    sizes = (12000, 3001)
    wav = noise(4, 12000, seed=seed)[[0, 3]]
    together, _ = enhance(wav, torch.tensor(sizes) / 12000)
    for i, size in enumerate(sizes):
        alone, _ = enhance(wav[i : i + 1, :size])
        error = (together[i, :size] - alone[0]).abs().max()
        eps = torch.finfo(wav.dtype).eps
        assert error < 1000 * eps * alone.abs().max()


def test_lengths_of_one_change_nothing(exact):
    wav = noise(2, 3000).double()
    together, _ = exact(wav, torch.ones(2))
    torch.testing.assert_close(together, exact(wav)[0], atol=1e-9, rtol=0)


@pytest.mark.parametrize("length", [1, 150, 201, 16000, 16123])
def test_output_has_the_inputs_length(enhance, length):
    wav, (mag, phase) = enhance(noise(1, length))
    assert wav.shape == (1, length)
    assert mag.shape == phase.shape == (1, max(length, 201) // 100 + 1, 201)
    assert wav.isfinite().all() and wav.any()


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_not_finite_is_counted(enhance, bad):
    wav = noise(2, 1000)
    wav[0, 3] = wav[1, 7:9] = bad
    with pytest.raises(ValueError, match="but 3 of .* are NaN or infinite"):
        enhance(wav)


def test_no_samples(enhance):
    with pytest.raises(ValueError, match="a wave needs a sample"):
        enhance(torch.zeros(1, 0))


@pytest.mark.parametrize("ragged", [False, True])
def test_silence_gives_silence(enhance, ragged):
    wav = noise(2, 1000)
    wav[0] = 0
    lengths = torch.tensor([1.0, 0.5]) if ragged else None
    enhanced, _ = enhance(wav, lengths)
    assert not enhanced[0].any()
    assert enhanced[1].any() and enhanced.isfinite().all()


def test_stereo_as_a_batch_of_two(exact):
    """The level of one channel is nothing to the other."""
    wav = noise(2, 3000) * torch.tensor([[1.0], [1e-3]]).double()
    stereo, _ = exact(wav)
    for i in range(2):
        alone, _ = exact(wav[i : i + 1])
        level = wav[i].abs().max()
        assert (stereo[i] - alone[0]).abs().max() < 1e-9 * level


def scaling_error(enhance, wav, scale):
    expected = scale * enhance(wav)[0]
    error = (enhance(scale * wav)[0] - expected).abs().max()
    return (error / expected.abs().max()).item()


@pytest.mark.parametrize("scale", [3.0, 1e-5, 32768.0])
def test_scaling_goes_through(enhance, scale):
    """A wave none of whose frames is reflected onto itself."""
    wav = noise(1, 8050)
    wav[:, :300] = 0
    assert scaling_error(enhance, wav, scale) < 1e-4


def test_gain_that_is_given_takes_the_place_of_the_waves_own(exact):
    """Half the gain is what a wave beside a louder one gets."""
    wav = noise(2, 4000).double()
    own = rms_gain(wav)
    expected, (mag, _) = exact(wav)
    enhanced, _ = exact(wav, gain=own)
    assert torch.equal(enhanced, expected)
    enhanced, (softer, _) = exact(wav, gain=own / 2)
    assert (enhanced - expected).abs().max() > 1e-3 * expected.abs().max()
    assert not torch.equal(softer, mag)
    # what it is at is all that counts
    again, _ = exact(8 * wav, gain=own / 16)
    torch.testing.assert_close(again / 8, enhanced)


def test_spectrum_is_that_of_the_wave_at_one_rms():
    """An enhancer that changes nothing gives back its input."""

    def unchanged(mag, phase, lengths):
        return mag, phase

    wav, lengths = padded_batch((3000, 1001))
    enhanced, (mag, phase) = SEMambaEnhancer(unchanged)(wav, lengths)
    for i, size in enumerate((3000, 1001)):
        item = wav[i, :size]
        torch.testing.assert_close(enhanced[i, :size], item, atol=1e-5, rtol=0)
        level = item.square().mean().sqrt()
        expected, _ = MagPhaseSTFT().analyze(item[None] / level)
        torch.testing.assert_close(mag[i, : expected.shape[1]], expected[0])


def test_own_stft_is_used():
    stft = MagPhaseSTFT(64, 16, 64)
    enhance = SEMambaEnhancer(build(n_fft=64), stft)
    wav, (mag, _) = enhance(noise(1, 1000))
    assert wav.shape == (1, 1000) and mag.shape == (1, 63, 33)


@pytest.mark.parametrize("ragged", [False, True])
def test_autocast_is_close_to_float32(enhance, ragged):
    """bfloat16 has 8 bits; the bound is several times what is measured."""
    wav, lengths = padded_batch((16000, 9001))
    if not ragged:
        wav, lengths = wav[:1], None
    expected, _ = enhance(wav, lengths)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        ours, (mag, phase) = enhance(wav, lengths)
    assert phase.dtype == mag.dtype == ours.dtype == torch.float32
    assert ours.isfinite().all()
    error = ((ours - expected).norm() / expected.norm()).item()
    assert 1e-5 < error < 0.1  # autocast did something, but not much


def test_bfloat16_wave(enhance):
    wav, (mag, phase) = enhance(noise(1, 3000).bfloat16())
    assert wav.dtype == mag.dtype == phase.dtype == torch.float32
    assert wav.isfinite().all() and wav.any()


@pytest.mark.parametrize("level", [1e-25, 1e15, 1e25])
def test_any_level_stays_finite(enhance, level):
    wav, _ = enhance(level * noise(1, 1000))
    assert wav.isfinite().all()


def test_blocks_follow_each_other():
    """Each block works on what the one before it made."""
    generator = build(num_blocks=3)
    seen = []

    def watch(block, given, result):
        seen.append((given[0], result))

    for block in generator.blocks:
        block.register_forward_hook(watch)
    generator(*spectrum(1, 4))
    assert len(seen) == 3
    for (_, result), (given, _) in zip(seen, seen[1:]):
        torch.testing.assert_close(given, result)


def test_every_parameter_gets_a_gradient():
    with torch.enable_grad():
        generator = build().train()
        mag, phase = generator(*spectrum(2, 5))
        (mag.square().sum() + phase.cos().sum()).backward()
    for name, weight in generator.named_parameters():
        # a bias before a normalisation has none but rounding noise
        assert weight.grad is not None and weight.grad.isfinite().all(), name


def generators():
    """On the compiled kernels and in PyTorch, with the same weights."""
    for backend in ("cpu", "pytorch"):
        yield build(backend=backend)


@needs_kernels
@pytest.mark.parametrize("lengths", [None, (1.0, 0.4)])
def test_generator_on_the_kernels(lengths):
    """The phase is compared as a complex number, which has no jump.

    It is less exact where its real and imaginary parts are nearly zero.
    """
    lengths = None if lengths is None else torch.tensor(lengths)
    noisy = spectrum(2, 10)
    ours, plain = generators()
    with torch.no_grad():
        mag, phase = plain(*noisy, lengths)
    wave = torch.polar(mag, phase)
    for mode in (torch.enable_grad, torch.inference_mode):
        with mode():
            found, phase = (x.detach() for x in ours(*noisy, lengths))
        assert (found - mag).abs().max() < 1e-4 * mag.max()
        error = torch.polar(found, phase) - wave
        assert error.abs().max() < 1e-4 * mag.max()


@needs_kernels
@pytest.mark.parametrize("mode", [torch.enable_grad, torch.inference_mode])
def test_generator_under_autocast(mode):
    noisy = spectrum(2, 10)
    ours, _ = generators()
    with mode():
        expected = ours(*noisy)[0].detach()
        with torch.autocast("cpu", torch.bfloat16):
            y = ours(*noisy)
    assert all(x.isfinite().all() for x in y)
    error = (y[0].float() - expected).norm() / expected.norm()
    assert 0 < error < 5e-2


@pytest.mark.parametrize("backend", ["auto", "pytorch"])
def test_padding_leaves_bfloat16_as_it_is(backend):
    """Under autocast a mask in float32 would lift the features to float32."""
    generator = build(backend=backend)
    seen = []
    generator.mask_decoder.register_forward_pre_hook(
        lambda module, inputs: seen.append(inputs[0].dtype)
    )
    noisy = spectrum(2, 9)
    with torch.autocast("cpu", torch.bfloat16):
        for lengths in (None, torch.tensor([1.0, 0.5])):
            generator(*noisy, lengths)
    assert seen == [torch.bfloat16] * 2


@pytest.mark.parametrize("lengths", [None, (1.0, 0.4)])
def test_compiled_in_one_graph(lengths):
    """``fullgraph`` raises where a graph breaks: at a log, or at a loading."""
    lengths = None if lengths is None else torch.tensor(lengths)
    generator, noisy = build(), spectrum(2, 9)
    torch._dynamo.reset()
    fast = torch.compile(generator, fullgraph=True, backend="aot_eager")
    for ours, expected in zip(
        fast(*noisy, lengths), generator(*noisy, lengths)
    ):
        torch.testing.assert_close(ours, expected)


@pytest.mark.parametrize(
    "size", ["channels", "d_state", "d_conv", "expand", "n_fft"]
)
@pytest.mark.parametrize("number", [0, -4, 2.5, True])
def test_sizes_that_cannot_be(size, number):
    with pytest.raises(ValueError, match=f"{size} must be .*found {number}"):
        SEMamba(**{size: number})


def test_spectrum_of_another_transform(enhance):
    mag = torch.zeros(1, 5, 257)
    with pytest.raises(ValueError, match=r"frames, 201\], found \[1, 5, 257\]"):
        enhance.generator(mag, mag)
    with pytest.raises(
        ValueError, match=r"found \[1, 5, 201\] and \[1, 4, 201\]"
    ):
        enhance.generator(mag[..., :201], mag[:, 1:, :201])
