"""Whether a gradient may be asked for: the memory of a pass depends on it."""

import torch


def wants_gradient(module, x):
    """Whether a gradient through a module may be asked for.

    SpeechBrain's own interface freezes the weights, but leaves gradients on.

    Arguments
    ---------
    module : torch.nn.Module
        Any module.
    x : torch.Tensor
        Its input.

    Returns
    -------
    bool
        False if nothing of it would be recorded.

    Example
    -------
    >>> net = torch.nn.Linear(2, 2)
    >>> x = torch.ones(2)
    >>> wants_gradient(net, x), wants_gradient(net.requires_grad_(False), x)
    (True, False)
    """
    if not torch.is_grad_enabled():
        return False
    return x.requires_grad or any(p.requires_grad for p in module.parameters())
