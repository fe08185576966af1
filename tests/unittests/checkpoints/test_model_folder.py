"""Model folders: from official weights, and loaded by SpeechBrain."""

import pytest
import torch
from official_numbers import (
    SAMPLES,
    load_official,
    noisy_spectrum,
    noisy_wave,
    relative_error,
    rounding,
)
from speechbrain.inference.enhancement import WaveformEnhancement

from speechbrain_semamba.checkpoints.checkpointer import WholeCheckpointer
from speechbrain_semamba.checkpoints.model_folder import (
    convert_official,
    export_run,
    write_model_folder,
)
from speechbrain_semamba.checkpoints.weights import load_strictly
from speechbrain_semamba.lobes.models.metric_discriminator import (
    MetricDiscriminator,
)
from speechbrain_semamba.lobes.models.semamba import SEMamba
from speechbrain_semamba.training.averaging import AveragedGenerator

SIZES = {"channels": 8, "num_blocks": 1}


@pytest.fixture(scope="module")
def official():
    return load_official()


@pytest.fixture
def converted(official, tmp_path):
    """A model folder that ``convert`` made."""
    torch.save({"generator": official["generator"]}, tmp_path / "g.pth")
    torch.save(official["discriminator"], tmp_path / "d.pth")
    folder = tmp_path / "converted"
    sizes = convert_official(
        tmp_path / "g.pth", folder, discriminator_path=tmp_path / "d.pth"
    )
    assert sizes["channels"] == official["config"]["hid_feature"]
    return folder


def test_converted_folder_enhances_as_the_official_code(
    official, converted, monkeypatch
):
    enhancer = WaveformEnhancement.from_hparams(source=str(converted))
    spectrum = noisy_spectrum(official, torch.float32)
    stft = enhancer.mods.enhance_model.stft
    monkeypatch.setattr(stft, "analyze", lambda wav, lengths: spectrum)
    wav = enhancer.enhance_batch(noisy_wave(official, torch.float32))
    error = relative_error(wav[:, ::SAMPLES], official["enhanced"])
    assert error < rounding(torch.float32)


def test_converted_discriminator_loads(converted, official):
    model = MetricDiscriminator()
    load_strictly(model, converted / "discriminator.ckpt")
    expected = official["discriminator"]["layers.0.weight_orig"]
    assert torch.equal(model.layers[0].weight_orig, expected)


def test_generator_in_place_of_discriminator(tmp_path, official):
    torch.save(official["generator"], tmp_path / "g.pth")
    with pytest.raises(ValueError, match="does not fit MetricDiscriminator"):
        convert_official(
            tmp_path / "g.pth",
            tmp_path / "out",
            discriminator_path=tmp_path / "g.pth",
        )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("change", ["missing", "wrong"])
def test_wrong_checkpoint_is_refused(converted, change):
    path = converted / "generator.ckpt"
    weights = torch.load(path, weights_only=True)
    if change == "missing":
        weights.pop("mask_decoder.sigmoid.slope")
    else:
        weights = SEMamba(channels=4, num_blocks=1).state_dict()
    torch.save(weights, path)
    with pytest.raises(ValueError, match="does not fit SEMamba"):
        WaveformEnhancement.from_hparams(source=str(converted))


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


def test_checkpoint_that_was_cut_short_is_passed_over(tmp_path):
    (tmp_path / "hyperparams.yaml").write_text("sample_rate: 16000")
    cut = tmp_path / "save" / "CKPT+2026-01-01+00-00-00+00"
    cut.mkdir(parents=True)
    (cut / "CKPT.yaml").write_text(
        "end-of-epoch: true\nepoch: 1\npesq: 3.0\nunixtime: 1.0\n"
    )
    with pytest.raises(ValueError, match="no checkpoint with a 'pesq' score"):
        export_run(tmp_path, tmp_path / "out")


def test_official_weights_for_another_transform(tmp_path, official):
    slope = "mask_decoder.lsigmoid.slope"
    weights = {**official["generator"], slope: torch.ones(101, 1)}
    torch.save(weights, tmp_path / "g.pth")
    with pytest.raises(ValueError, match="of 200 points.* has 400"):
        convert_official(tmp_path / "g.pth", tmp_path / "out")


def test_what_is_no_training_run(tmp_path):
    with pytest.raises(ValueError, match="hyperparams.yaml and save/"):
        export_run(tmp_path, tmp_path / "out")
    (tmp_path / "hyperparams.yaml").write_text("sample_rate: 16000")
    (tmp_path / "save").mkdir()
    with pytest.raises(ValueError, match="no checkpoint with a 'pesq' score"):
        export_run(tmp_path, tmp_path / "out")


def test_averaged_weights_are_what_is_exported(tmp_path):
    torch.manual_seed(0)
    generator, other = SEMamba(**SIZES), SEMamba(**SIZES)
    averaged = AveragedGenerator(generator, decay=0.9)
    averaged.update_parameters(other)
    (tmp_path / "hyperparams.yaml").write_text(
        "sample_rate: 16000\n"
        "generator: {channels: 8, num_blocks: 1}\n"
        "stft: {n_fft: 400}\n"
    )
    recoverables = {"generator": generator, "generator_ema": averaged}
    checkpointer = WholeCheckpointer(tmp_path / "save", recoverables)
    checkpointer.save_checkpoint(meta={"pesq": 2.0})
    export_run(tmp_path, tmp_path / "out")
    exported = SEMamba(**SIZES)
    load_strictly(exported, tmp_path / "out" / "generator.ckpt")
    for ours, latest, average in zip(
        exported.parameters(), generator.parameters(), other.parameters()
    ):
        assert torch.equal(ours, average)
        assert torch.equal(ours, latest) == torch.equal(latest, average)
