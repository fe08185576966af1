"""Means and counts of an epoch, across an interruption."""

import math

import pytest
from speechbrain.utils.checkpoints import Checkpointer

from speechbrain_semamba.training.running_stats import RunningStats


def test_resumed_stats_go_on(tmp_path):
    stats = RunningStats()
    stats.update({"loss": 1.0, "pesq": math.nan}, weight=3)
    stats.count("skipped", 2)
    Checkpointer(tmp_path, {"stats": stats}).save_checkpoint()

    resumed = RunningStats()
    Checkpointer(tmp_path, {"stats": resumed}).recover_if_possible()
    for one in (stats, resumed):
        one.update({"loss": 5.0, "pesq": 2.0})
        one.count("skipped", 1)
    assert resumed.summary() == stats.summary()
    assert resumed.summary() == {"loss": 2.0, "pesq": 2.0, "skipped": 3}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_does_not_spoil_the_mean(value):
    stats = RunningStats()
    stats.update({"loss": value})
    assert math.isnan(stats.summary()["loss"])
    stats.update({"loss": 4.0})
    assert stats.summary()["loss"] == 4.0


def test_reset_forgets_everything():
    stats = RunningStats()
    stats.update({"loss": 1.0})
    stats.count("skipped", 1)
    stats.reset()
    assert stats.summary() == {}
