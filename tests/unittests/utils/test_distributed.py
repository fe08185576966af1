"""What processes tell each other, in a process alone."""

import math

import torch

from speechbrain_semamba.utils.distributed import mean_everywhere


def test_numbers_alone_do_not_wait_for_the_device():
    """A meta tensor has no number that it could give back."""
    assert mean_everywhere({"a": 1.5, "b": 2}, "meta") == {"a": 1.5, "b": 2.0}


def test_tensors_and_numbers_together():
    values = {"a": torch.tensor(math.nan), "b": 2}
    means = mean_everywhere(values)
    assert math.isnan(means["a"]) and means["b"] == 2
