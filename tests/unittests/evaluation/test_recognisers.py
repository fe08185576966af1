"""Recognisers: what they hear, and what is none."""

import sys

import numpy as np
import pytest
import soundfile
from places import ROOT
from stub_recogniser import write_recogniser

from speechbrain_semamba.evaluation.recognisers import make_recogniser
from speechbrain_semamba.evaluation.word_errors import words_of

CLEAN = ROOT / "samples" / "voicebank_mini" / "clean_testset_wav"


@pytest.fixture(scope="module")
def pocketsphinx():
    pytest.importorskip(
        "pocketsphinx", reason="no pocketsphinx: pip install '.[asr]'"
    )
    return make_recogniser("pocketsphinx")


def read(name):
    return soundfile.read(CLEAN / f"{name}.wav")[0]


def test_pocketsphinx_understands_synthetic_speech(pocketsphinx):
    spoken = "The plumber found a silver spoon in the pipe."
    assert pocketsphinx(read("p232_001")) == words_of(spoken)


def test_pocketsphinx_hears_each_wave_as_if_it_were_the_first(pocketsphinx):
    """What was heard before makes no difference; it would to the package."""
    wav = read("p257_001")
    first = make_recogniser("pocketsphinx")(wav)
    for other in (read("p232_002"), np.zeros(16000)):
        pocketsphinx(other)
        assert pocketsphinx(wav) == first
    assert first


@pytest.mark.parametrize("samples", [0, 1, 100, 16000])
def test_pocketsphinx_hears_nothing_in_silence(pocketsphinx, samples):
    assert pocketsphinx(np.zeros(samples)) == []


def test_pocketsphinx_takes_peaks_above_1(pocketsphinx):
    """Clipped, where whole numbers would wrap around."""
    wav = read("p232_001")
    wav = 1.5 * wav / abs(wav).max()
    assert pocketsphinx(wav) == pocketsphinx(np.clip(wav, -1, 1)) != []


def test_pocketsphinx_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    with pytest.raises(ImportError, match=r"need pocketsphinx; .*\.\[asr\]"):
        make_recogniser("pocketsphinx")


@pytest.mark.parametrize("kind", ["float32", "float64", ">f4"])
def test_model_of_speechbrain(tmp_path, kind):
    recogniser = make_recogniser(write_recogniser(tmp_path))
    # such as a channel of a file
    wav = np.zeros((1234, 2), kind)[:, 0]
    assert recogniser(wav) == ["IT'S", "1234", "SAMPLES"]


def test_folder_that_is_no_model(tmp_path, model_folder):
    with pytest.raises(ValueError, match="lacks hyperparams.yaml; name anoth"):
        make_recogniser(tmp_path)
    with pytest.raises(ValueError, match=r"is none \(ValueError: .*; name an"):
        make_recogniser(model_folder)
    with pytest.raises(ValueError, match="is one at 8,000 Hz; name another"):
        make_recogniser(write_recogniser(tmp_path, 8000))
    (tmp_path / "hyperparams.yaml").write_text("a: !new:none.Such\n")
    with pytest.raises(ValueError, match=r"is none \(\w+: .*; name an"):
        make_recogniser(tmp_path)


def test_name_that_is_none_of_the_hub():
    with pytest.raises(ValueError, match=r"^a recogniser is pocketsphinx, or"):
        make_recogniser("no/such/model")
