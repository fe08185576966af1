"""The dense block of dilated convolutions."""

import torch
from torch import nn
from torch.nn.functional import conv2d, pad

from speechbrain_semamba.nnet.gradient import wants_gradient
from speechbrain_semamba.nnet.hooks import is_watched
from speechbrain_semamba.nnet.normalization import InstanceNorm
from speechbrain_semamba.ops.backends import use_cpu_kernels
from speechbrain_semamba.ops.conv3x3 import conv3x3, joined_conv3x3
from speechbrain_semamba.ops.instance_norm import instance_norm_prelu
from speechbrain_semamba.processing.precision import computing_dtype

#: Frames of the dense block that the CPU works on at a time
TILE = 64
#: Channels to a multiple of which PyTorch's gradient of a bfloat16 weight
#: works and is fast. With 24, that of PyTorch 2.14 reads past its memory on
#: processors with AVX512_BF16, which now and then ends the process.
FULL = 16


class ConvBlock(nn.Module):
    """A convolution, instance normalisation and PReLU.

    Arguments
    ---------
    conv : torch.nn.Module
        A Conv2d or ConvTranspose2d.
    backend : str
        Which kernels to use, as in ``ops.selective_scan``.

    Example
    -------
    >>> block = ConvBlock(nn.Conv2d(2, 8, (1, 3), (1, 2)))
    >>> block(torch.randn(1, 2, 5, 201)).shape
    torch.Size([1, 8, 5, 100])
    """

    def __init__(self, conv, backend="auto"):
        super().__init__()
        self.backend = backend
        self.conv = conv
        self.norm = InstanceNorm(conv.out_channels)
        self.activation = nn.PReLU(conv.out_channels)

    def forward(self, x, valid=None, join=False):
        """Features [batch, channels, frames, freq], zero where not valid.

        With ``join`` the input follows behind the result, as more channels.
        """
        if use_cpu_kernels(x, self.backend):
            # the innermost channels fill the vectors of the convolution
            x = x.contiguous(memory_format=torch.channels_last)
        return self.finish(self.conv(x), valid, x if join else None)

    def finish(self, x, valid=None, seen=None):
        """Normalisation and PReLU of what the convolution gave.

        ``seen`` follows behind the result, as more channels.
        """
        if not use_cpu_kernels(x, self.backend):
            y = self.activation(self.norm(x, valid))
            return y if seen is None else torch.cat([y, seen], dim=1)
        y, _, _ = instance_norm_prelu(
            x,
            self.norm.weight,
            self.norm.bias,
            self.activation.weight,
            seen,
            None if valid is None else valid.sizes,
            self.norm.eps,
        )
        return y


class DilatedConv(nn.Conv2d):
    """A 3x3 convolution that keeps the size, dilated in time.

    Arguments
    ---------
    in_channels : int
        Channels of the input.
    out_channels : int
        Channels of the output.
    dilation : int
        Frames between two taps in time.
    backend : str
        As in ``ops.selective_scan``. Where the CPU kernels go with it, the
        gradient of the weight is several times faster.

    Example
    -------
    >>> DilatedConv(4, 8, dilation=2)(torch.randn(1, 4, 5, 100)).shape
    torch.Size([1, 8, 5, 100])
    """

    def __init__(self, in_channels, out_channels, dilation, backend="auto"):
        super().__init__(
            in_channels,
            out_channels,
            kernel_size=3,
            dilation=(dilation, 1),
            padding=(dilation, 1),
        )
        self.backend = backend

    def forward(self, x):
        """Features [batch, channels, frames, freq] to the same frames."""
        dtype = computing_dtype(x)
        fills = self.in_channels % FULL == self.out_channels % FULL == 0
        theirs = dtype == torch.bfloat16 and fills
        if theirs or not use_cpu_kernels(x, self.backend):
            return super().forward(x)
        tensors = (t.to(dtype) for t in (x, self.weight, self.bias))
        return conv3x3(*tensors, self.dilation[0])


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
    backend : str
        Which kernels to use, as in ``ops.selective_scan``.

    Example
    -------
    >>> DenseBlock(8)(torch.randn(1, 8, 5, 100)).shape
    torch.Size([1, 8, 5, 100])
    """

    def __init__(self, channels=64, depth=4, backend="auto"):
        super().__init__()
        self.backend = backend
        self.layers = nn.ModuleList(
            ConvBlock(
                DilatedConv(channels * (i + 1), channels, 2**i, backend),
                backend,
            )
            for i in range(depth)
        )

    def forward(self, x, valid=None):
        """Maps features to the same shape.

        Arguments
        ---------
        x : torch.Tensor
            Features [batch, channels, frames, freq], zero where not valid.
        valid : ValidSizes
            The frames that count.

        Returns
        -------
        torch.Tensor
            Features [batch, channels, frames, freq], zero where not valid.
        """
        if (
            use_cpu_kernels(x, self.backend)
            and not wants_gradient(self, x)
            and not is_watched(self)
        ):
            return self._without_gradient(x, valid)
        *joining, last = self.layers
        for layer in joining:
            x = layer(x, valid, join=True)
        return last(x, valid)

    def _without_gradient(self, x, valid):
        """Never holds all that a convolution sees as one tensor."""
        seen = [x.contiguous(memory_format=torch.channels_last)]
        for layer in self.layers:
            seen.insert(0, layer.finish(_conv_of_all(layer.conv, seen), valid))
        return seen[0]


def _conv_of_all(conv, seen):
    """The convolution of all features, joined."""
    types = {computing_dtype(seen[0]), seen[0].dtype, conv.weight.dtype}
    if types == {torch.float32}:
        return joined_conv3x3(seen, conv.weight, conv.bias, conv.dilation[0])
    y = torch.empty_like(seen[0])
    for begin in range(0, y.shape[2], TILE):
        end = min(begin + TILE, y.shape[2])
        y[:, :, begin:end] = _conv_of_tile(conv, seen, begin, end)
    return y


def _conv_of_tile(conv, seen, begin, end):
    """Frames [begin, end) of the convolution of all features, joined."""
    reach, total = conv.dilation[0], seen[0].shape[2]
    around = slice(max(0, begin - reach), end + reach)
    x = torch.cat([features[:, :, around] for features in seen], dim=1)
    missing = max(0, reach - begin), max(0, end + reach - total)
    x = pad(x, (0, 0, *missing))
    return conv2d(
        x, conv.weight, conv.bias, padding=(0, 1), dilation=conv.dilation
    )
