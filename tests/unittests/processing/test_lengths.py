"""Relative lengths, as SpeechBrain rounds them."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from speechbrain_semamba.processing.lengths import valid_mask, valid_sizes


@given(st.lists(st.integers(1, 2**26), min_size=1, max_size=5))
def test_sizes_survive_relative_lengths(sizes):
    """Whatever float32 makes of their ratio, up to an hour at 16 kHz."""
    longest = max(sizes)
    lengths = torch.tensor([n / longest for n in sizes], dtype=torch.float64)
    assert valid_sizes(lengths, longest).tolist() == sizes


def test_float32_lengths_count_a_minute_exactly():
    longest = 960_000
    sizes = torch.arange(1, longest, 997)
    lengths = sizes.float() / longest
    assert torch.equal(valid_sizes(lengths, longest), sizes)


@pytest.mark.parametrize("length, size", [(0.0, 1), (1.0, 7), (1.5, 7)])
def test_sizes_stay_on_the_axis(length, size):
    assert valid_sizes(torch.tensor([length]), 7).item() == size


def test_mask_is_true_up_to_the_size():
    mask = valid_mask(torch.tensor([0.5, 1.0, 0.01]), 6)
    assert mask.dtype == torch.bool
    assert mask.sum(1).tolist() == [3, 6, 1]
    assert mask[:, 0].all() and not mask[0, 3:].any()
