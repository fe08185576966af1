"""A backward pass in two parts, with time for something else between them."""


def backward_part(output, gradient, features, part):
    """Sends an output's gradient through the part of a network that made it.

    What waits for another output's gradient then waits less: the rest of the
    network gets both at once, as in a backward pass of one piece.

    Arguments
    ---------
    output : torch.Tensor
        What the part made.
    gradient : torch.Tensor
        Of a loss, in its shape.
    features : torch.Tensor
        What the part made it of; other parts may have got it, too. It has
        to be a view, for the gradient of what made it runs twice.
    part : torch.nn.Module
        Whose parameters get their gradients now. None sends nothing, as for a
        compiled network, whose graph is one piece.

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
    >>> features = one(torch.ones(1, 2))
    >>> features = features.view_as(features)
    >>> output = other(features)
    >>> rest = backward_part(output, torch.ones(1, 2), features, other)
    >>> other.weight.grad is None, one.weight.grad is None
    (False, True)
    >>> torch.autograd.backward(*rest)
    >>> one.weight.grad is None
    False
    """
    if part is None or not features.requires_grad:
        return output, gradient
    trained = [p for p in part.parameters() if p.requires_grad]
    output.backward(gradient, inputs=[features, *trained])
    return features, features.grad
