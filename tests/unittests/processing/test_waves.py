"""Waves, lengths and weights that users hand over."""

import pytest
import torch

from speechbrain_semamba.lobes.models.semamba import SEMamba, SEMambaEnhancer
from speechbrain_semamba.processing.waves import (
    check_lengths,
    check_waves,
    check_weights,
)


@pytest.mark.parametrize("shape", [(), (9,), (1, 1, 9), (1, 0), (0, 9)])
def test_shapes_that_are_no_batch(shape):
    with pytest.raises(ValueError, match="found "):
        check_waves(torch.zeros(shape))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.bool])
def test_types_whose_scale_nobody_knows(dtype):
    with pytest.raises(ValueError, match=f"found {dtype}; scale them"):
        check_waves(torch.ones(1, 9).to(dtype))


def test_full_scale_of_integers():
    for bits, dtype in ((15, torch.int16), (31, torch.int32)):
        wav = torch.tensor([[-(2**bits), 2 ** (bits - 1)]], dtype=dtype)
        assert check_waves(wav).tolist() == [[-1.0, 0.5]]


@pytest.mark.parametrize(
    "lengths", [[16000, 8000], [1.0, 0.0], [1.0, -1], [1.0, torch.nan]]
)
def test_lengths_that_are_not_relative(lengths):
    with pytest.raises(ValueError, match="are relative, above 0"):
        check_lengths(torch.tensor(lengths))


def test_lengths_that_rounding_made_too_long():
    lengths = torch.tensor([1.0000001, 1e-6])
    assert lengths[0] > 1
    assert check_lengths(lengths) is None and check_lengths(None) is None


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_weights_are_refused(dtype):
    with pytest.raises(ValueError, match=f"found {dtype}; for half precision"):
        check_weights(torch.nn.Linear(1, 1).to(dtype))


def test_model_and_wave_of_other_types():
    torch.manual_seed(0)
    enhance = SEMambaEnhancer(SEMamba(channels=4, num_blocks=1)).eval()
    wav = torch.randn(1, 900)
    for model in (torch.float32, torch.float64):
        for given in (torch.float16, torch.float32, torch.float64):
            enhanced, _ = enhance.to(model)(wav.to(given))
            assert enhanced.dtype == torch.promote_types(given, torch.float32)
            assert enhanced.isfinite().all()


def test_quiet_half_precision_does_not_overflow():
    enhance = SEMambaEnhancer(SEMamba(channels=4, num_blocks=1))
    enhanced, (mag, _) = enhance(1e-5 * torch.randn(1, 900).half())
    assert mag.isfinite().all() and mag.any()


def test_shapes_without_samples():
    """The device meta, as tools that count operations use it."""
    enhance = SEMambaEnhancer(SEMamba(channels=4, num_blocks=1)).to("meta")
    with pytest.raises(ValueError, match="hold no samples; give the spectrum"):
        enhance(torch.empty(2, 900, device="meta"))
    spectrum = torch.empty(2, 1, 5, 201, device="meta")
    for shape in (x.shape for x in enhance.generator(*spectrum)):
        assert shape == (1, 5, 201)
