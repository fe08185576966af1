"""Model folders of official weights, and back."""

import shutil

import pytest
import torch
import yaml
from official_numbers import (
    SAMPLES,
    load_official,
    noisy_spectrum,
    noisy_wave,
    relative_error,
    rounding,
)
from speechbrain.inference.enhancement import WaveformEnhancement

from speechbrain_semamba.checkpoints.model_folder import write_model_folder
from speechbrain_semamba.checkpoints.official_models import (
    convert_official,
    write_official,
)
from speechbrain_semamba.checkpoints.official_weights import (
    to_official_generator,
)
from speechbrain_semamba.checkpoints.weights import load_strictly
from speechbrain_semamba.lobes.models.metric_discriminator import (
    MetricDiscriminator,
)
from speechbrain_semamba.lobes.models.semamba import SEMamba
from speechbrain_semamba.utils.settings import tagged

SIZES = {"channels": 8, "num_blocks": 1}
#: Of official.pt, but for what leaves no trace in the weights
CONFIG = {
    "stft_cfg": {
        "sampling_rate": 8000,
        "n_fft": 400,
        "hop_size": 80,
        "win_size": 320,
    },
    "model_cfg": {
        "hid_feature": 8,
        "compress_factor": 0.4,
        "num_tfmamba": 1,
        "d_state": 16,
        "d_conv": 4,
        "expand": 4,
        "norm_epsilon": 0.00001,
        "beta": 3.0,
        "input_channel": 2,
        "output_channel": 1,
    },
}


@pytest.fixture(scope="module")
def official():
    return load_official()


@pytest.fixture
def converted(official, tmp_path):
    """A model folder that ``convert`` made of what the training writes."""
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.ones(2))])
    optimizer.param_groups[0]["params"][0].sum().backward()
    optimizer.step()
    of_optimizers = {
        "optim_g": optimizer.state_dict(),
        "optim_d": optimizer.state_dict(),
        "steps": 1000,
        "epoch": 3,
    }
    torch.save(
        {"generator": official["generator"]}, tmp_path / "g_00001000.pth"
    )
    torch.save(
        {"discriminator": official["discriminator"], **of_optimizers},
        tmp_path / "do_00001000.pth",
    )
    folder = tmp_path / "converted"
    sizes = convert_official(
        tmp_path / "g_00001000.pth",
        folder,
        discriminator_path=tmp_path / "do_00001000.pth",
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


@pytest.mark.parametrize(
    "change, message",
    [
        (
            {"mask_decoder.lsigmoid.slope": torch.ones(101, 1)},
            "of 200 points.*",
        ),
        ({"mask_decoder.lsigmoid.slope": torch.ones(200, 1)}, "multiple of 4"),
        ({"mask_decoder.lsigmoid.slope": torch.ones(())}, "of shape"),
        ({"TSMamba.0.tlinear.weight": torch.ones(8)}, "of shape .8., not"),
        (
            {"TSMamba.1.tlinear.bias": torch.ones(8)},
            "does not fit SEMamba: it lacks",
        ),
        ({"TSMamba.0.elinear.bias": torch.ones(8)}, "elinear.bias' is no weig"),
    ],
)
def test_wrong_official_weights(tmp_path, official, change, message):
    torch.save({**official["generator"], **change}, tmp_path / "g.pth")
    with pytest.raises(ValueError, match=f"g.pth.*{message}") as info:
        convert_official(tmp_path / "g.pth", tmp_path / "out")
    assert "\n" not in str(info.value)
    assert not (tmp_path / "out").exists()


def write_config(path, **changes):
    config = {**CONFIG, "env_setting": {"num_gpus": 2}, **changes}
    path.write_text(yaml.safe_dump(config))
    return path


def test_config_is_heeded(tmp_path, official):
    torch.save(official["generator"], tmp_path / "g.pth")
    config = write_config(tmp_path / "config.yaml")
    out = tmp_path / "out"
    convert_official(tmp_path / "g.pth", out, config_path=config)
    hparams = WaveformEnhancement.from_hparams(source=str(out)).hparams
    assert hparams.generator.mask_decoder.sigmoid.beta == 3.0
    assert hparams.sample_rate == 8000
    stft = hparams.stft
    assert (stft.hop_length, stft.win_length) == (80, 320)
    assert stft.compression == 0.4
    write_official(out, tmp_path / "g2.pth", config_path=tmp_path / "c2.yaml")
    assert yaml.safe_load((tmp_path / "c2.yaml").read_text()) == CONFIG


def test_config_of_another_transform(tmp_path):
    weights = SEMamba(**SIZES, n_fft=200).state_dict()
    torch.save(to_official_generator(weights), tmp_path / "g.pth")
    with pytest.raises(ValueError, match="of 200 points.*give .* --config"):
        convert_official(tmp_path / "g.pth", tmp_path / "out")
    sizes = {"sampling_rate": 8000, "n_fft": 200, "hop_size": 50}
    config = write_config(
        tmp_path / "config.yaml", stft_cfg={**sizes, "win_size": 200}
    )
    convert_official(tmp_path / "g.pth", tmp_path / "out", config_path=config)


def test_wrong_config_makes_no_folder(tmp_path, official):
    torch.save(official["generator"], tmp_path / "g.pth")
    config = write_config(tmp_path / "config.yaml", stft_cfg={"n_fft": 512})
    with pytest.raises(ValueError, match="n_fft must be 400 .*; it lacks"):
        convert_official(
            tmp_path / "g.pth", tmp_path / "out", config_path=config
        )
    assert not (tmp_path / "out").exists()


def same(ours, theirs):
    return list(ours) == list(theirs) and all(
        x.dtype == y.dtype and torch.equal(x, y)
        for x, y in zip(ours.values(), theirs.values())
    )


def test_there_and_back(converted, official, tmp_path):
    g, d, config = (tmp_path / name for name in ("g.pth", "d.pth", "c.yaml"))
    write_official(converted, g, d, config)
    again = torch.load(g, weights_only=True)
    assert list(again) == ["generator"]
    assert same(again["generator"], official["generator"])
    assert same(torch.load(d, weights_only=True), official["discriminator"])
    folder = tmp_path / "again"
    convert_official(g, folder, discriminator_path=d, config_path=config)
    for name in ("generator.ckpt", "discriminator.ckpt"):
        first, second = (
            torch.load(f / name, weights_only=True) for f in (converted, folder)
        )
        assert same(first, second)


def test_folder_of_defaults(model_folder, tmp_path):
    """What its yaml leaves out is in the config all the same."""
    config = tmp_path / "config.yaml"
    write_official(model_folder, tmp_path / "g.pth", config_path=config)
    found = yaml.safe_load(config.read_text())
    assert found["model_cfg"] == {
        **CONFIG["model_cfg"],
        "beta": 2.0,
        "compress_factor": 0.3,
    }


@pytest.mark.parametrize(
    "old, new, message",
    [
        (
            "semamba.SEMamba\n",
            "own.Quiet\n",
            "generator is SEMamba, but .*own.Q",
        ),
        (
            "n_fft: 400",
            "pad_mode: constant",
            "pad_mode reflect, but .*constant",
        ),
        (
            "n_fft: 400",
            "window_fn: !name:torch.hamming_window",
            "window_fn .*hann_window, but .*hamming_window",
        ),
        (
            "n_fft: 400",
            "window_fn: !name:torch.hann_window {periodic: False}",
            "window_fn .*, but .*window_fn.periodic False",
        ),
        ("channels: 8", "chanels: 8", "makes no SEMamba: .*'chanels'"),
        ("channels: 8", "channels: 0", "makes no SEMamba: channels must be"),
        ("channels: 8", "channels: 4", "generator.ckpt does not fit SEMamba"),
        (
            "sample_rate: 16000",
            "sample_rate: 0",
            "sampling_rate must be a whole",
        ),
    ],
)
def test_folders_that_the_official_code_knows_none_of(
    model_folder, tmp_path, old, new, message
):
    folder = tmp_path / "model"
    shutil.copytree(model_folder, folder)
    hparams = folder / "hyperparams.yaml"
    text = hparams.read_text()
    assert old in text
    hparams.write_text(text.replace(old, new, 1))
    with pytest.raises(ValueError, match=message) as info:
        write_official(
            folder, tmp_path / "g.pth", config_path=tmp_path / "c.yaml"
        )
    assert "\n" not in str(info.value)
    assert list(tmp_path.iterdir()) == [folder]


def test_window_said_as_it_is(tmp_path):
    stft = {"window_fn": tagged("!name:torch.hann_window", {})}
    weights = SEMamba(**SIZES).state_dict()
    write_model_folder(tmp_path / "model", weights, SIZES, stft)
    write_official(tmp_path / "model", tmp_path / "g.pth")
    written = torch.load(tmp_path / "g.pth", weights_only=True)
    assert len(written["generator"]) == len(weights)


def test_discriminator_of_other_sizes(tmp_path):
    write_model_folder(
        tmp_path / "model",
        SEMamba(**SIZES).state_dict(),
        SIZES,
        discriminator=MetricDiscriminator(channels=4).state_dict(),
        discriminator_args={"channels": 4},
    )
    with pytest.raises(ValueError, match="discriminator.ckpt does not fit"):
        write_official(
            tmp_path / "model", tmp_path / "g.pth", tmp_path / "d.pth"
        )
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_what_is_there_is_kept(model_folder, tmp_path, monkeypatch):
    path = tmp_path / "g.pth"
    path.write_text("years of work")
    with pytest.raises(FileExistsError, match="replace it with --overwrite"):
        write_official(model_folder, path)
    for place in (model_folder / "g.pth", model_folder / "generator.ckpt"):
        with pytest.raises(ValueError, match="in the model folder itself"):
            write_official(model_folder, place, overwrite=True)

    def full_disk(state, file):
        file.write_bytes(b"half of it")
        raise RuntimeError("[enforce fail at inline_container.cc:1] . x\nmore")

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", full_disk)
        with pytest.raises(OSError, match="g.pth could not be written"):
            write_official(model_folder, path, overwrite=True)
    assert path.read_text() == "years of work"
    assert list(tmp_path.iterdir()) == [path]
    write_official(model_folder, path, overwrite=True)
    assert "generator" in torch.load(path, weights_only=True)
