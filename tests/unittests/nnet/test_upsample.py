"""The doubled frequencies: both ways of computing them."""

import pytest
import torch
from operators import needs_kernels

from speechbrain_semamba.nnet.upsample import Upsample


@needs_kernels
@pytest.mark.parametrize("freq", [1, 2, 100])
def test_same_as_the_transposed_convolution(freq):
    generator = torch.Generator().manual_seed(freq)
    x = torch.randn(2, 3, 4, freq, generator=generator, dtype=torch.float64)
    grads = []
    for backend in ("cpu", "pytorch"):
        torch.manual_seed(0)
        net = Upsample(3, backend).double()
        inputs = [x.clone().requires_grad_(), *net.parameters()]
        y = net(inputs[0])
        assert y.shape == (2, 3, 4, 2 * freq + 1)
        loss = (y * y.detach().cos()).sum()
        grads.append([y, *torch.autograd.grad(loss, inputs)])
    torch.testing.assert_close(*grads)


def test_weights_of_a_transposed_convolution_fit():
    weights = torch.nn.ConvTranspose2d(3, 3, (1, 3), stride=(1, 2))
    net = Upsample(3)
    net.load_state_dict(weights.state_dict())
    x = torch.randn(1, 3, 2, 5)
    torch.testing.assert_close(net(x), weights(x))
