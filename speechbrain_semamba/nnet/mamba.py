"""The Mamba mixer, and its block with a normalisation and a residual."""

import math

import torch
from torch import nn
from torch.nn.functional import linear

from speechbrain_semamba.nnet.gradient import wants_gradient
from speechbrain_semamba.ops.backends import (
    find_fused_mixer,
    use_cpu_kernels,
    use_operators,
)
from speechbrain_semamba.ops.causal_conv import causal_conv_silu
from speechbrain_semamba.ops.rms_norm import rms_norm
from speechbrain_semamba.ops.selective_scan import selective_scan
from speechbrain_semamba.processing.precision import (
    at_least_float32,
    without_autocast,
)


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
        Which kernels to use, as in ``ops.selective_scan``. Where they are
        PyTorch's own, every layer is called as a module, so that hooks see
        it (counters, quantisers); others take the weights of some past them.

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
            layer=self.conv1d,
        )
        delta, B, C = self.x_proj(u).split(
            [self.dt_rank, self.d_state, self.d_state], dim=-1
        )
        delta, bias = self._project_delta(delta)
        y = selective_scan(
            u,
            delta,
            self.A,
            B,
            C,
            self.D,
            z,
            bias,
            valid,
            reverse,
            self.backend,
        )
        return self.out_proj(y)

    def _project_delta(self, delta):
        """Step size before softplus, and what is to be added to it yet."""
        if use_operators(delta, self.backend):
            return linear(delta, self.dt_proj.weight), self.dt_proj.bias
        # the bias is as large as the step: half precision would blur it
        with without_autocast(delta.device.type):
            return self.dt_proj(at_least_float32(delta)), None

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

    def weights(self):
        """All weights in the order of ``ops.mamba_mixer.mamba_pair``."""
        mixer = self.mixer
        return [
            self.norm.weight,
            mixer.in_proj.weight,
            mixer.conv1d.weight.squeeze(1),
            mixer.conv1d.bias,
            mixer.x_proj.weight,
            mixer.dt_proj.weight,
            mixer.dt_proj.bias,
            mixer.A,
            mixer.D,
            mixer.out_proj.weight,
        ]

    def _normalize(self, x):
        backend = self.mixer.backend
        if use_cpu_kernels(x, backend) and not wants_gradient(self.norm, x):
            return rms_norm(x, self.norm.weight, self.norm.eps)
        return self.norm(at_least_float32(x))
