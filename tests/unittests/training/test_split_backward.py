"""A backward pass in two parts has the gradients of one in one."""

import pytest
import torch
from torch import nn

from speechbrain_semamba.training.split_backward import (
    backward_part,
    seam_before,
)


class TwoDecoders(nn.Module):
    """What they share is made by an operation that can run back only once."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.encoder = nn.Sequential(nn.Linear(3, 4), nn.Sigmoid())
        self.first = nn.Linear(4, 2)
        self.second = nn.Linear(4, 2)

    def forward(self, x):
        features = self.encoder(x)
        return self.first(features), self.second(features)


@pytest.fixture
def x():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(5, 3, generator=generator)


def gradients(net):
    return {name: p.grad for name, p in net.named_parameters()}


def in_one(x, net):
    first, second = net(x)
    torch.autograd.backward([first, second], [first.cos(), second.sin()])
    return gradients(net)


def in_two(x, net, part):
    with seam_before(part) as seam:
        first, second = net(x)
    rest, gradient = backward_part(second, second.sin(), seam, part)
    between = {
        name for name, grad in gradients(net).items() if grad is not None
    }
    torch.autograd.backward([first, rest], [first.cos(), gradient])
    return gradients(net), between


def test_same_gradients_in_two_parts(x):
    net = TwoDecoders()
    ours, between = in_two(x, net, net.second)
    assert between == {"second.weight", "second.bias"}
    expected = in_one(x, TwoDecoders())
    for name, grad in expected.items():
        torch.testing.assert_close(ours[name], grad)


def test_without_a_part_all_comes_at_once(x):
    """As for a compiled network."""
    ours, between = in_two(x, TwoDecoders(), None)
    assert not between
    for name, grad in in_one(x, TwoDecoders()).items():
        torch.testing.assert_close(ours[name], grad)


@pytest.mark.parametrize("frozen", ["encoder", "first", "second"])
def test_frozen_weights_have_none(x, frozen):
    net, whole = TwoDecoders(), TwoDecoders()
    for each in (net, whole):
        getattr(each, frozen).requires_grad_(False)
    ours, _ = in_two(x, net, net.second)
    for name, grad in in_one(x, whole).items():
        assert (grad is None) == name.startswith(frozen)
        torch.testing.assert_close(ours[name], grad)


def test_network_is_left_as_it_was(x):
    net = TwoDecoders()
    expected = net(x)
    with pytest.raises(ValueError), seam_before(net.second):
        raise ValueError
    with seam_before(net.second) as seam:
        inside = net(x)
    for y, z in zip(inside, expected):
        assert torch.equal(y, z)
    net(x)  # no longer seen
    assert len(seam) == 1 and not net.second._forward_pre_hooks
