"""Curves of a run: each number in its panel, gaps where there is none."""

import math

import numpy as np
import pytest

from speechbrain_semamba.evaluation.learning_curves import (
    best_epoch,
    learning_curves,
)

EPOCHS = {
    1: {"lr": 0.1, "train phase": 3.0, "train loss": 2.0, "valid pesq": 1.5},
    2: {"lr": 0.05, "train phase": 2.5, "train loss": math.nan},
    4: {"lr": 0.01, "train loss": 1.0, "valid loss": 3.0, "valid pesq": 1.75},
    5: {"lr": 0.01, "train loss": math.inf, "valid pesq": 1.25},
}


def curves(panel):
    """Values by stage; the learning rate has none."""
    lines = panel.get_lines()
    return {
        x.get_label(): x.get_ydata() for x in lines if len(x.get_xdata()) > 2
    }


def test_panels_and_curves():
    figure = learning_curves(EPOCHS)
    panels = {panel.get_title(): panel for panel in figure.axes}
    assert list(panels) == ["loss", "phase", "pesq", "lr"]
    found = curves(panels["loss"])
    nan = math.nan
    np.testing.assert_array_equal(found["train"], [2.0, nan, 1.0, nan])
    np.testing.assert_array_equal(found["valid"], [nan, nan, 3.0, nan])
    np.testing.assert_array_equal(
        curves(panels["phase"])["train"], [3.0, 2.5, nan, nan]
    )
    for panel in panels.values():
        assert list(panel.get_lines()[0].get_xdata()) == [1, 2, 4, 5]
        assert set(panel.get_lines()[-1].get_xdata()) == {4}
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["train", "valid", "best validation PESQ, epoch 4"]
    figure.canvas.draw()


def test_run_without_scores_or_with_one_epoch():
    figure = learning_curves({1: {"train loss": 1.0}})
    (panel,) = figure.axes
    (line,) = panel.get_lines()
    assert line.get_marker() == "o"  # a line of one point is not seen
    assert best_epoch({1: {"valid pesq": math.nan}}) is None
    assert best_epoch(EPOCHS) == 4


@pytest.mark.parametrize("epochs", [{}, {1: {}}, {1: {"other thing": 1.0}}])
def test_nothing_to_draw(epochs):
    with pytest.raises(ValueError, match="need a finished epoch, found none"):
        learning_curves(epochs)
