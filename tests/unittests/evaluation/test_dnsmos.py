"""DNSMOS: which windows are heard, on what scale, and how."""

import numpy as np
import pytest

from speechbrain_semamba.evaluation import dnsmos
from speechbrain_semamba.evaluation.dnsmos import p808, p835


@pytest.fixture
def heard(monkeypatch):
    """What the networks hear; they say the second that a window starts at."""
    windows = []

    class Session:
        def __init__(self, name):
            self.scores = 3 if name == "sig_bak_ovr.onnx" else 1

        def run(self, outputs, inputs):
            (window,) = inputs["input_1"]
            windows.append(window)
            # the first axis is the batch
            return [np.full((1, self.scores), window.flat[0], "float32")]

    monkeypatch.setattr(dnsmos, "_session", Session)
    return windows


def ramp(seconds):
    """A wave that tells the time."""
    return np.arange(int(seconds * 16000)) / 16000


@pytest.mark.parametrize(
    "seconds, starts",
    [
        (9.01, [0]),
        (9.99, [0]),
        # whole seconds count
        (10.99, [0]),
        (11, [0, 1]),
        (16.5, [0, 1, 2, 3, 4, 5, 6]),
        # from 7 to 23 s windows are a sample short, and left out
        (25, [0, 1, 2, 3, 4, 5, 6]),
        (35, [0, 1, 2, 3, 4, 5, 6, 24, 25]),
        # twice, and the same again, until a window is full
        (8.5, [0, 1, 2, 3, 4, 5, 6]),
        (3, [0, 1, 2]),
    ],
)
def test_windows(heard, seconds, starts):
    p835(ramp(seconds))
    assert [window.shape for window in heard] == [(144160,)] * len(starts)
    expected = [start % seconds for start in starts]
    np.testing.assert_allclose([w[0] for w in heard], expected, atol=1e-4)
    assert heard[0].dtype == np.float32


def test_scales(heard):
    """Coefficients of the authors, highest power first; mean of two windows."""
    expected = {
        "sig": [-0.08397278, 1.22083953, 0.0052439],
        "bak": [-0.13166888, 1.60915514, -0.39604546],
        "ovrl": [-0.06766283, 1.11546468, 0.04602535],
    }
    scores = p835(1 + ramp(11))
    assert list(scores) == list(expected)
    for name, row in expected.items():
        values = np.polyval(row, [1, 2])
        assert scores[name] == pytest.approx(values.mean(), abs=1e-6)


def test_p808_hears_900_frames_of_bands_around_0(heard):
    scores = p808(np.sin(ramp(10) * 1000))
    assert [window.shape for window in heard] == [(900, 120)]
    assert -1 <= heard[0].min() < heard[0].max() == 1
    assert scores == {"p808": pytest.approx(heard[0][0, 0])}


@pytest.mark.parametrize("function", [p808, p835])
def test_what_is_refused(function):
    with pytest.raises(ValueError, match="at 16,000 Hz, found 8,000; resampl"):
        function(ramp(1), 8000)
    with pytest.raises(ValueError, match=r"shape \(2, 16000\); score channel"):
        function(np.stack([ramp(1)] * 2))
