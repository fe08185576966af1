"""Mamba along the time and frequency axes of a spectrum."""

import math

import torch
from torch import nn
from torch.nn.functional import linear

from speechbrain_semamba.nnet.gradient import wants_gradient
from speechbrain_semamba.ops.backends import find_fused_mixer, use_cpu_kernels
from speechbrain_semamba.ops.causal_conv import causal_conv_silu
from speechbrain_semamba.ops.rms_norm import rms_norm
from speechbrain_semamba.ops.selective_scan import selective_scan
from speechbrain_semamba.processing.precision import at_least_float32

#: Bytes of one inner feature map that the CPU works on at a time
SLICE = 1_600_000


class Mamba(nn.Module):
    """The Mamba mixer (Gu and Dao, arXiv:2312.00752, section 3.4).

    Arguments
    ---------
    channels : int
        Size of the input and output features.
    d_state : int
        States for each inner feature.
    d_conv : int
        Width of the causal convolution.
    expand : int
        Inner features for each input feature.
    backend : str
        Which kernels to use, as in ``ops.selective_scan``.

    Example
    -------
    >>> Mamba(8)(torch.randn(2, 10, 8)).shape
    torch.Size([2, 10, 8])
    """

    def __init__(
        self, channels=64, d_state=16, d_conv=4, expand=4, backend="auto"
    ):
        super().__init__()
        self.backend = backend
        self.d_state = d_state
        self.dt_rank = math.ceil(channels / 16)
        dim = expand * channels
        self.in_proj = nn.Linear(channels, 2 * dim, bias=False)
        self.conv1d = nn.Conv1d(dim, dim, d_conv, groups=dim)
        self.x_proj = nn.Linear(dim, self.dt_rank + 2 * d_state, bias=False)
        self.dt_proj = nn.Linear(self.dt_rank, dim)
        self.A_log = nn.Parameter(
            torch.arange(1.0, d_state + 1).log().repeat(dim, 1)
        )
        self.D = nn.Parameter(torch.ones(dim))
        self.out_proj = nn.Linear(dim, channels, bias=False)
        self._init_step_size()

    def _init_step_size(self, smallest=1e-3, largest=1e-1):
        # softplus(bias) is drawn log-uniformly, as in the Mamba paper
        bound = self.dt_rank**-0.5
        nn.init.uniform_(self.dt_proj.weight, -bound, bound)
        span = math.log(largest) - math.log(smallest)
        step = torch.rand_like(self.dt_proj.bias) * span + math.log(smallest)
        step = step.exp()
        with torch.no_grad():
            self.dt_proj.bias.copy_(step + torch.log(-torch.expm1(-step)))

    @property
    def A(self):
        """Decay rates [dim, state], negative, float32 or better."""
        return -at_least_float32(self.A_log).exp()

    def forward(self, x, valid=None, reverse=False):
        """Mixes along the length.

        Arguments
        ---------
        x : torch.Tensor
            Features [batch, length, channels], zero where not valid.
        valid : ValidSizes
            The steps that count.
        reverse : bool
            Run from the last step to the first.

        Returns
        -------
        torch.Tensor
            Features [batch, length, channels], zero where not valid.
        """
        xz = self.in_proj(x)
        fused_mixer = find_fused_mixer(x.device, self.backend)
        if valid is None and fused_mixer is not None:
            return self._fused(fused_mixer, xz, reverse)
        u, z = xz.chunk(2, dim=-1)
        u = causal_conv_silu(
            u,
            self.conv1d.weight.squeeze(1),
            self.conv1d.bias,
            reverse,
            self.backend,
        )
        delta, B, C = self.x_proj(u).split(
            [self.dt_rank, self.d_state, self.d_state], dim=-1
        )
        y = selective_scan(
            u,
            linear(delta, self.dt_proj.weight),
            self.A,
            B,
            C,
            self.D,
            z,
            self.dt_proj.bias,
            valid,
            reverse,
            self.backend,
        )
        return self.out_proj(y)

    def _fused(self, fused_mixer, xz, reverse):
        return fused_mixer(
            xz,
            self.conv1d.weight,
            self.conv1d.bias,
            self.x_proj.weight,
            self.dt_proj.weight,
            self.dt_proj.bias,
            self.A,
            self.D,
            self.out_proj.weight,
            reverse,
        )


class MambaBlock(nn.Module):
    """A Mamba mixer with pre-normalisation and a residual connection.

    Arguments
    ---------
    channels : int
        Size of the features.
    **mamba : dict
        Passed on to ``Mamba``.

    Example
    -------
    >>> MambaBlock(8)(torch.randn(2, 10, 8)).shape
    torch.Size([2, 10, 8])
    """

    def __init__(self, channels=64, **mamba):
        super().__init__()
        self.norm = nn.RMSNorm(channels, eps=1e-5)
        self.mixer = Mamba(channels, **mamba)

    def forward(self, x, valid=None, reverse=False):
        """Arguments and result as ``Mamba.forward``."""
        return x + self.mixer(self._normalize(x), valid, reverse)

    def _normalize(self, x):
        backend = self.mixer.backend
        if use_cpu_kernels(x, backend) and not wants_gradient(self.norm, x):
            return rms_norm(x, self.norm.weight, self.norm.eps)
        return self.norm(at_least_float32(x))


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
        both = [
            self.forward_block(x, valid),
            self.backward_block(x, valid, reverse=True),
        ]
        return x + self.projection(torch.cat(both, dim=-1))


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
