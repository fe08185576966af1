"""The model that comes with the package."""

import json
import os
import re
import socket
from pathlib import Path

import pytest
import shipped_scores
import soundfile
import torch
from speechbrain.inference.enhancement import WaveformEnhancement

from speechbrain_semamba.cli import main
from speechbrain_semamba.inference.enhancement import SEMambaEnhancement
from speechbrain_semamba.inference.models import (
    DEFAULT_MODEL,
    PRETRAINED,
    find_model,
)

FOLDER = Path(PRETRAINED) / DEFAULT_MODEL
MAX_BYTES = 6_000_000
NOISY = shipped_scores.CORPUS / "noisy_testset_wav" / "p232_001.wav"


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """Nothing can be reached, and the current folder is empty."""

    def refuse(*_):
        raise AssertionError("asks the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_both_interfaces_load_it_offline(offline):
    before = sorted(os.listdir(FOLDER))
    theirs = WaveformEnhancement.from_hparams(source=find_model(DEFAULT_MODEL))
    ours = SEMambaEnhancement.from_hparams()
    noisy = torch.as_tensor(soundfile.read(NOISY, dtype="float32")[0])
    enhanced = ours.enhance_batch(noisy)
    expected = theirs.enhance_batch(noisy[None])[0]
    torch.testing.assert_close(enhanced, expected, rtol=0, atol=1e-6)
    assert 0.01 < (enhanced - noisy).norm() / noisy.norm() < 1
    # neither the package nor the current folder is written to
    assert sorted(os.listdir(FOLDER)) == before
    assert os.listdir(offline) == []


def test_every_weight_is_stored_and_finite():
    stored = torch.load(FOLDER / "generator.ckpt", weights_only=True)
    wanted = SEMambaEnhancement.from_hparams().hparams.generator.state_dict()
    assert stored.keys() == wanted.keys()
    for name, tensor in stored.items():
        assert tensor.isfinite().all(), name
        assert torch.equal(tensor, wanted[name]), name


def test_the_command_takes_it_without_a_model(offline):
    assert main(["enhance", str(NOISY), "out.wav"]) == 0
    enhanced, rate = soundfile.read("out.wav", dtype="float32")
    noisy, _ = soundfile.read(NOISY, dtype="float32")
    expected = SEMambaEnhancement.from_hparams().enhance_batch(noisy).numpy()
    assert (rate, enhanced.shape) == (16000, noisy.shape)
    assert abs(enhanced - expected).max() < 1e-4  # 16 bits


def test_a_folder_of_its_name_comes_first(model_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / DEFAULT_MODEL).symlink_to(model_folder)
    named, here, shipped = (
        SEMambaEnhancement.from_hparams(source=source).hparams.generator
        for source in (DEFAULT_MODEL, str(model_folder), str(FOLDER))
    )
    weight = "encoder.conv_in.conv.weight"
    shapes = [m.state_dict()[weight].shape for m in (named, here, shipped)]
    assert shapes[0] == shapes[1] != shapes[2]
    assert find_model(DEFAULT_MODEL) == DEFAULT_MODEL


def test_its_scores_are_those_stored():
    stored = json.loads(shipped_scores.STORED.read_text(encoding="utf-8"))
    scores = shipped_scores.pesq_of_files()
    assert scores.keys() == stored.keys()
    for name, score in scores.items():
        for kind in ("noisy", "enhanced"):
            difference = score[kind] - stored[name][kind]
            assert abs(difference) < 0.02, (name, kind)
        assert score["enhanced"] > score["noisy"], name


def test_it_is_small():
    sizes = [path.stat().st_size for path in FOLDER.iterdir()]
    assert 100_000 < sum(sizes) <= MAX_BYTES


def test_its_card_says_what_people_need_to_know():
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    front, *sections = re.split(r"^(?:---|## )", card, flags=re.M)[1:]
    for field in ("license:", "library_name: speechbrain", "metrics:"):
        assert field in front
    titles = [section.split("\n")[0].lower() for section in sections]
    for word in ("use", "training data", "scores", "limits", "licence"):
        assert any(word in title for title in titles), word
    # what the template leaves to the author
    for gap in ("language: und", "license: unknown", " yet: "):
        assert gap not in card, gap
