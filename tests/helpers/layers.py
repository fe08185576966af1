"""Layers away from their initial values, and what they are given."""

import torch

from speechbrain_semamba.processing.lengths import ValidSizes


def build(cls, *args, **kwargs):
    """In float64, with every parameter away from its initial value."""
    torch.manual_seed(0)
    net = cls(*args, **kwargs).double()
    with torch.no_grad():
        for weight in net.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return net


def features(*shape):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def valid_frames(sizes, frames):
    return ValidSizes(torch.tensor(sizes), frames)


def zeroed(x, valid):
    """Features [batch, channels, frames, freq], zero where not valid."""
    return x * valid.mask[:, None, :, None]
