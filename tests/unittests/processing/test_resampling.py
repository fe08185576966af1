"""One resampler, for any two rates."""

import pytest
import torch

from speechbrain_semamba.processing import resampling
from speechbrain_semamba.processing.resampling import resample


def tone(rate, frequency, seconds):
    time = torch.arange(round(seconds * rate), dtype=torch.float64) / rate
    return torch.sin(2 * torch.pi * frequency * time)[None]


@pytest.mark.parametrize(
    "rates", [(48000, 16000), (16000, 44100), (8000, 16000)]
)
@pytest.mark.parametrize("samples", [1, 2, 777, 4000])
def test_both_ways_are_the_same_sum(monkeypatch, rates, samples):
    wav = torch.randn(2, 3, samples, dtype=torch.float64)
    by_torchaudio = resample(wav, *rates)
    monkeypatch.setattr(resampling, "MAX_NUMBERS", 3000)
    # torchaudio divides some of its numbers in float32
    eps = torch.finfo(torch.float32).eps
    torch.testing.assert_close(
        resample(wav, *rates), by_torchaudio, rtol=0, atol=10 * eps
    )


@pytest.mark.parametrize("rate", [1000, 7919, 44101, 99991, 383_999, 384_000])
def test_any_rate_there_and_back(rate):
    """In memory that a machine has; a tone below all of them stays one."""
    wav = tone(16000, frequency=200.0, seconds=0.5)
    there = resample(wav, 16000, rate)
    assert there.shape[1] == -(-wav.shape[1] * rate // 16000)
    back = resample(there, rate, 16000)[:, : wav.shape[1]]
    middle = slice(2000, -2000)
    assert (back - wav)[:, middle].abs().max() < 1e-3


@pytest.mark.parametrize("rates", [(999, 16000), (16000, 384_001), (0, 16000)])
def test_rates_out_of_range(rates):
    with pytest.raises(ValueError, match="must lie in 1,000 to 384,000 Hz"):
        resample(torch.zeros(1, 10), *rates)


def test_gradient_and_type():
    wav = torch.randn(1, 50, requires_grad=True)
    resample(wav, 44101, 16000).sum().backward()
    assert wav.grad.isfinite().all() and wav.grad.any()
    assert resample(wav.double(), 44101, 16000).dtype == torch.float64
