"""What the benchmarks run: enhancer, training step, and scan alone."""

import contextlib
import pathlib

import torch
from measure import GPU_DTYPES, relative_error
from torch.nn.utils import remove_spectral_norm

from speechbrain_semamba.lobes.models.metric_discriminator import (
    MetricDiscriminator,
)
from speechbrain_semamba.lobes.models.semamba import SEMamba, SEMambaEnhancer
from speechbrain_semamba.nnet import losses, objective
from speechbrain_semamba.ops.selective_scan import selective_scan
from speechbrain_semamba.processing.levels import rms_gain
from speechbrain_semamba.processing.spectral import MagPhaseSTFT
from speechbrain_semamba.utils.settings import read_settings

SAMPLE_RATE = 16000

#: As in hparams/semamba.yaml and hparams/semamba_mini.yaml; for the tests
MODELS = {
    "full": {},
    "small": {
        "channels": 16,
        "num_blocks": 1,
        "d_state": 8,
        "d_conv": 4,
        "expand": 2,
    },
    "tiny": {"channels": 4, "num_blocks": 1, "d_state": 2, "expand": 1},
}

#: Batch, length, dim and state of the scan alone
SCAN = (100, 400, 256, 16)

#: Model, batch and seconds of the training steps
STEPS = (("small", 4, 1), ("small", 1, 1), ("full", 1, 1))

RECIPE = pathlib.Path(__file__).parents[1] / "recipes/VoicebankDEMAND/SEMamba"
LOSS_WEIGHTS = read_settings(
    RECIPE / "hparams" / "semamba.yaml", {"data_folder": "."}
)["loss_weights"]


def noise(seconds, batch=1, seed=1):
    """White noise [batch, samples], the same on every call."""
    generator = torch.Generator().manual_seed(seed)
    samples = round(seconds * SAMPLE_RATE)
    return torch.randn(batch, samples, generator=generator)


def make_generator(model, backend):
    """A generator whose weights do not depend on the back end."""
    torch.manual_seed(0)
    return SEMamba(**MODELS[model], backend=backend)


class Enhancement:
    """Enhances one wave.

    Arguments
    ---------
    model : str
        A key of ``MODELS``.
    backend : str
        Back end of the generator.
    precision : str
        "fp32" or "bf16".
    wave : torch.Tensor
        Noisy wave [1, samples].
    """

    def __init__(self, model, backend, precision, wave):
        self.network = SEMambaEnhancer(make_generator(model, backend)).eval()
        self.precision = precision
        self.wave = wave

    def __call__(self):
        with inference(self.precision):
            return self.network(self.wave)[0]


@contextlib.contextmanager
def inference(precision):
    """No gradients, and bfloat16 under autocast if wanted."""
    half = precision == "bf16"
    with torch.inference_mode():
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            yield


class TrainingStep:
    """A step of both networks, in the recipe's order; PESQ is given.

    Arguments
    ---------
    model : str
        A key of ``MODELS``.
    backend : str
        Back end of the generator.
    batch, seconds : int, float
        Size of the batch and of its segments.
    plain : bool
        Without spectral norm, so that a layer's weights are parameters.
    precision : str
        A key of ``GPU_DTYPES``: of the autocast that the generator runs in.
    """

    def __init__(
        self, model, backend, batch, seconds, plain=False, precision="fp32"
    ):
        self.dtype = GPU_DTYPES[precision]
        self.stft = MagPhaseSTFT()
        clean = noise(seconds, batch, seed=2)
        noisy = clean + noise(seconds, batch)
        self.clean, self.noisy = (x * rms_gain(x) for x in (clean, noisy))
        self.labels = torch.linspace(0.2, 0.8, batch)
        self.generator = make_generator(model, backend)
        self.discriminator = MetricDiscriminator()
        if plain:
            for module in self.discriminator.modules():
                if hasattr(module, "weight_orig"):
                    remove_spectral_norm(module)
        self.networks = torch.nn.ModuleList(
            [self.generator, self.discriminator]
        )
        self.optimizers = [
            torch.optim.AdamW(x.parameters(), lr=0.0005, betas=(0.8, 0.99))
            for x in self.networks
        ]

    def double(self):
        """Makes it a step in float64; returns itself."""
        return self.to(torch.float64)

    def to(self, where):
        """Takes it to a device or a type; returns itself."""
        self.networks.to(where)
        self.stft.to(where)
        for name in ("clean", "noisy", "labels"):
            setattr(self, name, getattr(self, name).to(where))
        return self

    def __call__(self):
        """The generator's loss; its gradients stay until the next step."""
        generator_optimizer, discriminator_optimizer = self.optimizers
        mag, phase = self.stft.analyze(self.clean)
        hat = self._forward()
        loss = self._discriminator_loss(mag, hat[0].detach())
        self._update(discriminator_optimizer, loss)

        self.discriminator.requires_grad_(False)
        loss = self._generator_loss(mag, phase, *hat)
        self.discriminator.requires_grad_(True)
        self._update(generator_optimizer, loss)
        return loss.detach()

    def _forward(self):
        noisy = self.stft.analyze(self.noisy)
        half = self.dtype != torch.float32
        with torch.autocast(self.noisy.device.type, self.dtype, enabled=half):
            mag_hat, phase_hat = self.generator(*noisy)
        samples = self.clean.shape[1]
        wav_hat = self.stft.synthesize(mag_hat, phase_hat, samples)
        return mag_hat, phase_hat, wav_hat

    def _discriminator_loss(self, mag, mag_hat):
        score_clean = self.discriminator(mag, mag)
        score_hat = self.discriminator(mag, mag_hat)
        return losses.discriminator_loss(score_clean, score_hat, self.labels)

    def _generator_loss(self, mag, phase, mag_hat, phase_hat, wav_hat):
        score = self.discriminator(mag, mag_hat)
        parts = objective.generator_losses(
            (mag_hat, phase_hat, wav_hat),
            (mag, phase, self.clean),
            self.stft,
            LOSS_WEIGHTS,
        )
        parts["metric"] = losses.metric_loss(score)
        return objective.weighted_sum(parts, LOSS_WEIGHTS)

    def _update(self, optimizer, loss):
        # zeroed before, not after: the caller looks at the gradients
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    def gradient(self):
        """The generator's gradient as one vector."""
        grads = [x.grad.flatten() for x in self.generator.parameters()]
        return torch.cat(grads)


def scan_inputs(sizes, precision, grad, device="cpu"):
    """Arguments of the scan, as Mamba gives them under autocast."""
    torch.manual_seed(0)
    batch, length, dim, state = sizes
    shapes = dict.fromkeys(("u", "delta", "z"), (batch, length, dim))
    shapes.update(dict.fromkeys("BC", (batch, length, state)))
    inputs = {
        k: torch.randn(v).to(GPU_DTYPES[precision]) for k, v in shapes.items()
    }
    inputs["A"] = -torch.arange(1.0, state + 1).repeat(dim, 1)
    inputs["D"] = torch.ones(dim)
    inputs["delta_bias"] = torch.randn(dim) - 4
    return {k: v.to(device).requires_grad_(grad) for k, v in inputs.items()}


def scan_results(inputs, backend, backward):
    """The scan's output, or all its gradients."""
    with torch.set_grad_enabled(backward):
        y = selective_scan(**inputs, backend=backend)
    if not backward:
        return [y]
    grad = torch.linspace(-1, 1, y.numel(), dtype=y.dtype, device=y.device)
    return torch.autograd.grad(y, list(inputs.values()), grad.view_as(y))


def scan_error(sizes, precision, backward, backend="cpu", device="cpu"):
    """Largest relative error of a back end against the reference in float64."""
    inputs = scan_inputs((2, *sizes[1:]), precision, backward, device)
    exact = {
        k: v.detach().double().requires_grad_(backward)
        for k, v in inputs.items()
    }
    ours = scan_results(inputs, backend, backward)
    truth = scan_results(exact, "reference", backward)
    return max(map(relative_error, ours, truth))
