"""A training step of a generator, wrapped and scaled, through Triton."""

import pytest
import torch
from operators import needs_kernels
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from speechbrain_semamba.lobes.models.semamba import SEMamba
from speechbrain_semamba.ops.registration import cpu_tensors_as

pytest.importorskip("triton", reason="Triton is not installed")
pytestmark = needs_kernels


@pytest.fixture
def process_group(tmp_path):
    """Of this process alone."""
    store = distributed.FileStore(str(tmp_path / "store"), 1)
    distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def train_one_step(half):
    """The loss and the weights after a step."""
    torch.manual_seed(0)
    generator = SEMamba(channels=4, num_blocks=1, d_state=2, expand=1, n_fft=8)
    mag = torch.rand(2, 2, 5)
    if not half:
        generator, mag = generator.double(), mag.double()
    wrapped = DistributedDataParallel(generator)
    optimizer = torch.optim.SGD(generator.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    lengths = torch.tensor([1.0, 0.5])
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        mag_hat, phase_hat = wrapped(mag, mag, lengths)
    loss = mag_hat.square().mean() + phase_hat.cos().mean()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    assert scaler.get_scale() == 1024.0  # so the step was taken
    weights = [p.detach().flatten() for p in generator.parameters()]
    return torch.cat([loss.detach().view(1), *weights])


@pytest.mark.parametrize("half, tolerance", [(False, 1e-10), (True, 5e-2)])
def test_step_is_that_of_the_compiled_kernels(process_group, half, tolerance):
    """In float64; and in bfloat16, which the interpreter cuts off."""
    expected = train_one_step(half)
    with cpu_tensors_as("CUDA"):
        ours = train_one_step(half)
    assert not torch.equal(ours, expected)  # so other kernels ran
    torch.testing.assert_close(ours, expected, rtol=0, atol=tolerance)
