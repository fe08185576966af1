"""The two decoders: features to a mask, and to the phase."""

import torch
from torch import nn

from speechbrain_semamba.nnet.activations import LearnableSigmoid
from speechbrain_semamba.nnet.dense import ConvBlock, DenseBlock
from speechbrain_semamba.nnet.upsample import Upsample
from speechbrain_semamba.processing.precision import at_least_float32


class MaskDecoder(nn.Module):
    """Features to a mask for the compressed magnitude.

    Arguments
    ---------
    channels : int
        Number of feature channels.
    freq : int
        Number of frequencies of the spectrum.
    beta : float
        Largest value of the mask.
    backend : str
        Which kernels to use, as in ``ops.selective_scan``.

    Example
    -------
    >>> MaskDecoder(8)(torch.randn(1, 8, 5, 100)).shape
    torch.Size([1, 5, 201])
    """

    def __init__(self, channels=64, freq=201, beta=2.0, backend="auto"):
        super().__init__()
        self.dense = DenseBlock(channels, backend=backend)
        self.upsample = Upsample(channels, backend)
        self.squeeze = ConvBlock(nn.Conv2d(channels, 1, kernel_size=1), backend)
        self.conv_out = nn.Conv2d(1, 1, kernel_size=1)
        self.sigmoid = LearnableSigmoid(freq, beta)

    def forward(self, x, valid=None):
        """Maps [batch, channels, frames, bands] to [batch, frames, freq].

        ``valid`` are the ``ValidSizes`` of the frames.
        """
        x = self.upsample(self.dense(x, valid))
        x = self.conv_out(self.squeeze(x, valid))
        return self.sigmoid(x.squeeze(1))


class PhaseDecoder(nn.Module):
    """Features to the phase, by way of its real and imaginary part.

    Arguments
    ---------
    channels : int
        Number of feature channels.
    backend : str
        Which kernels to use, as in ``ops.selective_scan``.

    Example
    -------
    >>> PhaseDecoder(8)(torch.randn(1, 8, 5, 100)).shape
    torch.Size([1, 5, 201])
    """

    def __init__(self, channels=64, backend="auto"):
        super().__init__()
        self.dense = DenseBlock(channels, backend=backend)
        self.upsample = ConvBlock(Upsample(channels, backend), backend)
        self.conv_real = nn.Conv2d(channels, 1, kernel_size=1)
        self.conv_imag = nn.Conv2d(channels, 1, kernel_size=1)

    def forward(self, x, valid=None):
        """Maps [batch, channels, frames, bands] to [batch, frames, freq].

        ``valid`` are the ``ValidSizes`` of the frames.
        """
        x = self.upsample(self.dense(x, valid), valid)
        # half precision would cost up to 0.01 radians in the arc tangent
        real = at_least_float32(self.conv_real(x))
        imag = at_least_float32(self.conv_imag(x))
        return torch.atan2(imag, real).squeeze(1)
