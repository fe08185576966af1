"""SpeechBrain's relative lengths as whole sizes and as masks."""

import torch
from speechbrain.dataio.dataio import length_to_mask


def valid_sizes(lengths, size):
    """Number of valid elements of each item along a padded axis.

    Arguments
    ---------
    lengths : torch.Tensor
        Relative lengths [batch]; 1.0 is the whole axis.
    size : int
        Size of the padded axis.

    Returns
    -------
    torch.Tensor
        Whole numbers [batch], at least 1.

    Example
    -------
    >>> valid_sizes(torch.tensor([1.0, 2 / 3]), 321).tolist()
    [321, 214]
    """
    # float32 counts whole samples only up to 2^24
    return (lengths.double() * size).round().long().clamp(1, size)


def valid_mask(lengths, size):
    """Mask of the valid elements of each item along a padded axis.

    Arguments
    ---------
    lengths : torch.Tensor
        Relative lengths [batch]; 1.0 is the whole axis.
    size : int
        Size of the padded axis.

    Returns
    -------
    torch.Tensor
        Booleans [batch, size], True where valid.

    Example
    -------
    >>> valid_mask(torch.tensor([1.0, 0.5]), 4).long().tolist()
    [[1, 1, 1, 1], [1, 1, 0, 0]]
    """
    return length_to_mask(
        valid_sizes(lengths, size), max_len=size, dtype=torch.bool
    )
