"""Mamba along the time and frequency axes of a spectrum."""

import torch
from torch import nn

from speechbrain_semamba.nnet.gradient import wants_gradient
from speechbrain_semamba.nnet.hooks import is_watched
from speechbrain_semamba.nnet.mamba import Mamba, MambaBlock
from speechbrain_semamba.ops.backends import use_cpu_kernels
from speechbrain_semamba.ops.mamba_mixer import mamba_pair

#: Bytes of one inner feature map that the CPU works on at a time
SLICE = 1_600_000


class BidirectionalMamba(nn.Module):
    """A forward and a backward Mamba, a projection and a residual.

    Arguments
    ---------
    channels : int
        Size of the features.
    **mamba : dict
        Passed on to ``Mamba``.

    Example
    -------
    >>> BidirectionalMamba(8)(torch.randn(2, 10, 8)).shape
    torch.Size([2, 10, 8])
    """

    def __init__(self, channels=64, **mamba):
        super().__init__()
        self.forward_block = MambaBlock(channels, **mamba)
        self.backward_block = MambaBlock(channels, **mamba)
        self.projection = nn.Linear(2 * channels, channels)
        # The official layer is a transposed convolution, whose initial
        # range follows from its outputs, not from its inputs.
        bound = channels**-0.5
        nn.init.uniform_(self.projection.weight, -bound, bound)
        nn.init.uniform_(self.projection.bias, -bound, bound)

    def forward(self, x, valid=None):
        """Maps x [batch, length, channels] to the same shape."""
        if self.is_one_kernel(x):
            return self.run_kernel(x[:, None], valid)[:, 0]
        both = [
            self.forward_block(x, valid),
            self.backward_block(x, valid, reverse=True),
        ]
        return x + self.projection(torch.cat(both, dim=-1))

    def is_one_kernel(self, x):
        """Whether all of it may be one call of a compiled kernel on x.

        Not for training, and not if anybody could see that the layers are
        not called: by a hook, or by another layer in the place of one.
        """
        return (
            x.dtype in (torch.float32, torch.bfloat16)
            and use_cpu_kernels(x, self.forward_block.mixer.backend)
            and not wants_gradient(self, x)
            and all(type(module) in LAYERS for module in self.modules())
            and not is_watched(self)
        )

    def run_kernel(self, x, valid=None):
        """Maps x [batch, sequences, length, channels] to the same shape.

        Where not valid, the result is zero.
        """
        blocks = self.forward_block, self.backward_block
        return mamba_pair(
            x,
            *(block.weights() for block in blocks),
            self.projection.weight,
            self.projection.bias,
            [block.norm.eps for block in blocks],
            None if valid is None else valid.sizes,
        )


#: The layers whose place the kernel takes
LAYERS = {
    nn.Conv1d,
    nn.Linear,
    nn.RMSNorm,
    Mamba,
    MambaBlock,
    BidirectionalMamba,
}


class TFMamba(nn.Module):
    """A bidirectional Mamba along time, then one along frequency.

    Chao et al., SEMamba (arXiv:2405.06573), section 3.

    Arguments
    ---------
    channels : int
        Size of the features.
    **mamba : dict
        Passed on to ``Mamba``.

    Example
    -------
    >>> TFMamba(8)(torch.randn(1, 8, 5, 10)).shape
    torch.Size([1, 8, 5, 10])
    """

    def __init__(self, channels=64, **mamba):
        super().__init__()
        self.time = BidirectionalMamba(channels, **mamba)
        self.freq = BidirectionalMamba(channels, **mamba)

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
            Features [batch, channels, frames, freq]; without a meaning
            where not valid.
        """
        x = x.permute(0, 3, 2, 1)  # [batch, freq, frames, channels]
        x = _along(self.time, x, valid).transpose(1, 2)
        return _along(self.freq, x).permute(0, 3, 1, 2)


def _along(mamba, x, valid=None):
    """Runs a BidirectionalMamba over x [batch, sequences, length, channels]."""
    if mamba.is_one_kernel(x):
        return mamba.run_kernel(x, valid)
    mixer = mamba.forward_block.mixer
    if wants_gradient(mamba, x) or not use_cpu_kernels(x, mixer.backend):
        if valid is not None:
            valid = valid.repeat(x.shape[1])
        return mamba(x.flatten(0, 1), valid).view(x.shape)
    # so few sequences at a time that what is between stays in the cache
    inner = x.shape[2] * mixer.D.numel() * x.element_size()
    count = max(1, SLICE // inner)
    y = torch.empty_like(x)
    for i, (sequences, results) in enumerate(zip(x, y)):
        parts = zip(sequences.split(count), results.split(count))
        for part, result in parts:
            copies = None if valid is None else valid.repeat_item(i, len(part))
            result.copy_(mamba(part, copies))
    return y
