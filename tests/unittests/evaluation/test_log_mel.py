"""The mel spectrogram against librosa's numbers, and of what is known."""

import json

import numpy as np
import soundfile
from places import ROOT

from speechbrain_semamba.evaluation.log_mel import log_mel

GOLDEN = json.loads((ROOT / "tests" / "reference" / "mos.json").read_text())
NOISY = ROOT / "samples" / "voicebank_mini" / "noisy_testset_wav"


def test_against_librosa():
    levels = log_mel(soundfile.read(NOISY / "p232_001.wav")[0])
    golden = GOLDEN["log_mel"]
    np.testing.assert_allclose(levels.mean(axis=0), golden, atol=1e-4)


def test_a_tone_ten_times_as_loud():
    """20 dB, wherever the floor is not near."""
    tone = np.sin(np.pi / 4 * np.arange(16000))
    levels = log_mel(tone * np.where(np.arange(16000) < 8000, 0.1, 1))
    loudest = levels.max(axis=1)
    np.testing.assert_allclose(loudest[5:45], -20, atol=1e-3)
    np.testing.assert_allclose(loudest[55:95], 0, atol=1e-3)


def test_silence_has_no_level_below_others():
    assert not log_mel(np.zeros(1600)).any()
    assert log_mel(np.eye(1, 16000, 8000)[0]).min() == -80
