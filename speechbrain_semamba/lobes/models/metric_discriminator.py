"""The network that predicts PESQ from a pair of magnitudes."""

import torch
from torch import nn
from torch.nn.utils import spectral_norm

from speechbrain_semamba.nnet.activations import LearnableSigmoid
from speechbrain_semamba.utils.checks import check_counts


class MetricDiscriminator(nn.Module):
    """Predicts the normalised PESQ of an estimate, (PESQ - 1) / 3.5.

    The discriminator of CMGAN (arXiv:2203.15149, section 2.2). The defaults
    are the paper's: 181,650 parameters. The old-style ``spectral_norm`` is
    deliberate: its keys are those of the official checkpoint.

    Arguments
    ---------
    channels : int
        Channels of the first convolution.
    dropout : float
        Probability of dropout between the linear layers.

    Raises
    ------
    ValueError
        If ``channels`` is none, or ``dropout`` no probability.

    Example
    -------
    >>> clean, enhanced = torch.rand(2, 3, 161, 201)
    >>> MetricDiscriminator()(clean, enhanced).shape
    torch.Size([3])
    """

    def __init__(self, channels=16, dropout=0.3):
        super().__init__()
        check_counts(channels=channels)
        sizes = [2] + [channels * 2**i for i in range(4)]
        layers = []
        for size_in, size_out in zip(sizes, sizes[1:]):
            conv = nn.Conv2d(
                size_in, size_out, 4, stride=2, padding=1, bias=False
            )
            layers += [
                spectral_norm(conv),
                nn.InstanceNorm2d(size_out, affine=True),
                nn.PReLU(size_out),
            ]
        self.layers = nn.Sequential(
            *layers,
            nn.AdaptiveMaxPool2d(1),
            nn.Flatten(),
            spectral_norm(nn.Linear(8 * channels, 4 * channels)),
            nn.Dropout(dropout),
            nn.PReLU(4 * channels),
            spectral_norm(nn.Linear(4 * channels, 1)),
            LearnableSigmoid(1),
        )

    def forward(self, mag, mag_hat):
        """Predicts a score for each pair.

        Arguments
        ---------
        mag : torch.Tensor
            Compressed magnitude of the clean speech [batch, frames, freq].
        mag_hat : torch.Tensor
            Compressed magnitude of the estimate [batch, frames, freq].

        Returns
        -------
        torch.Tensor
            Scores [batch] between 0 and 1.
        """
        # the official kernels run over (freq, frames)
        pair = torch.stack([mag, mag_hat], dim=1).transpose(2, 3)
        return self.layers(pair).flatten()
