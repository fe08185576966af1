"""Parity with the official implementation, from tests/reference/official.pt."""

from pathlib import Path

import pytest
import torch

from speechbrain_semamba.lobes.models.metric_discriminator import (
    MetricDiscriminator,
)
from speechbrain_semamba.lobes.models.semamba import SEMamba, SEMambaEnhancer
from speechbrain_semamba.nnet import losses
from speechbrain_semamba.processing.spectral import MagPhaseSTFT, rms_gain
from speechbrain_semamba.utils.checkpoints import (
    check_fit,
    from_official_generator,
    generator_sizes,
)

REFERENCE = Path(__file__).parents[1] / "reference" / "official.pt"


@pytest.fixture(scope="module")
def official():
    return torch.load(REFERENCE, weights_only=True)


@pytest.fixture
def generator(official):
    weights = from_official_generator(official["generator"])
    model = SEMamba(**generator_sizes(weights))
    check_fit(model, weights, "official.pt")
    return model.eval()


@pytest.fixture
def discriminator(official):
    # dropout off, as in the official trace
    model = MetricDiscriminator(dropout=0.0)
    check_fit(model, official["discriminator"], "official.pt")
    return model


def relative_error(ours, theirs):
    return ((ours - theirs).norm() / theirs.norm()).item()


def phase_error(ours, theirs):
    pairs = [(ours.cos(), theirs.cos()), (ours.sin(), theirs.sin())]
    return max(relative_error(a, b) for a, b in pairs)


def test_sizes_are_read_off_the_weights(official, generator):
    weights = from_official_generator(official["generator"])
    config = official["config"]
    sizes = generator_sizes(weights)
    assert sizes["channels"] == config["hid_feature"]
    assert sizes["num_blocks"] == config["num_tfmamba"]
    for key in ("d_state", "d_conv", "expand", "n_fft"):
        assert sizes.get(key) == config.get(key, sizes.get(key))


def test_spectrum(official):
    noisy = official["noisy"][None]
    mag, phase = MagPhaseSTFT().analyze(noisy * rms_gain(noisy))
    assert relative_error(mag[:, ::4], official["noisy_mag"]) < 1e-4
    # where there is energy: the phase of rounding noise is arbitrary
    loud = official["noisy_mag"] > 0.05
    ours, theirs = phase[:, ::4][loud], official["noisy_pha"][loud]
    assert phase_error(ours, theirs) < 1e-4


@torch.no_grad()
def test_generator_output(official, generator):
    noisy = official["noisy"][None]
    _, (mag, phase) = SEMambaEnhancer(generator)(noisy)
    assert relative_error(mag[:, ::4], official["mag"]) < 1e-4
    assert phase_error(phase[:, ::4], official["pha"]) < 1e-4


@torch.no_grad()
def test_enhanced_wave(official, generator):
    wav, _ = SEMambaEnhancer(generator)(official["noisy"][None])
    assert relative_error(wav, official["enhanced"]) < 1e-4
    assert (wav - official["enhanced"]).abs().max() < 1e-4


def training_step(official, generator, discriminator, optimizers):
    """One step in the official order; its losses by the official names."""
    stft = MagPhaseSTFT()
    clean, noisy = official["train_clean"], official["train_noisy"]
    mag, phase = stft.analyze(clean)
    mag_hat, phase_hat = generator(*stft.analyze(noisy))
    wav_hat = stft.synthesize(mag_hat, phase_hat, clean.shape[1])

    optimizers["discriminator"].zero_grad()
    disc = losses.discriminator_loss(
        discriminator(mag, mag),
        discriminator(mag, mag_hat.detach()),
        official["pesq_labels"],
    )
    disc.backward()
    optimizers["discriminator"].step()

    parts = {
        "magnitude": losses.magnitude_loss(mag_hat, mag),
        "phase": losses.phase_loss(phase_hat, phase),
        "complex": losses.complex_loss(mag_hat, phase_hat, mag, phase),
        "time": losses.time_loss(wav_hat, clean),
        "metric": losses.metric_loss(discriminator(mag, mag_hat)),
        "consistency": losses.consistency_loss(
            mag_hat, phase_hat, wav_hat, stft
        ),
    }
    weights = {
        "metric": 0.05,
        "magnitude": 0.9,
        "phase": 0.3,
        "complex": 0.1,
        "time": 0.2,
        "consistency": 0.1,
    }
    total = sum(weights[k] * parts[k] for k in weights)
    optimizers["generator"].zero_grad()
    total.backward()
    optimizers["generator"].step()
    return {**parts, "disc": disc, "gen": total}


@pytest.fixture
def two_threads():
    """As the official trace: AdamW's first steps follow the signs of the
    gradients, so how a sum is split over threads shows after three steps."""
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


def test_training_trace(official, generator, discriminator, two_threads):
    networks = {"generator": generator, "discriminator": discriminator}
    optimizers = {
        name: torch.optim.AdamW(net.train().parameters(), 5e-4, (0.8, 0.99))
        for name, net in networks.items()
    }
    for number, theirs in enumerate(official["trace"]):
        theirs = dict(theirs)
        parts = [theirs.pop(k) for k in ("ip", "gd", "iaf")]
        theirs["phase"] = sum(parts)
        ours = training_step(official, generator, discriminator, optimizers)
        # the first losses come before any update
        tolerance = 1e-4 if number == 0 else 1e-3
        for name, value in theirs.items():
            assert ours[name].item() == pytest.approx(value, rel=tolerance), (
                f"{name} of step {number}"
            )
    generator.eval()
    noisy = official["noisy"][None]
    with torch.no_grad():
        _, (mag, _) = SEMambaEnhancer(generator)(noisy)
    assert relative_error(mag[:, ::4], official["mag_after"]) < 1e-3


def test_parameter_counts():
    def count(net):
        return sum(p.numel() for p in net.parameters())

    assert count(SEMamba()) == 2_258_769
    assert count(MetricDiscriminator()) == 181_650
