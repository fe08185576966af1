"""The transposed convolution that doubles the frequencies."""

import torch
from torch import nn
from torch.nn.functional import conv2d

from speechbrain_semamba.ops.backends import use_cpu_kernels


class Upsample(nn.ConvTranspose2d):
    """From n frequencies to 2 n + 1, with a kernel of three.

    Arguments
    ---------
    channels : int
        Channels of input and output.
    backend : str
        As in ``ops.selective_scan``. Where the CPU kernels go with it, an
        ordinary convolution is several times faster.

    Example
    -------
    >>> Upsample(8)(torch.randn(1, 8, 5, 100)).shape
    torch.Size([1, 8, 5, 201])
    """

    def __init__(self, channels=64, backend="auto"):
        super().__init__(channels, channels, (1, 3), stride=(1, 2))
        self.backend = backend

    def forward(self, x):
        """Features [batch, channels, frames, n] to [.., 2 n + 1]."""
        if not use_cpu_kernels(x, self.backend):
            return super().forward(x)
        # Output 2i is w0 x[i] + w2 x[i-1], output 2i + 1 is w1 x[i]: an
        # ordinary convolution gives both, as channels of one frequency.
        w0, w1, w2 = self.weight[:, :, 0].unbind(-1)
        even = torch.stack([w2, w0], dim=-1)
        odd = torch.stack([torch.zeros_like(w1), w1], dim=-1)
        weight = torch.cat([even, odd], dim=1).transpose(0, 1).unsqueeze(2)
        x = x.contiguous(memory_format=torch.channels_last)
        y = conv2d(x, weight, self.bias.repeat(2), padding=(0, 1))
        y = y.unflatten(1, (2, -1)).permute(0, 3, 4, 1, 2)
        return y.flatten(2, 3)[:, :, :-1].permute(0, 3, 1, 2)
