"""What a model is made of, read from its folder."""

import pytest
import torch
from hyperpyyaml import load_hyperpyyaml

from speechbrain_semamba.checkpoints.model_folder import write_model_folder
from speechbrain_semamba.checkpoints.parts import read_part
from speechbrain_semamba.lobes.models.metric_discriminator import (
    MetricDiscriminator,
)
from speechbrain_semamba.lobes.models.semamba import SEMamba
from speechbrain_semamba.utils.settings import tag_of, tagged

APPLY = "!applyref:speechbrain_semamba.checkpoints.parts.read_part"
YAML = f"""
folder: !PLACEHOLDER
sample_rate: {APPLY} {{folder: !ref <folder>, part: sample_rate}}
samples: !ref 2.0 * <sample_rate>
stft: {APPLY} {{folder: !ref <folder>, part: stft}}
generator: {APPLY} {{folder: !ref <folder>, part: generator}}
discriminator: {APPLY} {{folder: !ref <folder>, part: discriminator}}
modules: {{generator: !ref <generator>}}
"""
SIZES = {"channels": 4, "num_blocks": 1, "d_state": 2, "beta": 1.5}


def build(folder, **overrides):
    return load_hyperpyyaml(YAML, {"folder": str(folder), **overrides})


def test_yaml_takes_all_from_the_folder(tmp_path):
    discriminator = MetricDiscriminator(channels=4)
    write_model_folder(
        tmp_path / "model",
        SEMamba(**SIZES).state_dict(),
        SIZES,
        stft_args={"compression": 0.5},
        sample_rate=8000,
        discriminator=discriminator.state_dict(),
        discriminator_args={"channels": 4},
    )
    found = build(tmp_path / "model")
    weights = torch.load(tmp_path / "model" / "generator.ckpt")
    found["generator"].load_state_dict(weights)
    assert found["modules"]["generator"] is found["generator"]
    assert found["generator"].mask_decoder.sigmoid.beta == 1.5
    assert found["stft"].compression == 0.5
    assert found["samples"] == 16000
    found["discriminator"].load_state_dict(discriminator.state_dict())


def test_command_line_is_heard(model_folder):
    found = build(model_folder, generator={"beta": 1.0}, sample_rate=8000)
    assert found["generator"].mask_decoder.sigmoid.beta == 1.0
    assert found["samples"] == 16000
    sizes = [p.shape for p in build(model_folder)["generator"].parameters()]
    assert [p.shape for p in found["generator"].parameters()] == sizes


def test_without_a_discriminator_there_is_a_new_one(model_folder):
    found = build(model_folder)["discriminator"].state_dict()
    assert found.keys() == MetricDiscriminator().state_dict().keys()
    changed = build(model_folder, discriminator={"channels": 4})
    assert len(changed["discriminator"].layers[0].weight_orig) == 4


def test_class_without_arguments(tmp_path):
    (tmp_path / "hyperparams.yaml").write_text("generator: !new:a.B\n")
    node = read_part(tmp_path, "generator")
    assert tag_of(node) == "!new:a.B" and dict(node) == {}
    assert tag_of(tagged("!new:a.B", node)) == "!new:a.B"


def test_folder_that_lacks_something(tmp_path):
    with pytest.raises(FileNotFoundError, match="no .*hyperparams.yaml; mend"):
        read_part(tmp_path, "generator")
    (tmp_path / "hyperparams.yaml").write_text("sample_rate: 16000\n")
    with pytest.raises(ValueError, match="is damaged: it has no generator"):
        read_part(tmp_path, "generator")
