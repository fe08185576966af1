"""Parity with the official implementation, from tests/reference/official.pt."""

import pytest
import torch
from places import OFFICIAL
from small_brain import make_batch, make_brain, step

from speechbrain_semamba.checkpoints.official_weights import (
    from_official_generator,
    generator_sizes,
)
from speechbrain_semamba.checkpoints.weights import load_weights
from speechbrain_semamba.lobes.models.metric_discriminator import (
    MetricDiscriminator,
)
from speechbrain_semamba.lobes.models.semamba import SEMamba, SEMambaEnhancer
from speechbrain_semamba.ops.backends import choose_backend
from speechbrain_semamba.processing.spectral import MagPhaseSTFT, rms_gain


@pytest.fixture(scope="module")
def official():
    return torch.load(OFFICIAL, weights_only=True)


BACKENDS = sorted({"pytorch", choose_backend("cpu").name})


@pytest.fixture(params=BACKENDS)
def backend(request):
    return request.param


@pytest.fixture
def generator(official, backend):
    weights = from_official_generator(official["generator"])
    model = SEMamba(**generator_sizes(weights), backend=backend)
    load_weights(model, weights, "official.pt")
    return model.eval()


@pytest.fixture
def discriminator(official):
    # dropout off, as in the official trace
    model = MetricDiscriminator(dropout=0.0)
    load_weights(model, official["discriminator"], "official.pt")
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


@pytest.fixture
def two_threads():
    """As the official trace: AdamW's first steps follow the signs of the
    gradients, so how a sum is split over threads shows after three steps."""
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


def test_training_trace(
    official, generator, discriminator, two_threads, tmp_path, backend
):
    """The recipe's own training step against the official one.

    The first losses come before any update. The later ones follow AdamW's
    first steps, which follow the signs of gradients that are rounding noise
    where a bias stands before a normalisation: only a back end that rounds
    as the official scan does stays within 1e-3.
    """
    later = 1e-3 if backend == "pytorch" else 2e-2
    brain = make_brain(
        tmp_path, (generator, discriminator), official["pesq_labels"]
    )
    batch = make_batch(official["train_noisy"], official["train_clean"])
    for number, theirs in enumerate(official["trace"]):
        theirs = dict(theirs)
        theirs["phase"] = sum(theirs.pop(k) for k in ("ip", "gd", "iaf"))
        step(brain, batch)
        ours = {
            k: v for k, v in brain.window.losses.items() if "gradient" not in k
        }
        ours["gen"], ours["disc"] = ours.pop("loss"), ours.pop("discriminator")
        tolerance = 1e-4 if number == 0 else later
        assert ours.keys() == theirs.keys()
        for name, value in theirs.items():
            assert ours[name] == pytest.approx(value, rel=tolerance), (
                f"{name} of step {number}"
            )
    generator.eval()
    noisy = official["noisy"][None]
    with torch.no_grad():
        _, (mag, _) = SEMambaEnhancer(generator)(noisy)
    assert relative_error(mag[:, ::4], official["mag_after"]) < later


def test_parameter_counts():
    def count(net):
        return sum(p.numel() for p in net.parameters())

    assert count(SEMamba()) == 2_258_769
    assert count(MetricDiscriminator()) == 181_650
