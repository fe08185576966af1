"""Enhanced files of a test, kept on request."""

import soundfile
import torch

from speechbrain_semamba.dataio.audio_files import (
    read_audio_file,
    write_audio_file,
)
from speechbrain_semamba.evaluation.enhanced_files import EnhancedFiles
from speechbrain_semamba.processing.levels import rms_gain


def test_level_and_encoding_of_the_noisy_file(tmp_path):
    noisy = 0.05 * torch.randn(1, 4000)
    for name, subtype in (("int", "PCM_16"), ("float", "FLOAT")):
        path = tmp_path / f"{name}.wav"
        soundfile.write(path, noisy[0].numpy(), 16000, subtype)
        levelled = noisy * rms_gain(noisy)
        files = EnhancedFiles(tmp_path / "enhanced")
        files.write(name, 0.5 * levelled[0], path)
        found, rate = read_audio_file(tmp_path / "enhanced" / f"{name}.wav")
        assert rate == 16000
        assert (found - 0.5 * noisy).abs().max() < 2**-14
        info = soundfile.info(tmp_path / "enhanced" / f"{name}.wav")
        assert info.subtype == subtype


def test_without_a_noisy_file_the_peak_is_full_scale(tmp_path):
    EnhancedFiles(tmp_path).write("a", torch.tensor([0.0, 4.0, -8.0]))
    found, _ = read_audio_file(tmp_path / "a.wav")
    torch.testing.assert_close(
        found, torch.tensor([[0, 0.5, -1]]), atol=1e-4, rtol=0
    )


def test_silence(tmp_path):
    write_audio_file(tmp_path / "noisy.wav", torch.zeros(1, 100), 16000)
    files = EnhancedFiles(tmp_path / "enhanced")
    files.write("a", torch.zeros(100), tmp_path / "noisy.wav")
    files.write("b", torch.zeros(100))
    for name in "ab":
        found, _ = read_audio_file(tmp_path / "enhanced" / f"{name}.wav")
        assert not found.any()


def test_nothing_is_kept_unasked(tmp_path):
    files = EnhancedFiles(tmp_path / "enhanced", enabled=False)
    files.write("a", torch.zeros(100))
    assert not (tmp_path / "enhanced").exists()
