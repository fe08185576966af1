"""Root-mean-square normalisation, for every instruction set."""

import pytest
import torch
from operators import TOLERANCES, assert_rounded, needs_kernels, normal

from speechbrain_semamba.ops.rms_norm import rms_norm

pytestmark = [needs_kernels, pytest.mark.usefixtures("instructions")]


@pytest.mark.parametrize("channels", [1, 5, 16, 37])
def test_rms_norm(channels):
    x, weight = normal(3, 7, channels, seed=1), normal(channels, seed=2)
    between = torch.cat([x + 1, x, x], dim=-1)[..., channels : 2 * channels]
    turned = x.permute(2, 0, 1).contiguous().permute(1, 2, 0)
    middle = x.transpose(0, 1).contiguous().transpose(0, 1)
    for strided_x in (x, between, turned, middle):
        for dtype, (tolerance, _) in TOLERANCES.items():
            y = rms_norm(strided_x.to(dtype), weight.to(dtype), 0.1)
            expected = torch.nn.functional.rms_norm(x, (channels,), weight, 0.1)
            assert y.dtype == dtype and y.is_contiguous()
            assert (y - expected).abs().max() < tolerance * expected.abs().max()


def test_rms_norm_in_bfloat16():
    x, weight = normal(3, 7, 37).bfloat16(), normal(37, seed=2).float()
    y = rms_norm(x, weight, 1e-5)
    assert_rounded(y, rms_norm(x.float(), weight, 1e-5))
