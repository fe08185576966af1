"""The official config.yaml, read and written."""

import pytest
import yaml

from speechbrain_semamba.checkpoints.official_config import (
    official_config,
    read_official_config,
)

SIZES = {
    "channels": 64,
    "num_blocks": 4,
    "d_state": 16,
    "d_conv": 4,
    "expand": 4,
    "n_fft": 400,
}
#: The keys of the official recipes
CONFIG = {
    "env_setting": {"num_gpus": 2, "dist_cfg": {"world_size": 1}},
    "data_cfg": {"train_clean_json": "data/train_clean.json"},
    "training_cfg": {"batch_size": 4, "loss": {"metric": 0.05}},
    "stft_cfg": {
        "sampling_rate": 16000,
        "n_fft": 400,
        "hop_size": 100,
        "win_size": 400,
    },
    "model_cfg": {
        "hid_feature": 64,
        "compress_factor": 0.3,
        "num_tfmamba": 4,
        "d_state": 16,
        "d_conv": 4,
        "expand": 4,
        "norm_epsilon": 0.00001,
        "beta": 2.0,
        "input_channel": 2,
        "output_channel": 1,
    },
}
OF_A_MODEL = {key: CONFIG[key] for key in ("stft_cfg", "model_cfg")}


def write(path, changes=()):
    """A config.yaml in which some dotted keys have other values or none."""
    config = {k: dict(v) for k, v in CONFIG.items()}
    for dotted, value in dict(changes).items():
        section, key = dotted.split(".")
        config.setdefault(section, {})[key] = value
        if value is ...:
            del config[section][key]
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path


def test_config_of_the_recipes(tmp_path):
    parts = read_official_config(write(tmp_path / "config.yaml"), SIZES)
    assert parts == {
        "sample_rate": 16000,
        "generator": {**SIZES, "beta": 2.0},
        "stft": {
            "n_fft": 400,
            "hop_length": 100,
            "win_length": 400,
            "compression": 0.3,
        },
    }
    plain = {
        type(x) for part in ("generator", "stft") for x in parts[part].values()
    }
    assert plain == {int, float}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"stft_cfg.sampling_rate": 48000, "stft_cfg.hop_size": 64},
        {"stft_cfg.win_size": 320, "model_cfg.beta": 1},
        {"model_cfg.compress_factor": 0.00001, "model_cfg.beta": 1e9},
    ],
)
def test_there_and_back(tmp_path, changes):
    path = write(tmp_path / "config.yaml", changes)
    config = yaml.safe_load(path.read_text())
    parts = read_official_config(path, SIZES)
    # read as the official code does: PyYAML takes 1e-05 for text
    again = yaml.safe_load(official_config(parts))
    assert again == {key: config[key] for key in OF_A_MODEL}
    assert [list(x) for x in again.values()] == [
        list(x) for x in OF_A_MODEL.values()
    ]


@pytest.mark.parametrize(
    "key, value, message",
    [
        ("model_cfg.hid_feature", 32, "must be 64 as in the weights, found 32"),
        ("model_cfg.num_tfmamba", None, "must be 4 as in the weights"),
        ("stft_cfg.n_fft", 512, "must be 400 as in the weights, found 512"),
        ("model_cfg.beta", "two", "must be a number above 0, found 'two'"),
        ("model_cfg.beta", 0, "must be a number above 0, found 0"),
        ("model_cfg.beta", float("inf"), "must be a number above 0, found inf"),
        ("model_cfg.beta", float("nan"), "must be a number above 0, found nan"),
        ("model_cfg.beta", ..., "it lacks model_cfg.beta;"),
        ("model_cfg.betta", 2.0, "is unknown, the nearest is beta;"),
        ("model_cfg.norm_epsilon", 1e-6, "must be 1e-05, found 1e-06"),
        ("model_cfg.input_channel", 1, "must be 2, found 1"),
        ("model_cfg.output_channel", True, "must be 1, found True"),
        ("stft_cfg.sampling_rate", 16000.5, "must be a whole number from 1"),
        ("stft_cfg.hop_size", 0, "must be a whole number from 1 on, found 0"),
        ("stft_cfg.hop_size", 500, "hop_size may not exceed win_size, nor"),
        ("model_cfg.compress_factor", 3, "compress_factor must be above 0 and"),
        ("stft.hop_size", 100, "is unknown, the nearest is hop_size;"),
    ],
)
def test_wrong_keys(tmp_path, key, value, message):
    path = write(tmp_path / "config.yaml", {key: value})
    with pytest.raises(ValueError, match=message) as info:
        read_official_config(path, SIZES)
    text = str(info.value)
    assert str(path) in text and key.split(".")[1] in text
    assert "\n" not in text and text.count(";") <= 2


def test_all_wrong_keys_are_listed(tmp_path):
    path = write(
        tmp_path / "config.yaml",
        {
            "model_cfg.d_state": 8,
            "model_cfg.colour": "red",
            "stft_cfg.hop_size": ...,
            "stft_cfg.win_size": ...,
        },
    )
    with pytest.raises(ValueError) as info:
        read_official_config(path, SIZES)
    assert str(info.value) == (
        f"{path} does not describe these weights: model_cfg.colour is unknown; "
        "model_cfg.d_state must be 16 as in the weights, found 8; it lacks "
        "stft_cfg.hop_size, stft_cfg.win_size; give the config.yaml that they "
        "were trained with"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- 1",
        "a: [1",
        "\x00",
        "1: 2",
        "stft_cfg:\nmodel_cfg: [1, 2]",
        "a: 1\na: 2",
    ],
)
def test_what_is_no_config(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(
        ValueError, match="config.yaml (is damaged|does not describe)"
    ) as info:
        read_official_config(path, SIZES)
    assert "\n" not in str(info.value)


def test_model_that_no_config_describes(tmp_path):
    parts = read_official_config(write(tmp_path / "config.yaml"), SIZES)
    parts["generator"]["beta"] = "two"
    with pytest.raises(ValueError, match="such as model: model_cfg.beta must"):
        official_config(parts, "model")
