"""The spectral front end against torch.stft, and its promises."""

import copy
import pickle

import pytest
import torch

from speechbrain_semamba.processing.levels import rms_gain
from speechbrain_semamba.processing.spectral import MagPhaseSTFT

LENGTHS = (1, 2, 150, 200, 201, 400, 16000, 16123)
RAGGED = (16000, 9001, 3000, 150, 1)


def noise(*shape, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=dtype)


def padded_batch(sizes):
    """Noise in a batch with loud rubbish beyond each item's end."""
    wav = noise(len(sizes), max(sizes), seed=1)
    for item, size in zip(wav, sizes):
        item[size:] = 100.0
    return wav, torch.tensor(sizes) / max(sizes)


@pytest.mark.parametrize("length", LENGTHS)
def test_synthesize_inverts_analyze(length):
    stft = MagPhaseSTFT()
    wav = noise(2, length)
    again = stft.synthesize(*stft.analyze(wav), length)
    assert again.shape == wav.shape
    assert (again - wav).abs().max() < 1e-5


def test_analyze_inverts_synthesize():
    """On a spectrum that some wave has."""
    stft = MagPhaseSTFT()
    mag, phase = stft.analyze(noise(1, 3000, dtype=torch.float64))
    wav = stft.synthesize(mag, phase, 3000)
    mag_again, phase_again = stft.analyze(wav)
    torch.testing.assert_close(mag_again, mag, atol=1e-6, rtol=0)
    ours, expected = torch.polar(mag, phase), torch.polar(mag, phase_again)
    torch.testing.assert_close(ours, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("length", [201, 400, 16123])
def test_is_torch_stft_compressed(length):
    wav = noise(2, length, dtype=torch.float64)
    mag, phase = MagPhaseSTFT().analyze(wav)
    expected = torch.stft(
        wav,
        n_fft=400,
        hop_length=100,
        win_length=400,
        window=torch.hann_window(400, dtype=torch.float64),
        center=True,
        pad_mode="reflect",
        return_complex=True,
    ).transpose(1, 2)
    assert mag.shape == (2, length // 100 + 1, 201)
    torch.testing.assert_close(mag, expected.abs() ** 0.3)
    # at 0 and 8 kHz the sign of a rounding error decides between -pi and pi
    turned = torch.polar(torch.ones_like(phase), phase - expected.angle())
    torch.testing.assert_close(turned, torch.ones_like(turned))


def test_other_sizes_and_compression():
    stft = MagPhaseSTFT(64, 16, 48, compression=0.5)
    wav = noise(1, 500)
    mag, phase = stft.analyze(wav)
    expected = torch.stft(
        wav, 64, 16, 48, torch.hann_window(48), return_complex=True
    )
    torch.testing.assert_close(
        mag, expected.abs().sqrt().transpose(1, 2), atol=1e-5, rtol=1e-4
    )
    torch.testing.assert_close(
        stft.synthesize(mag, phase, 500), wav, atol=1e-5, rtol=0
    )


def impulse(height):
    wav = torch.zeros(1, 1000)
    wav[0, 500] = height
    return wav


@pytest.mark.parametrize("eps", [0.0, 1e-10])
@pytest.mark.parametrize(
    "wav",
    [
        torch.zeros(1, 1000),
        impulse(1.0),
        impulse(1e-10),
        impulse(1e-19),
        impulse(1e-30),
        torch.full((1, 1000), 0.5),
    ],
    ids=["silence", "1", "1e-10", "1e-19", "1e-30", "constant"],
)
def test_gradient_is_finite(wav, eps):
    wav = wav.requires_grad_()
    mag, phase = MagPhaseSTFT().analyze(wav, eps=eps)
    (grad,) = torch.autograd.grad(mag.sum() + phase.sum(), wav)
    assert mag.isfinite().all() and phase.isfinite().all()
    assert grad.isfinite().all()


def test_gradient_flows():
    """A finite gradient of zero everywhere would pass the test above."""
    wav = noise(1, 300, dtype=torch.float64).requires_grad_()
    stft = MagPhaseSTFT(16, 8, 16)
    assert torch.autograd.gradcheck(stft.analyze, wav)
    mag, phase = (x.detach().requires_grad_() for x in stft.analyze(wav))
    assert torch.autograd.gradcheck(
        lambda *x: stft.synthesize(*x, 300), (mag, phase)
    )


def test_eps_is_added_as_in_the_official_loss():
    wav = 1e-5 * noise(1, 1000, dtype=torch.float64)
    mag, phase = MagPhaseSTFT().analyze(wav, eps=1e-10)
    window = torch.hann_window(400, dtype=torch.float64)
    spectrum = torch.stft(wav, 400, 100, window=window, return_complex=True)
    real, imag = spectrum.real, spectrum.imag
    expected = (real**2 + imag**2 + 1e-10).sqrt() ** 0.3
    torch.testing.assert_close(mag, expected.transpose(1, 2))
    expected = torch.atan2(imag + 1e-10, real + 1e-10)
    torch.testing.assert_close(phase, expected.transpose(1, 2))


def test_ragged_analyze_equals_alone():
    stft = MagPhaseSTFT()
    wav, lengths = padded_batch(RAGGED)
    mag, phase = stft.analyze(wav, lengths)
    assert mag.shape == phase.shape == (5, 161, 201)
    for i, size in enumerate(RAGGED):
        alone = stft.analyze(wav[i : i + 1, :size])
        frames = alone[0].shape[1]
        for ours, expected in zip((mag, phase), alone):
            torch.testing.assert_close(ours[i, :frames], expected[0])
            assert not ours[i, frames:].any()


def test_ragged_synthesize_equals_alone():
    stft = MagPhaseSTFT()
    wav, lengths = padded_batch(RAGGED)
    mag = stft.analyze(wav)[0]  # rubbish in the frames beyond each end
    phase = noise(*mag.shape, seed=2)
    together = stft.synthesize(mag, phase, 16000, lengths)
    assert together.shape == (5, 16000)
    for i, size in enumerate(RAGGED):
        frames = stft.analyze(wav[i : i + 1, :size])[0].shape[1]
        spectrum = (x[i : i + 1, :frames] for x in (mag, phase))
        alone = stft.synthesize(*spectrum, size)[0]
        torch.testing.assert_close(together[i, :size], alone)
        assert not together[i, size:].any()


def test_ragged_without_a_full_item():
    """The padded length is kept even if no item fills it."""
    stft = MagPhaseSTFT()
    wav, _ = padded_batch((1000, 500))
    lengths = torch.tensor([0.5, 0.25])
    mag, phase = stft.analyze(wav, lengths)
    assert mag.shape == (2, 11, 201)
    again = stft.synthesize(mag, phase, 1000, lengths)
    assert again.shape == (2, 1000)
    assert (again[0, :500] - wav[0, :500]).abs().max() < 1e-5
    assert (again[1, :250] - wav[1, :250]).abs().max() < 1e-5


def test_frame_lengths_count_each_items_frames():
    stft = MagPhaseSTFT()
    lengths = torch.tensor(RAGGED) / 16000
    frames = stft.frame_lengths(lengths, 16000) * 161
    alone = [stft.analyze(torch.zeros(1, n))[0].shape[1] for n in RAGGED]
    assert frames.round().tolist() == alone
    torch.testing.assert_close(frames, frames.round())


@pytest.mark.parametrize(
    "given, expected",
    [
        (torch.float64, torch.float64),
        (torch.float32, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float16, torch.float32),
    ],
)
@pytest.mark.parametrize("ragged", [False, True])
def test_dtypes(given, expected, ragged):
    stft = MagPhaseSTFT()
    lengths = torch.tensor([1.0, 0.5]) if ragged else None
    wav = noise(2, 1000, dtype=torch.float64).to(given)
    mag, phase = stft.analyze(wav, lengths)
    assert mag.dtype == phase.dtype == expected
    again = stft.synthesize(mag.to(given), phase.to(given), 1000, lengths)
    assert again.dtype == expected


def test_window_is_not_a_weight():
    stft = MagPhaseSTFT()
    assert not stft.state_dict() and not list(stft.parameters())


@pytest.mark.parametrize("level", [1e-17, 1e-6, 0.1, 1.0, 32768.0, 1e15])
def test_rms_gain_gives_one_rms(level):
    wav = level * noise(3, 4000)
    gain = rms_gain(wav)
    assert gain.shape == (3, 1) and gain.isfinite().all()
    rms = (wav * gain).square().mean(dim=1).sqrt()
    torch.testing.assert_close(rms, torch.ones(3))


def test_rms_gain_of_one_sample():
    gain = rms_gain(torch.tensor([[-0.25]]))
    torch.testing.assert_close(gain, torch.tensor([[4.0]]))


@pytest.mark.parametrize("level", [0.0, 1e-30, 1e-45])
@pytest.mark.parametrize("ragged", [False, True])
def test_rms_gain_of_silence(level, ragged):
    """What cannot be squared is silence; its neighbour is not touched."""
    wav = noise(2, 1000)
    wav[0] = level
    lengths = torch.tensor([0.5, 1.0]) if ragged else None
    gain = rms_gain(wav, lengths)
    assert gain[0] == 1
    torch.testing.assert_close(gain[1], rms_gain(wav[1:])[0])


def test_rms_gain_ignores_padding():
    wav, lengths = padded_batch(RAGGED)
    gain = rms_gain(wav, lengths)
    alone = [rms_gain(x[None, :n])[0] for x, n in zip(wav, RAGGED)]
    torch.testing.assert_close(gain, torch.stack(alone))


def test_rms_gain_of_a_padded_item_is_exactly_its_own():
    """Another rounding would turn the signs of the angles of pi."""
    sizes = torch.arange(3000, 3040).tolist()
    wav = noise(len(sizes), 4000, seed=3)
    gain = rms_gain(wav, torch.tensor(sizes) / 4000)
    alone = [rms_gain(x[None, :n])[0] for x, n in zip(wav, sizes)]
    assert torch.equal(gain, torch.stack(alone))


@pytest.mark.parametrize("level", [1e18, 1e25])
def test_rms_gain_does_not_overflow(level):
    wav = torch.full((1, 1000), level)
    gain = rms_gain(wav)
    torch.testing.assert_close(wav * gain, torch.ones_like(wav))


@pytest.mark.parametrize(
    "stft",
    [
        MagPhaseSTFT(),
        MagPhaseSTFT().double(),
        MagPhaseSTFT().half().double(),
        copy.deepcopy(MagPhaseSTFT().float()),
        pickle.loads(pickle.dumps(MagPhaseSTFT().double())),
    ],
    ids=["as made", "double", "half, double", "copied", "pickled"],
)
def test_window_is_exact_in_float64(stft):
    """Cast up from float32 it would cost 5e-7."""
    wav = noise(1, 3000, dtype=torch.float64)
    window = torch.hann_window(400, dtype=torch.float64)
    expected = torch.stft(wav, 400, 100, 400, window, return_complex=True)
    mag, phase = stft.analyze(wav)
    torch.testing.assert_close(mag, expected.abs().pow(0.3).transpose(1, 2))
    again = stft.synthesize(mag, phase, 3000)
    torch.testing.assert_close(again, wav, atol=1e-12, rtol=0)


def test_window_goes_where_the_module_goes():
    stft = MagPhaseSTFT()
    assert stft.state_dict() == {}
    assert stft.window.dtype == torch.float32
    assert stft.double().window.dtype == torch.float64
    assert stft.to("meta").window.is_meta
    assert torch.equal(
        stft.to_empty(device="cpu").window,
        torch.hann_window(400, dtype=torch.float64),
    )


@pytest.mark.parametrize(
    "options",
    [
        {"n_fft": 0},
        {"hop_length": 0},
        {"hop_length": 401},
        {"win_length": 401},
        {"compression": 0},
        {"compression": 1.5},
    ],
)
def test_transforms_that_cannot_be(options):
    with pytest.raises(ValueError, match="found "):
        MagPhaseSTFT(**options)


def test_windows_that_leave_gaps():
    """``torch.istft`` would fail at the first wave."""
    with pytest.raises(ValueError, match="hop_length 400 and win_length 400"):
        MagPhaseSTFT(hop_length=400)
    for hop_length in (1, 133, 200, 399):
        stft = MagPhaseSTFT(hop_length=hop_length)
        wav = torch.randn(1, 2000)
        assert stft.synthesize(*stft.analyze(wav), 2000).shape == wav.shape
    MagPhaseSTFT(hop_length=400, window_fn=torch.ones)
