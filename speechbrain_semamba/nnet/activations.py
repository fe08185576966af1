"""The sigmoid with a learnable slope."""

import torch


class LearnableSigmoid(torch.nn.Module):
    """``beta * sigmoid(slope * x)`` with one slope for each feature.

    Fu et al., "MetricGAN+", Interspeech 2021 (arXiv:2104.03538), section 3.3.

    Arguments
    ---------
    features : int
        Size of the last axis.
    beta : float
        Largest value.

    Example
    -------
    >>> LearnableSigmoid(201, beta=2.0)(torch.zeros(1, 3, 201)).unique()
    tensor([1.], grad_fn=<Unique2Backward0>)
    """

    def __init__(self, features, beta=1.0):
        super().__init__()
        self.beta = beta
        self.slope = torch.nn.Parameter(torch.ones(features))

    def forward(self, x):
        """Maps x [..., features] to the same shape."""
        return self.beta * torch.sigmoid(self.slope * x)
