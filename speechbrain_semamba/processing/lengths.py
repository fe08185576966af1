"""How much of a padded axis counts, for each item of a batch."""

import torch
from speechbrain.dataio.dataio import length_to_mask


class ValidSizes:
    """How many elements of a padded axis count, for each item of a batch.

    SpeechBrain's relative lengths become one of these where they come in, and
    are one as far as the kernels.

    Arguments
    ---------
    sizes : torch.Tensor
        Whole numbers [batch].
    size : int
        Size of the padded axis.

    Example
    -------
    >>> valid = ValidSizes(torch.tensor([3, 1]), 3)
    >>> valid.mask.long().tolist()
    [[1, 1, 1], [1, 0, 0]]
    >>> valid.repeat(2).sizes.tolist()
    [3, 3, 1, 1]
    """

    def __init__(self, sizes, size):
        self.sizes = sizes
        self.size = size

    @classmethod
    def of(cls, lengths, shape):
        """The conversion, at the door of what takes relative lengths.

        Arguments
        ---------
        lengths : torch.Tensor
            Relative lengths [batch]; 1.0 is the whole axis. None, if all of
            it counts, and ``ValidSizes`` are returned as they are.
        shape : tuple
            Batch, and size of the padded axis.

        Returns
        -------
        ValidSizes
            At least 1 for each item.

        Raises
        ------
        ValueError
            If there is not one length for each item.

        Example
        -------
        >>> ValidSizes.of(torch.tensor([1.0, 2 / 3]), (2, 321)).sizes.tolist()
        [321, 214]
        """
        if lengths is None or isinstance(lengths, cls):
            return lengths
        batch, size = shape
        if lengths.shape != (batch,):
            raise ValueError(
                f"lengths must be [{batch}], one for each item, found "
                f"{list(lengths.shape)}"
            )
        # float32 counts whole samples only up to 2^24
        sizes = (lengths.double() * size).round().long().clamp(1, size)
        return cls(sizes, size)

    @property
    def mask(self):
        """Booleans [batch, size], True where valid."""
        return length_to_mask(self.sizes, max_len=self.size, dtype=torch.bool)

    def repeat(self, count):
        """Those of a batch that has each item ``count`` times in a row."""
        return ValidSizes(self.sizes.repeat_interleave(count), self.size)

    def repeat_item(self, index, count):
        """Those of a batch that has one item ``count`` times."""
        return ValidSizes(self.sizes[index].expand(count), self.size)
