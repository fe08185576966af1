"""Model folders of training runs."""

import sys

import pytest
import torch
from speechbrain.inference.enhancement import WaveformEnhancement

from speechbrain_semamba.checkpoints.checkpointer import WholeCheckpointer
from speechbrain_semamba.checkpoints.export import export_run
from speechbrain_semamba.checkpoints.weights import load_strictly
from speechbrain_semamba.lobes.models.metric_discriminator import (
    MetricDiscriminator,
)
from speechbrain_semamba.lobes.models.semamba import SEMamba
from speechbrain_semamba.training.averaging import AveragedGenerator

SIZES = {"channels": 8, "num_blocks": 1}
#: What the recipe's hyperparams.yaml says of a model
RUN = """\
sample_rate: 16000
stft: &id001 !new:speechbrain_semamba.processing.spectral.MagPhaseSTFT
  compression: 0.5  # of this run
generator: &id002 !new:own_models.Quiet
  channels: 8
  num_blocks: 1
  gain: 0.25

# Optimisers
discriminator:
    !new:speechbrain_semamba.lobes.models.metric_discriminator.MetricDiscriminator
  channels: 4
modules:
  generator: *id002
"""
OWN_MODELS = """
from speechbrain_semamba.lobes.models.semamba import SEMamba
class Quiet(SEMamba):
    def __init__(self, gain, **sizes):
        super().__init__(**sizes)
        self.gain = gain
    def forward(self, *args, **kwargs):
        mag, *others = super().forward(*args, **kwargs)
        return self.gain * mag, *others
"""


def test_checkpoint_that_was_cut_short_is_passed_over(tmp_path):
    (tmp_path / "hyperparams.yaml").write_text("sample_rate: 16000")
    cut = tmp_path / "save" / "CKPT+2026-01-01+00-00-00+00"
    cut.mkdir(parents=True)
    (cut / "CKPT.yaml").write_text(
        "end-of-epoch: true\nepoch: 1\npesq: 3.0\nunixtime: 1.0\n"
    )
    with pytest.raises(ValueError, match="no whole checkpoint of a generator"):
        export_run(tmp_path, tmp_path / "out")


def test_what_is_no_training_run(tmp_path):
    with pytest.raises(
        ValueError, match="there is no .*hyperparams.yaml; give"
    ):
        export_run(tmp_path, tmp_path / "out")
    (tmp_path / "hyperparams.yaml").write_text("sample_rate: 16000")
    with pytest.raises(ValueError, match="there is no .*save; give"):
        export_run(tmp_path, tmp_path / "out")
    (tmp_path / "save").mkdir()
    with pytest.raises(ValueError, match="no whole checkpoint of a generator"):
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


def make_run(folder, generator, **others):
    """What a training run of ``RUN`` leaves."""
    folder.mkdir()
    (folder / "hyperparams.yaml").write_text(RUN)
    recoverables = {"generator": generator, **others}
    checkpointer = WholeCheckpointer(folder / "save", recoverables)
    checkpointer.save_checkpoint(meta={"epoch": 3, "pesq": 2.0})
    return folder


@pytest.fixture
def own_models(tmp_path, monkeypatch):
    """A module with a class of the user's own."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "own_models.py").write_text(OWN_MODELS)
    monkeypatch.syspath_prepend(tmp_path / "code")
    import own_models

    yield own_models
    del sys.modules["own_models"]


def test_class_and_arguments_of_the_run_are_kept(tmp_path, own_models):
    torch.manual_seed(0)
    generator = own_models.Quiet(gain=0.25, **SIZES)
    run = make_run(
        tmp_path / "run",
        generator,
        discriminator=MetricDiscriminator(channels=4),
    )
    export_run(run, tmp_path / "out")
    enhancer = WaveformEnhancement.from_hparams(source=str(tmp_path / "out"))
    assert type(enhancer.hparams.generator) is own_models.Quiet
    assert enhancer.hparams.generator.gain == 0.25
    assert enhancer.hparams.stft.compression == 0.5
    text = (tmp_path / "out" / "hyperparams.yaml").read_text()
    assert "Optimisers" not in text and "# of this run" not in text
    discriminator = enhancer.hparams.discriminator()  # only named there
    load_strictly(discriminator, tmp_path / "out" / "discriminator.ckpt")


def test_class_that_cannot_be_imported(tmp_path):
    run = make_run(tmp_path / "run", SEMamba(**SIZES))
    with pytest.raises(
        ValueError, match="out would not enhance .*own_models.Q"
    ):
        export_run(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_weights_of_other_sizes_make_no_folder(tmp_path, own_models):
    """As after ``hyperparams.yaml`` was changed by hand."""
    sizes = {**SIZES, "channels": 4}
    run = make_run(tmp_path / "run", own_models.Quiet(gain=0.25, **sizes))
    with pytest.raises(
        ValueError, match="out would not enhance .* Quiet"
    ) as info:
        export_run(run, tmp_path / "out")
    assert "\n" not in str(info.value)
    assert [p.name for p in tmp_path.iterdir() if "out" in p.name] == []
    assert not list(tmp_path.glob(".partial*"))


def test_score_that_no_checkpoint_has(tmp_path, own_models):
    run = make_run(tmp_path / "run", own_models.Quiet(gain=1.0, **SIZES))
    with pytest.raises(ValueError, match="a 'stoi' score; there are epoch, p"):
        export_run(run, tmp_path / "out", max_key="stoi")


@pytest.mark.parametrize("text", ["a: [1", "- 1", "", "a: !new:x {", "\x00"])
def test_damaged_hyperparams(tmp_path, text):
    run = make_run(tmp_path / "run", SEMamba(**SIZES))
    (run / "hyperparams.yaml").write_text(text)
    with pytest.raises(ValueError, match="hyperparams.yaml is damaged") as info:
        export_run(run, tmp_path / "out")
    assert "\n" not in str(info.value)
