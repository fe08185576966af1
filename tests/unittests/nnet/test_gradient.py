"""Whether a gradient may be asked for."""

import pytest
import torch

from speechbrain_semamba.nnet.gradient import wants_gradient


@pytest.fixture
def net():
    return torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))


def frozen(net):
    return net.requires_grad_(False)


def test_of_weights_or_of_the_input(net):
    x = torch.ones(2)
    assert wants_gradient(net, x)
    assert not wants_gradient(frozen(net), x)
    assert wants_gradient(frozen(net), x.requires_grad_())


def test_one_weight_is_enough(net):
    frozen(net)[1].bias.requires_grad_()
    assert wants_gradient(net, torch.ones(2))


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_none_where_none_is_recorded(net, mode):
    x = torch.ones(2).requires_grad_()
    with mode():
        assert not wants_gradient(net, x)


def test_says_what_autograd_does(net):
    """True just where the result has a gradient."""
    x = torch.ones(2)
    for given in (net, frozen(net)):
        assert wants_gradient(given, x) == given(x).requires_grad
