"""Pictures of waves: what is on their axes and how loud is what."""

import math

import pytest
import torch
from matplotlib.image import imread

from speechbrain_semamba.evaluation.figures import (
    RANGE_DB,
    level_db,
    spectrogram_figure,
    write_figure,
)


def tone(hertz, rate=16000, seconds=1, peak=1.0):
    times = torch.arange(seconds * rate) / rate
    return peak * torch.sin(2 * math.pi * hertz * times)


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_level_of_a_tone_whatever_the_rate(rate):
    level = level_db(tone(1000, rate, peak=0.1), rate)
    middle = level[:, level.shape[1] // 2]
    assert middle.max() == pytest.approx(-20, abs=0.1)
    # rows are 40 Hz apart
    assert middle.argmax() == 25


def test_axes_scales_and_titles():
    waves = {"loud": tone(1000), "quiet": tone(3000, peak=0.01)}
    figure = spectrogram_figure(waves, 16000)
    above, below = figure.axes[:2], figure.axes[2:4]
    assert [panel.get_title() for panel in above] == ["loud", "quiet"]
    assert [panel.get_xlabel() for panel in below] == ["time (s)"] * 2
    assert below[0].get_ylabel() == "frequency (Hz)"
    assert figure.axes[4].get_ylabel() == "level (dB)"
    limits = [panel.images[0].get_clim() for panel in below]
    assert limits[0] == limits[1]
    assert limits[0][1] == pytest.approx(0, abs=0.5)
    assert limits[0][1] - limits[0][0] == pytest.approx(RANGE_DB)
    left, right, low, high = below[1].images[0].get_extent()
    assert (left, low, high) == (0, 0, 8000)
    assert right == pytest.approx(1, abs=0.01)


def test_low_frequencies_are_at_the_bottom(tmp_path):
    figure = spectrogram_figure({"low": tone(500)}, 16000)
    write_figure(figure, tmp_path / "a.png")
    picture = imread(tmp_path / "a.png")[..., :3].sum(axis=2)
    # of the spectrogram's panel, in a column of pixels
    box = figure.axes[1].get_window_extent()
    scale = len(picture) / figure.bbox.height
    low, high = (round(scale * y) for y in (box.y0, box.y1))
    column = picture[::-1, picture.shape[1] // 2][low + 5 : high - 5]
    assert column.argmax() / len(column) < 0.15


def test_rates_lengths_and_odd_waves_side_by_side():
    waves = {
        "a": tone(500, 8000),
        "b": tone(500, 48000, seconds=2),
        "silence": torch.zeros(4000),
        "a sample": torch.ones(1),
        "a title that is longer than its panel is wide": tone(500),
    }
    rates = {**dict.fromkeys(waves, 16000), "a": 8000, "b": 48000}
    figure = spectrogram_figure(waves, rates)
    figure.canvas.draw()
    assert len(figure.axes) == 11
    for panel in figure.axes[5:10]:
        assert panel.get_ylim() == (0, 24000)
        assert panel.get_xlim() == (0, 2)
    titles = [panel.get_title(loc="center") for panel in figure.axes[:5]]
    assert max(len(x) for t in titles for x in t.split("\n")) < 20
