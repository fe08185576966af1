"""Exponential moving average of the generator's weights."""

from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class AveragedGenerator(AveragedModel):
    """PyTorch's averaged model, with an exponential average.

    Its checkpoint is ``generator_ema.ckpt``; what validates and is exported.

    Arguments
    ---------
    generator : torch.nn.Module
        The network to average; the first update copies its weights.
    decay : float
        What is kept of the average at each update, between 0 and 1.

    Raises
    ------
    ValueError
        If ``decay`` is out of range.

    Example
    -------
    >>> import torch
    >>> layer = torch.nn.Linear(1, 1, bias=False)
    >>> average = AveragedGenerator(layer, decay=0.9)
    >>> for value in (1.0, 2.0):
    ...     torch.nn.init.constant_(layer.weight, value).sum().item()
    ...     average.update_parameters(layer)
    1.0
    2.0
    >>> average(torch.ones(1)).item()
    1.100000023841858
    """

    def __init__(self, generator, decay):
        if not 0 < decay < 1:
            raise ValueError(
                f"ema_decay must lie between 0 and 1, not {decay}; 0 turns "
                "the average off"
            )
        super().__init__(generator, multi_avg_fn=get_ema_multi_avg_fn(decay))
        self.eval()
