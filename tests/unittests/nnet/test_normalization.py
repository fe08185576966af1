"""Instance normalisation with and without padding."""

import pytest
import torch
from layers import valid_frames

from speechbrain_semamba.nnet.normalization import InstanceNorm


def make_norm(channels=3, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    norm = InstanceNorm(channels).to(dtype)
    with torch.no_grad():
        norm.weight.normal_(generator=generator)
        norm.bias.normal_(generator=generator)
    return norm


def features(*shape, dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    return 5 + torch.randn(*shape, generator=generator, dtype=dtype)


def test_mean_and_variance():
    norm = make_norm()
    x = features(2, 3, 7, 5)
    y = (norm(x) - norm.bias[:, None, None]) / norm.weight[:, None, None]
    mean = x.mean(dim=(2, 3), keepdim=True)
    var = (x - mean).square().mean(dim=(2, 3), keepdim=True)
    torch.testing.assert_close(y, (x - mean) / (var + norm.eps).sqrt())


def test_masked_equals_alone_and_is_zero_beyond():
    norm = make_norm()
    sizes = (7, 4, 1)
    x = features(3, 3, 7, 5)
    for item, size in zip(x, sizes):
        item[:, size:] = 1e3  # rubbish that must not count
    y = norm(x, valid_frames(sizes, 7))
    assert y.shape == x.shape
    for i, size in enumerate(sizes):
        alone = norm(x[i : i + 1, :, :size])[0]
        torch.testing.assert_close(y[i, :, :size], alone)
        assert not y[i, :, size:].any()


def test_all_valid_is_unmasked():
    norm = make_norm()
    x = features(2, 3, 7, 5)
    torch.testing.assert_close(norm(x, valid_frames((7, 7), 7)), norm(x))


def test_gradients_of_a_masked_batch():
    norm = make_norm()
    x = features(2, 3, 4, 3).requires_grad_()
    valid = valid_frames((4, 2), 4)
    assert torch.autograd.gradcheck(lambda x: norm(x, valid), x)
    weight = torch.cos(torch.arange(x.numel()).view_as(x).double())
    (grad,) = torch.autograd.grad((norm(x, valid) * weight).sum(), x)
    alone = (norm(x[1:, :, :2]) * weight[1:, :, :2]).sum()
    (expected,) = torch.autograd.grad(alone, x)
    torch.testing.assert_close(grad[1], expected[1])
    assert not grad[1, :, 2:].any()


def test_constant_features_are_finite():
    norm = make_norm()
    x = torch.full((1, 3, 4, 3), 2.0, dtype=torch.float64).requires_grad_()
    for valid in (None, valid_frames((2,), 4)):
        y = norm(x, valid)
        expected = norm.bias[:, None, None].expand(1, 3, 2, 3)
        torch.testing.assert_close(y[:, :, :2], expected)
        (grad,) = torch.autograd.grad(y.sum(), x)
        assert grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_summed_in_float32(dtype):
    """As under autocast; 75,000 numbers around 5 overflow float16."""
    norm = make_norm(1, torch.float32)
    x = features(1, 1, 400, 201).to(dtype)
    y = norm(x, valid_frames((375,), 400))[:, :, :375]
    assert y.dtype == torch.float32
    torch.testing.assert_close(y, norm(x[:, :, :375].float()))
