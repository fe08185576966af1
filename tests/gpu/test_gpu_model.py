"""The whole generator on a card against the CPU."""

import pytest
import torch

from speechbrain_semamba.lobes.models.semamba import SEMamba
from speechbrain_semamba.ops.backends import BACKENDS

BY_NAME = pytest.mark.parametrize(
    "backend", [name for name in BACKENDS if name not in ("cpu", "reference")]
)
SIZES = {"channels": 16, "num_blocks": 2}


def outputs_and_gradient(device, backend, dtype=None, compiled=False):
    """Magnitude, direction of the phase, gradient of all weights."""
    if reason := BACKENDS[backend].why_not(device):
        pytest.skip(reason)
    torch.manual_seed(0)
    generator = SEMamba(**SIZES, backend=backend).to(device)
    network = torch.compile(generator) if compiled else generator
    mag, phase = torch.rand(2, 2, 50, 201).to(device)
    lengths = torch.tensor([1.0, 0.5], device=device)
    with torch.autocast(device, dtype, enabled=dtype is not None):
        mag_hat, phase_hat = network(mag, phase, lengths)
    mag_hat, phase_hat = mag_hat[0], phase_hat[0]  # the one without padding
    loss = mag_hat.square().mean() + (phase_hat - phase[0]).cos().mean()
    loss.backward()
    grads = [p.grad.flatten().cpu() for p in generator.parameters()]
    turned = torch.stack([phase_hat.cos(), phase_hat.sin()])
    return mag_hat.detach().cpu(), turned.detach().cpu(), torch.cat(grads)


def assert_near(ours, expected, tolerance):
    for x, y in zip(ours, expected):
        assert (x - y).norm() < tolerance * y.norm()


@BY_NAME
def test_float32(backend):
    expected = outputs_and_gradient("cpu", "pytorch")
    assert_near(outputs_and_gradient("cuda", backend), expected, 1e-2)


@BY_NAME
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast(backend, dtype):
    if dtype is torch.bfloat16 and not torch.cuda.is_bf16_supported(False):
        pytest.skip("this card has no bfloat16 arithmetic")
    expected = outputs_and_gradient("cpu", "pytorch")
    ours = outputs_and_gradient("cuda", backend, dtype)
    assert_near(ours[:1], expected[:1], 0.1)
    assert all(x.isfinite().all() for x in ours)


def test_compiled():
    expected = outputs_and_gradient("cuda", "triton")
    ours = outputs_and_gradient("cuda", "triton", compiled=True)
    assert_near(ours, expected, 1e-2)
