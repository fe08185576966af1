"""Instance normalisation that does not see padding."""

import torch

from speechbrain_semamba.processing.precision import at_least_float32


class InstanceNorm(torch.nn.InstanceNorm2d):
    """Normalises each channel of each item over frames and frequencies.

    Arguments
    ---------
    channels : int
        Number of channels.

    Example
    -------
    >>> from speechbrain_semamba.processing.lengths import ValidSizes
    >>> norm = InstanceNorm(1)
    >>> x = torch.tensor([[1.0], [3.0], [99.0]])[None, None]
    >>> norm(x, ValidSizes(torch.tensor([2]), 3)).round().flatten().tolist()
    [-1.0, 1.0, 0.0]
    """

    def __init__(self, channels):
        super().__init__(channels, affine=True)

    def forward(self, x, valid=None):
        """Normalises a batch.

        Arguments
        ---------
        x : torch.Tensor
            Features [batch, channels, frames, freq].
        valid : ValidSizes
            The frames that count.

        Returns
        -------
        torch.Tensor
            Features of the same shape; zero where not valid.
        """
        if valid is None:
            return super().forward(x)
        x = at_least_float32(x)
        count = (valid.sizes * x.shape[3])[:, None, None, None].to(x.dtype)
        mask = valid.mask[:, None, :, None]
        mean = (x * mask).sum(dim=(2, 3), keepdim=True) / count
        x = (x - mean) * mask
        var = x.square().sum(dim=(2, 3), keepdim=True) / count
        scale = self.weight[:, None, None] * torch.rsqrt(var + self.eps)
        return (x * scale + self.bias[:, None, None]) * mask
