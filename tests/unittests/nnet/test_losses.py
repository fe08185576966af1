"""The terms of the training objective, computed by hand."""

import math

import pytest
import torch

from speechbrain_semamba.nnet import losses
from speechbrain_semamba.processing.spectral import MagPhaseSTFT

NAN = math.nan


def uniform(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(*shape, generator=generator, dtype=torch.float64)


def angles(*shape, seed=0):
    return (2 * uniform(*shape, seed=seed) - 1) * math.pi


def test_magnitude_loss():
    ours = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])
    clean = torch.tensor([[[1.0, 0.0], [0.0, 4.0]]])
    assert losses.magnitude_loss(ours, clean).item() == (4 + 9) / 4


def test_time_loss():
    ours, clean = torch.tensor([[1.0, -2.0]]), torch.tensor([[0.0, 1.0]])
    assert losses.time_loss(ours, clean).item() == (1 + 3) / 2


def test_log_mse_loss():
    ours, clean = torch.tensor([[3.0, 1.0], [1.1, 1.0]]), torch.ones(2, 2)
    in_db = (10 * math.log10(2 + 1e-3) + 10 * math.log10(0.005 + 1e-3)) / 2
    assert losses.log_mse_loss(ours, clean).item() == pytest.approx(in_db)


def test_log_mse_of_silence_has_a_finite_gradient():
    wav_hat = torch.zeros(1, 9, requires_grad=True)
    losses.log_mse_loss(wav_hat, torch.zeros(1, 9)).backward()
    assert wav_hat.grad.isfinite().all()


def test_phase_loss_of_four_angles():
    """Errors [[0.1, 0.2], [0.3, 0.5]], frames down, frequencies across."""
    error = torch.tensor([[[0.1, 0.2], [0.3, 0.5]]])
    phase = torch.tensor([[[1.0, -2.0], [0.5, 3.0]]])
    phase_itself = (0.1 + 0.2 + 0.3 + 0.5) / 4
    over_freq = (0.1 + 0.1 + 0.3 + 0.2) / 4
    over_time = (0.1 + 0.2 + 0.2 + 0.3) / 4
    expected = phase_itself + over_freq + over_time
    ours = losses.phase_loss(phase + error, phase)
    assert ours.item() == pytest.approx(expected, abs=1e-6)


def test_phase_loss_of_one_angle():
    """All three terms are the distance itself: 2 pi - 6 of 6."""
    six = torch.full((1, 1, 1), 6.0)
    ours = losses.phase_loss(six, torch.zeros(1, 1, 1))
    assert ours.item() == pytest.approx(3 * (2 * math.pi - 6), abs=1e-6)


def test_phase_loss_wraps():
    ours, clean = angles(2, 5, 6), angles(2, 5, 6, seed=1)
    turns = torch.randint(-3, 4, (2, 5, 6)) * 2 * math.pi
    expected = losses.phase_loss(ours, clean)
    torch.testing.assert_close(losses.phase_loss(ours + turns, clean), expected)
    torch.testing.assert_close(losses.phase_loss(ours, clean + turns), expected)
    torch.testing.assert_close(losses.phase_loss(clean, ours), expected)
    assert 0 < expected < 3 * math.pi


def test_complex_loss_of_a_quarter_turn():
    """1 against i: (1 + 1) / 2 a component, doubled."""
    one = torch.ones(1, 1, 1)
    ours = losses.complex_loss(one, 0 * one, one, one * math.pi / 2)
    assert ours.item() == pytest.approx(2.0, abs=1e-6)


def test_complex_loss_is_the_squared_distance():
    mag_hat, mag = uniform(2, 3, 4), uniform(2, 3, 4, seed=1)
    phase_hat, phase = angles(2, 3, 4, seed=2), angles(2, 3, 4, seed=3)
    ours = losses.complex_loss(mag_hat, phase_hat, mag, phase)
    difference = mag_hat * torch.exp(1j * phase_hat) - mag * torch.exp(
        1j * phase
    )
    torch.testing.assert_close(ours, difference.abs().square().mean())


def test_consistency_of_a_true_spectrum():
    stft = MagPhaseSTFT()
    wav = uniform(1, 1600) - 0.5
    ours = losses.consistency_loss(*stft.analyze(wav), wav, stft)
    assert 0 <= ours < 1e-8


def test_consistency_of_another_spectrum():
    stft = MagPhaseSTFT()
    mag, phase = uniform(2, 17, 201), angles(2, 17, 201)
    wav = stft.synthesize(mag, phase, 1600)
    ours = losses.consistency_loss(mag, phase, wav, stft)
    window = torch.hann_window(400, dtype=torch.float64)
    spectrum = torch.stft(wav, 400, 100, window=window, return_complex=True)
    spectrum = spectrum.transpose(1, 2)
    again = spectrum.abs() ** 0.3 * torch.exp(1j * spectrum.angle())
    difference = mag * torch.exp(1j * phase) - again
    expected = difference.abs().square().mean()
    assert expected > 0.01
    torch.testing.assert_close(ours, expected, atol=1e-6, rtol=1e-6)


def test_consistency_of_silence():
    """The eps of 1e-10 on the power: a magnitude of (1e-10)^0.15."""
    stft, wav = MagPhaseSTFT(), torch.zeros(1, 1600)
    ours = losses.consistency_loss(*stft.analyze(wav), wav, stft)
    assert ours.item() == pytest.approx(1e-10**0.3, rel=1e-5)


def test_metric_loss():
    score = torch.tensor([1.0, 0.5, 0.0])
    assert losses.metric_loss(score).item() == pytest.approx(1.25 / 3)


def discriminator_gradients(clean, score, labels):
    clean, score = (torch.tensor(x).requires_grad_() for x in (clean, score))
    loss = losses.discriminator_loss(clean, score, torch.tensor(labels))
    return [loss, *torch.autograd.grad(loss, (clean, score))]


def test_discriminator_loss():
    loss, clean, score = discriminator_gradients(
        [0.8, 0.4], [0.5, 0.1], [0.6, 0.4]
    )
    assert loss.item() == pytest.approx((0.04 + 0.36 + 0.01 + 0.09) / 2)
    torch.testing.assert_close(clean, torch.tensor([-0.2, -0.6]))
    torch.testing.assert_close(score, torch.tensor([-0.1, -0.3]))


@pytest.mark.parametrize("place", range(3))
def test_unknown_label_is_as_if_it_were_predicted(place):
    clean, score, labels = [0.8, 0.4, 0.9], [0.5, 0.1, 0.7], [0.6, 0.4, 0.2]
    masked, exact = list(labels), list(labels)
    masked[place], exact[place] = NAN, score[place]
    ours = discriminator_gradients(clean, score, masked)
    expected = discriminator_gradients(clean, score, exact)
    for x, y in zip(ours, expected):
        torch.testing.assert_close(x, y)
    assert ours[2][place] == 0


def test_shares_of_a_batch_add_up():
    """Whatever share the unknown label is in."""
    clean, score = [0.8, 0.4, 0.9, 0.2], [0.5, 0.1, 0.7, 0.3]
    labels = [0.6, NAN, 0.2, 0.5]
    whole = discriminator_gradients(clean, score, labels)[0]
    halves = [
        discriminator_gradients(clean[i], score[i], labels[i])[0]
        for i in (slice(0, 2), slice(2, 4))
    ]
    torch.testing.assert_close(whole, sum(halves) / 2)


def test_no_label_known():
    loss, clean, score = discriminator_gradients(
        [0.8, 0.4], [0.5, 0.1], [NAN, NAN]
    )
    assert loss.item() == pytest.approx((0.04 + 0.36) / 2)
    torch.testing.assert_close(clean, torch.tensor([-0.2, -0.6]))
    assert not score.any()


def impulse():
    wav = torch.zeros(1, 1600)
    wav[0, 800] = 1.0
    return wav


@pytest.mark.parametrize(
    "clean",
    [torch.zeros(1, 1600), impulse(), uniform(1, 1600).float() - 0.5],
    ids=["silence", "impulse", "noise"],
)
@pytest.mark.parametrize("mask", [0.0, 1e-30, 0.7, 1.0])
def test_all_gradients_are_finite(clean, mask):
    """Through the mask, the phase and the wave, from every term."""
    stft = MagPhaseSTFT()
    mag, phase = stft.analyze(clean)
    mask = torch.full_like(mag, mask).requires_grad_()
    phase_hat = angles(*phase.shape).float().requires_grad_()
    mag_hat = mask * mag
    wav_hat = stft.synthesize(mag_hat, phase_hat, clean.shape[1])
    terms = {
        "magnitude": losses.magnitude_loss(mag_hat, mag),
        "phase": losses.phase_loss(phase_hat, phase),
        "complex": losses.complex_loss(mag_hat, phase_hat, mag, phase),
        "time": losses.time_loss(wav_hat, clean),
        "consistency": losses.consistency_loss(
            mag_hat, phase_hat, wav_hat, stft
        ),
    }
    for name, term in terms.items():
        assert term.shape == () and term.isfinite(), name
        gradients = torch.autograd.grad(
            term, (mask, phase_hat), retain_graph=True, allow_unused=True
        )
        assert any(grad is not None for grad in gradients), name
        for grad in gradients:
            assert grad is None or grad.isfinite().all(), name


@pytest.mark.parametrize(
    "term, tensors",
    [
        (losses.phase_loss, [angles(1, 3, 4), angles(1, 3, 4, seed=1)]),
        (
            losses.complex_loss,
            [
                0.1 + uniform(1, 3, 4),
                angles(1, 3, 4),
                0.1 + uniform(1, 3, 4, seed=1),
                angles(1, 3, 4, seed=1),
            ],
        ),
    ],
)
def test_gradcheck(term, tensors):
    tensors = [x.clone().requires_grad_() for x in tensors]
    assert torch.autograd.gradcheck(term, tensors)
