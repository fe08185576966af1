"""Distill-MOS: which windows are heard."""

import numpy as np
import pytest
import torch

from speechbrain_semamba.evaluation import distill_mos as module
from speechbrain_semamba.evaluation.distill_mos import distill_mos


@pytest.mark.parametrize(
    "samples, starts",
    [
        (4000, [0]),
        (122_880, [0]),
        # the last ends where the wave does
        (122_881, [0, 1]),
        (122_880 + 16_000, [0, 16_000]),
        (122_880 + 16_002, [0, 8_001, 16_002]),
    ],
)
def test_windows(monkeypatch, samples, starts):
    heard = []

    def network(batch):
        heard.append(batch)
        return torch.full((1, 1), 2.0 + len(heard))

    monkeypatch.setattr(module, "_network", lambda: network)
    scores = distill_mos(1 + np.arange(samples))
    assert scores == {"distill": np.mean(3.0 + np.arange(len(starts)))}
    for batch, start in zip(heard, starts):
        assert batch.shape == (1, 122_880) and batch.dtype == torch.float32
        assert batch[0, 0] == start + 1
        spoken = min(samples, 122_880)
        assert batch[0, spoken - 1] == start + spoken
        assert not batch[0, spoken:].any()
