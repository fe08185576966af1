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
    >>> norm = InstanceNorm(1)
    >>> x = torch.tensor([[1.0], [3.0], [99.0]])[None, None]
    >>> valid = torch.tensor([1.0, 1.0, 0.0])[None, None, :, None]
    >>> norm(x, valid).round().flatten().tolist()
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
        valid : torch.Tensor
            1 for frames that count, 0 for padding [batch, 1, frames, 1].

        Returns
        -------
        torch.Tensor
            Features of the same shape; zero where not valid.
        """
        if valid is None:
            return super().forward(x)
        x = at_least_float32(x)
        valid = valid.to(x.dtype)  # half precision cannot count far
        count = valid.sum(dim=(2, 3), keepdim=True) * x.shape[3]
        mean = (x * valid).sum(dim=(2, 3), keepdim=True) / count
        x = (x - mean) * valid
        var = x.square().sum(dim=(2, 3), keepdim=True) / count
        scale = self.weight[:, None, None] * torch.rsqrt(var + self.eps)
        return (x * scale + self.bias[:, None, None]) * valid
