"""Scores of files of which some have none."""

import math

from speechbrain_semamba.evaluation.metrics import METRICS
from speechbrain_semamba.evaluation.unscorable import NoScore


def make_scores():
    """Of three files: one is all there, one is silent, one is short."""
    there = {name: -10.0 - i for i, name in enumerate(METRICS)}
    silent = {**there, "pesq": NoScore("silence"), "llr": NoScore("silence")}
    short = dict.fromkeys(METRICS, NoScore("shorter than 0.25 s"))
    files = {"a": (there, 2.0), "b": (silent, 7.0), "c": (short, math.inf)}
    return {
        key: {"losses": {}, "noisy": {**there, "snr": snr}, "enhanced": file}
        for key, (file, snr) in files.items()
    }
