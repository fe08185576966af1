"""A backward pass in two parts, with time for something else between them."""

import contextlib

from speechbrain_semamba.utils.distributed import unwrapped


def part_of(network, name):
    """A part of a network, for a gradient of its own.

    Arguments
    ---------
    network : torch.nn.Module
        Perhaps wrapped by DDP.
    name : str
        The part's name in it.

    Returns
    -------
    torch.nn.Module
        None if there is none, or if the network is compiled, and so all of a
        piece.

    Example
    -------
    >>> import torch
    >>> network = torch.nn.Sequential(torch.nn.Linear(1, 1))
    >>> part_of(network, "0"), part_of(torch.compile(network), "0")
    (Linear(in_features=1, out_features=1, bias=True), None)
    """
    if hasattr(getattr(network, "module", network), "_orig_mod"):
        return None
    return getattr(unwrapped(network), name, None)


@contextlib.contextmanager
def seam_before(part):
    """Marks where a backward pass may stop: at what a part is given.

    Arguments
    ---------
    part : torch.nn.Module
        A part of the network that runs within the context, called once with
        one tensor. None for nothing, as for a compiled network, whose graph
        is one piece.

    Yields
    ------
    list
        Empty; gets the tensor that ``part`` works on.

    Example
    -------
    >>> import torch
    >>> part = torch.nn.Identity()
    >>> with seam_before(part) as seam:
    ...     _ = part(torch.ones(1))
    >>> seam
    [tensor([1.])]
    """
    given = []

    def keep(module, inputs):
        # A view, for the backward pass to a tensor runs what made it as
        # well. That then happens twice, but the network's own last operation
        # has freed what it needs the second time; a view needs nothing.
        x, *others = inputs
        given.append(x.view_as(x))
        return (given[0], *others)

    hook = None if part is None else part.register_forward_pre_hook(keep)
    try:
        yield given
    finally:
        if hook is not None:
            hook.remove()


def backward_part(output, gradient, seam, part):
    """Sends an output's gradient through the part of a network that made it.

    What waits for another output's gradient then waits less: the rest of the
    network gets both at once, as in a backward pass of one piece.

    Arguments
    ---------
    output : torch.Tensor
        What the part made.
    gradient : torch.Tensor
        Of a loss, in its shape.
    seam : list
        Of ``seam_before``.
    part : torch.nn.Module
        Whose parameters get their gradients now. None sends nothing.

    Returns
    -------
    tensor : torch.Tensor
        Where the backward pass is to go on.
    gradient : torch.Tensor
        What it is to go on with.

    Example
    -------
    >>> import torch
    >>> one, other = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    >>> with seam_before(other) as seam:
    ...     output = other(one(torch.ones(1, 2)))
    >>> rest = backward_part(output, torch.ones(1, 2), seam, other)
    >>> other.weight.grad is None, one.weight.grad is None
    (False, True)
    >>> torch.autograd.backward(*rest)
    >>> one.weight.grad is None
    False
    """
    if not seam or not seam[0].requires_grad:
        return output, gradient
    trained = [p for p in part.parameters() if p.requires_grad]
    output.backward(gradient, inputs=[*seam, *trained])
    return seam[0], seam[0].grad
