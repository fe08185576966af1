"""The dense block of dilated convolutions."""

import torch
from torch import nn

from speechbrain_semamba.nnet.normalization import InstanceNorm


class ConvBlock(nn.Module):
    """A convolution, instance normalisation and PReLU.

    Arguments
    ---------
    conv : torch.nn.Module
        A Conv2d or ConvTranspose2d.

    Example
    -------
    >>> block = ConvBlock(nn.Conv2d(2, 8, (1, 3), (1, 2)))
    >>> block(torch.randn(1, 2, 5, 201)).shape
    torch.Size([1, 8, 5, 100])
    """

    def __init__(self, conv):
        super().__init__()
        self.conv = conv
        self.norm = InstanceNorm(conv.out_channels)
        self.activation = nn.PReLU(conv.out_channels)

    def forward(self, x, valid=None):
        """Features [batch, channels, frames, freq], zero where not valid."""
        return self.activation(self.norm(self.conv(x), valid))


class DenseBlock(nn.Module):
    """Convolutions with growing reach in time, each seeing all before it.

    Pandey and Wang, "Densely connected neural network with dilated
    convolutions", ICASSP 2020; as in CMGAN and MP-SENet.

    Arguments
    ---------
    channels : int
        Channels of the input and of each convolution's output.
    depth : int
        Number of convolutions; the i-th is dilated by 2^i in time.

    Example
    -------
    >>> DenseBlock(8)(torch.randn(1, 8, 5, 100)).shape
    torch.Size([1, 8, 5, 100])
    """

    def __init__(self, channels=64, depth=4):
        super().__init__()
        self.layers = nn.ModuleList(
            ConvBlock(
                nn.Conv2d(
                    channels * (i + 1),
                    channels,
                    kernel_size=3,
                    dilation=(2**i, 1),
                    padding=(2**i, 1),
                )
            )
            for i in range(depth)
        )

    def forward(self, x, valid=None):
        """Maps features to the same shape.

        Arguments
        ---------
        x : torch.Tensor
            Features [batch, channels, frames, freq], zero where not valid.
        valid : torch.Tensor
            1 for frames that count, 0 for padding [batch, 1, frames, 1].

        Returns
        -------
        torch.Tensor
            Features [batch, channels, frames, freq], zero where not valid.
        """
        seen = x
        for layer in self.layers:
            x = layer(seen, valid)
            seen = torch.cat([x, seen], dim=1)
        return x
