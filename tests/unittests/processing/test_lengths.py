"""Relative lengths as whole sizes, and what follows from them."""

import pytest
import torch

from speechbrain_semamba.processing.lengths import ValidSizes


@pytest.mark.parametrize("size", [1, 7, 321, 2**24 + 1])
def test_every_size_survives_the_relative_form(size):
    """In float64, whatever the type of the lengths; at least one is valid."""
    sizes = torch.unique(torch.linspace(1, size, 50).long().clamp(1, size))
    lengths = sizes.double() / size
    shape = len(sizes), size
    assert torch.equal(ValidSizes.of(lengths, shape).sizes, sizes)
    none = torch.zeros(2)
    assert ValidSizes.of(none, (2, size)).sizes.tolist() == [1, 1]


def test_float32_lengths_of_a_long_axis():
    size = 3 * 2**20 + 1
    lengths = torch.tensor([1.0, (size - 1) / size], dtype=torch.float32)
    assert ValidSizes.of(lengths, (2, size)).sizes.tolist() == [size, size - 1]


def test_converted_once():
    valid = ValidSizes(torch.tensor([3]), 4)
    assert ValidSizes.of(valid, (1, 4)) is valid
    assert ValidSizes.of(None, (1, 4)) is None


def test_mask():
    valid = ValidSizes(torch.tensor([4, 1, 0]), 4)
    assert valid.mask.dtype == torch.bool
    assert valid.mask.tolist() == [[n < k for n in range(4)] for k in (4, 1, 0)]


def test_batches_made_of_copies():
    valid = ValidSizes(torch.tensor([4, 1]), 4)
    for copies, sizes in (
        (valid.repeat(3), [4, 4, 4, 1, 1, 1]),
        (valid.repeat_item(1, 3), [1, 1, 1]),
    ):
        assert copies.sizes.tolist() == sizes
        assert copies.mask.sum(dim=1).tolist() == sizes
        assert copies.mask.shape == (len(sizes), 4)


@pytest.mark.parametrize("lengths", [[1.0], [1.0, 0.5, 0.5], [[1.0, 0.5]]])
def test_one_length_for_each_item(lengths):
    with pytest.raises(
        ValueError, match=r"lengths must be \[2\], one for each"
    ):
        ValidSizes.of(torch.tensor(lengths), (2, 9))
