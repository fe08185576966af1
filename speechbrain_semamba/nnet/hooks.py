"""Whether anybody watches layers, which then have to be called as modules."""


def is_watched(module):
    """Whether a module, or one in it, has hooks of its forward pass.

    Arguments
    ---------
    module : torch.nn.Module
        Any module.

    Returns
    -------
    bool
        True if a kernel in its place would leave a hook out.

    Example
    -------
    >>> import torch
    >>> net = torch.nn.Sequential(torch.nn.Linear(2, 2))
    >>> before = is_watched(net)
    >>> handle = net[0].register_forward_hook(print)
    >>> before, is_watched(net)
    (False, True)
    """
    return any(
        part._forward_hooks or part._forward_pre_hooks
        for part in module.modules()
    )
