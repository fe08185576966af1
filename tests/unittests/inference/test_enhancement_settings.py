"""What a user may ask for, and what is refused in one line."""

import numpy as np
import pytest

from speechbrain_semamba.inference.settings import EnhancementSettings


@pytest.mark.parametrize(
    "name, value, message",
    [
        ("sample_rate", 0, "must lie in 1,000 to 384,000 Hz, found 0"),
        ("sample_rate", -16000, "found -16,000"),
        ("sample_rate", 16000.5, "is a whole number of Hz, found 16000.5"),
        ("sample_rate", "16000", "is a whole number of Hz, found '16000'"),
        ("pcs", "Peak", "must be 'peak', 'level' or None, found 'Peak'"),
        ("strength", 1.1, "must be 0 to 1, found 1.1"),
        ("strength", float("nan"), "found nan"),
        ("strength", "1", "found '1'"),
        ("attenuation_limit", -1, "must be at least 0, found -1"),
        ("window_seconds", 0.05, "must be 0.1 to 3600, found 0.05"),
        ("overlap_seconds", 10.1, "must be 0 to 10.0, found 10.1"),
        ("batch_seconds", float("inf"), "must be 0 to 86400, found inf"),
        ("batch_seconds", -1, "found -1"),
    ],
)
def test_out_of_range(name, value, message):
    with pytest.raises(ValueError, match=message) as info:
        EnhancementSettings.of({name: value})
    assert "\n" not in str(info.value)


def test_numbers_of_numpy():
    settings = EnhancementSettings(
        strength=np.float32(0.5), sample_rate=np.int64(8000)
    )
    assert settings.noisy_share == 0.5


@pytest.mark.parametrize(
    "strength, limit, share",
    [
        (1, None, 0),
        (0, None, 1),
        (0.75, None, 0.25),
        (1, 20, 0.1),
        (0.75, 20, 0.25),
        (1, 0, 1),
        (1, float("inf"), 0),
    ],
)
def test_noisy_share(strength, limit, share):
    settings = EnhancementSettings(strength=strength, attenuation_limit=limit)
    assert settings.noisy_share == pytest.approx(share)
