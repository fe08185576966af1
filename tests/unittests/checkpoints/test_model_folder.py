"""Model folders: written whole, proved, and loaded by SpeechBrain."""

import pytest
import torch
from odd_names import litter
from speechbrain.inference.enhancement import WaveformEnhancement

from speechbrain_semamba.checkpoints.model_folder import (
    prove,
    write_model_folder,
)
from speechbrain_semamba.lobes.models.semamba import SEMamba

SIZES = {"channels": 8, "num_blocks": 1}


@pytest.fixture
def folder(tmp_path):
    write_model_folder(tmp_path / "model", SEMamba(**SIZES).state_dict(), SIZES)
    return tmp_path / "model"


def test_folder_that_holds_something_is_kept(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("years of work")
    weights = SEMamba(**SIZES).state_dict()
    for overwrite in (False, True):
        with pytest.raises(FileExistsError, match="exists already"):
            write_model_folder(
                tmp_path / "full", weights, SIZES, overwrite=overwrite
            )
    assert (tmp_path / "full" / "thesis.tex").read_text() == "years of work"
    assert [p.name for p in tmp_path.iterdir()] == ["full"]


def test_model_folder_is_replaced_only_when_asked(tmp_path):
    folder = tmp_path / "model"
    for origin, overwrite in (("first", False), ("second", True)):
        write_model_folder(
            folder,
            SEMamba(**SIZES).state_dict(),
            SIZES,
            origin=origin,
            overwrite=overwrite,
        )
        assert f"from {origin}" in (folder / "hyperparams.yaml").read_text()
    with pytest.raises(FileExistsError):
        write_model_folder(folder, SEMamba(**SIZES).state_dict(), SIZES)


def test_training_run_is_never_replaced(tmp_path):
    run = tmp_path / "run"
    (run / "save").mkdir(parents=True)
    (run / "hyperparams.yaml").write_text("sample_rate: 16000")
    with pytest.raises(FileExistsError):
        write_model_folder(
            run, SEMamba(**SIZES).state_dict(), SIZES, overwrite=True
        )
    assert (run / "save").is_dir()


def test_failed_write_leaves_nothing(tmp_path, monkeypatch):
    def full_disk(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_model_folder(tmp_path / "model", {}, SIZES)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("change", ["missing", "wrong"])
def test_wrong_checkpoint_is_refused(folder, change):
    path = folder / "generator.ckpt"
    weights = torch.load(path, weights_only=True)
    if change == "missing":
        weights.pop("mask_decoder.sigmoid.slope")
    else:
        weights = SEMamba(channels=4, num_blocks=1).state_dict()
    torch.save(weights, path)
    with pytest.raises(ValueError, match="does not fit SEMamba"):
        WaveformEnhancement.from_hparams(source=str(folder))


def test_weights_that_do_not_fit_make_no_folder(tmp_path):
    with pytest.raises(ValueError, match="model would not enhance .*lacks"):
        write_model_folder(tmp_path / "model", {}, SIZES)
    assert list(tmp_path.iterdir()) == []


def test_weights_that_enhance_to_nothing_make_no_folder(tmp_path):
    weights = SEMamba(**SIZES).state_dict()
    weights["mask_decoder.conv_out.bias"].fill_(float("nan"))
    with pytest.raises(ValueError, match="would not enhance .*must be finite"):
        write_model_folder(tmp_path / "model", weights, SIZES)
    assert list(tmp_path.iterdir()) == []


def test_proof_leaves_nothing(folder, tmp_path, monkeypatch):
    """Neither in the folder nor where the process is."""
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    prove("model")
    assert sorted(tmp_path.rglob("*")) == before


def test_disk_that_fills_up(tmp_path, monkeypatch):
    """torch.save gives no error number then."""

    def full_disk(*args):
        raise RuntimeError("[enforce fail at inline_container.cc:1] . x\nmore")

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(OSError, match="generator.ckpt could not be written"):
        write_model_folder(tmp_path / "model", {}, SIZES)
    assert list(tmp_path.iterdir()) == []


def test_hidden_files_do_not_cost_an_export(folder):
    litter(folder)
    prove(folder)
    weights = SEMamba(**SIZES).state_dict()
    write_model_folder(folder, weights, SIZES, overwrite=True)
    assert (folder / "generator.ckpt").exists()
    (folder / "notes.txt").touch()
    with pytest.raises(FileExistsError, match="is no model folder"):
        write_model_folder(folder, weights, SIZES, overwrite=True)
