#!/usr/bin/env python3
"""Writes scores.json, of the literal metrics and the packages alone.

> python tests/reference/make_scores.py
"""

import json
import sys
from pathlib import Path

import numpy as np
import soundfile
from pesq import pesq
from pystoi import stoi

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "helpers"))
from literal_metrics import LITERAL, rating  # noqa: E402

CORPUS = ROOT / "samples" / "voicebank_mini"
FILES = "p232_001", "p232_004", "p257_003"


def scores(clean, enhanced):
    """All metrics of a pair, computed without the package."""
    parts = {name: f(clean, enhanced) for name, f in LITERAL.items()}
    parts["pesq"] = pesq(16000, clean, enhanced, "wb")
    ratings = {n: rating(n, **parts) for n in ("csig", "cbak", "covl")}
    intelligible = {
        "stoi": stoi(clean, enhanced, 16000),
        "estoi": stoi(clean, enhanced, 16000, extended=True),
    }
    c, e = clean - np.mean(clean), enhanced - np.mean(enhanced)
    target = np.sum(c * e) / np.sum(c * c) * c
    ratio = np.sum(target**2) / np.sum((e - target) ** 2)
    si_sdr = {"si_sdr": 10 * np.log10(ratio)}
    found = {**parts, **ratings, **intelligible, **si_sdr}
    return {name: float(value) for name, value in found.items()}


def main():
    """Writes the file beside this one."""
    found = {}
    for name in FILES:
        clean, noisy = (
            soundfile.read(CORPUS / f"{kind}_testset_wav" / f"{name}.wav")[0]
            for kind in ("clean", "noisy")
        )
        found[name] = {
            "noisy": scores(clean, noisy),
            "half": scores(clean, (clean + noisy) / 2),
        }
    path = Path(__file__).with_name("scores.json")
    path.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
