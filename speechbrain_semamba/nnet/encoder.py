"""The dense encoder: a spectrum to features."""

from torch import nn

from speechbrain_semamba.nnet.dense import ConvBlock, DenseBlock


class DenseEncoder(nn.Module):
    """Magnitude and phase to features at half the frequency resolution.

    Arguments
    ---------
    channels : int
        Number of feature channels.
    backend : str
        Which kernels to use, as in ``ops.selective_scan``.

    Example
    -------
    >>> import torch
    >>> DenseEncoder(8)(torch.randn(1, 2, 5, 201)).shape
    torch.Size([1, 8, 5, 100])
    """

    def __init__(self, channels=64, backend="auto"):
        super().__init__()
        self.conv_in = ConvBlock(nn.Conv2d(2, channels, kernel_size=1), backend)
        self.dense = DenseBlock(channels, backend=backend)
        self.downsample = ConvBlock(
            nn.Conv2d(channels, channels, (1, 3), stride=(1, 2)), backend
        )

    def forward(self, x, valid=None):
        """Maps [batch, 2, frames, freq] to [batch, channels, frames, bands].

        ``valid`` are the ``ValidSizes`` of the frames.
        """
        x = self.dense(self.conv_in(x, valid), valid)
        return self.downsample(x, valid)
