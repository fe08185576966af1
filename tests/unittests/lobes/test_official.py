"""Parity with the official implementation, from tests/reference/official.pt.

In float64 everything is compared, six training steps through the recipe's own
step among them. In float32 only what passes through no optimizer: AdamW's
first steps follow the signs of gradients, the smallest ones too, and those
are rounding noise where a bias stands before a normalisation.
"""

import pytest
import torch
from official_numbers import (
    SAMPLES,
    STRIDE,
    load_official,
    noisy_spectrum,
    noisy_wave,
    relative_error,
    rounding,
)
from small_brain import make_batch, make_brain, step

from speechbrain_semamba.checkpoints.official_weights import (
    from_official_generator,
    generator_sizes,
)
from speechbrain_semamba.checkpoints.weights import load_weights
from speechbrain_semamba.lobes.models.metric_discriminator import (
    MetricDiscriminator,
)
from speechbrain_semamba.lobes.models.semamba import SEMamba
from speechbrain_semamba.ops.backends import BACKENDS
from speechbrain_semamba.processing.levels import rms_gain
from speechbrain_semamba.processing.spectral import MagPhaseSTFT

CPU_BACKENDS = [
    name for name, row in BACKENDS.items() if row.why_not("cpu") is None
]


@pytest.fixture(scope="module")
def official():
    return load_official()


@pytest.fixture(params=CPU_BACKENDS)
def backend(request):
    return request.param


@pytest.fixture(params=[torch.float32, torch.float64], ids=str)
def dtype(request):
    return request.param


# the reference is a loop that takes its time, the same with more threads
@pytest.fixture(
    params=[
        (name, count)
        for name in CPU_BACKENDS
        for count in (1, 2)
        if (name, count) != ("reference", 2)
    ],
    ids="{0[0]}, threads: {0[1]}".format,
)
def backend_in_threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param[1])
    yield request.param[0]
    torch.set_num_threads(before)


def make_generator(official, backend, dtype):
    weights = from_official_generator(official["generator"])
    model = SEMamba(**generator_sizes(weights), backend=backend)
    load_weights(model, weights, "official.pt")
    return model.to(dtype).eval()


def make_discriminator(official, dtype):
    # dropout off, as in the official trace
    model = MetricDiscriminator(dropout=0.0)
    load_weights(model, official["discriminator"], "official.pt")
    return model.to(dtype)


def phase_error(ours, theirs):
    return relative_error(
        torch.polar(torch.ones_like(ours), ours),
        torch.polar(torch.ones_like(theirs), theirs),
    )


def test_sizes_are_read_off_the_weights(official):
    weights = from_official_generator(official["generator"])
    config = official["config"]
    sizes = generator_sizes(weights)
    assert sizes["channels"] == config["hid_feature"]
    assert sizes["num_blocks"] == config["num_tfmamba"]
    for key in ("d_state", "d_conv", "expand", "n_fft"):
        assert sizes.get(key) == config.get(key, sizes.get(key))


def test_spectrum(official, dtype):
    mag, phase = (x[:, ::STRIDE] for x in noisy_spectrum(official, dtype))
    assert relative_error(mag, official["noisy_mag"]) < rounding(dtype)
    # where there is energy: the phase of rounding noise is arbitrary
    loud = official["noisy_mag"] > 0.05
    error = phase_error(phase[loud].double(), official["noisy_pha"][loud])
    assert error < rounding(dtype)


@torch.no_grad()
def test_output_and_wave(official, backend, dtype):
    generator = make_generator(official, backend, dtype)
    mag, phase = generator(*noisy_spectrum(official, dtype))
    theirs = official["mag"], official["pha"]
    assert relative_error(mag[:, ::STRIDE], theirs[0]) < rounding(dtype)
    error = phase_error(phase[:, ::STRIDE].double(), theirs[1])
    assert error < rounding(dtype)

    noisy = noisy_wave(official, dtype)
    stft = MagPhaseSTFT().to(dtype)
    wav = stft.synthesize(mag, phase, noisy.shape[1]) / rms_gain(noisy)
    error = relative_error(wav[:, ::SAMPLES], official["enhanced"])
    assert error < rounding(dtype)


class GivenSpectrum(MagPhaseSTFT):
    """Gives silence the spectrum that the official code gave to the noisy
    waves of its training batch."""

    def __init__(self, official):
        super().__init__()
        self.given = official["train_noisy_mag"], official["train_noisy_pha"]

    def analyze(self, wav, lengths=None, eps=0.0):
        if wav.any():
            return super().analyze(wav, lengths, eps)
        return tuple(x.to(wav.dtype) for x in self.given)


def make_trainer(folder, official, backend, dtype):
    """The recipe's Brain with the official networks, and the batch."""
    networks = (
        make_generator(official, backend, dtype),
        make_discriminator(official, dtype),
    )
    stft = GivenSpectrum(official).to(dtype)
    labels = official["pesq_labels"]
    brain = make_brain(folder, networks, labels, {"stft": stft})
    clean = official["train_clean"].to(dtype)
    return brain, make_batch(torch.zeros_like(clean), clean)


def losses_of_step(brain, batch):
    """By the official names, and with one for the phase."""
    step(brain, batch)
    ours = {k: v for k, v in brain.window.losses.items() if "gradient" not in k}
    ours["gen"], ours["disc"] = ours.pop("loss"), ours.pop("discriminator")
    return ours


def official_losses(official, number):
    theirs = dict(official["trace"][number])
    theirs["phase"] = sum(theirs.pop(k) for k in ("ip", "gd", "iaf"))
    return theirs


def test_first_losses_in_float32(official, tmp_path, backend):
    trainer = make_trainer(tmp_path, official, backend, torch.float32)
    ours, theirs = losses_of_step(*trainer), official_losses(official, 0)
    assert ours.keys() == theirs.keys()
    # the two that are left out see the discriminator's first update
    for name in theirs.keys() - {"metric", "gen"}:
        expected = pytest.approx(theirs[name], rel=rounding(torch.float32))
        assert ours[name] == expected, name


def test_training_trace(official, tmp_path, backend_in_threads):
    """Six steps of the recipe, on any machine.

    After them the compiled kernels' output is compared less closely: they
    normalise to 2e-16, PyTorch and so the official code to 6e-15, and six
    steps multiply the difference by some 100,000.
    """
    backend, dtype = backend_in_threads, torch.float64
    brain, batch = make_trainer(tmp_path, official, backend, dtype)
    assert len(official["trace"]) == 6
    for number in range(6):
        ours = losses_of_step(brain, batch)
        theirs = official_losses(official, number)
        assert ours.keys() == theirs.keys()
        for name, value in theirs.items():
            expected = pytest.approx(value, rel=0, abs=1e-10)
            assert ours[name] == expected, f"{name} of step {number}"
    generator = brain.modules.generator.eval()
    with torch.no_grad():
        mag, _ = generator(*noisy_spectrum(official, dtype))
    error = relative_error(mag[:, ::STRIDE], official["mag_after"])
    assert error < (1e-9 if BACKENDS[backend].cpu_kernels else 1e-10)


def test_parameter_counts():
    def count(net):
        return sum(p.numel() for p in net.parameters())

    assert count(SEMamba()) == 2_258_769
    assert count(MetricDiscriminator()) == 181_650
