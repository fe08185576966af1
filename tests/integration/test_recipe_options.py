"""Every key of every yaml, with values that cannot be: one line, at the start."""

import shutil
import sys
from fnmatch import fnmatchcase

import pytest
import torch
from odd_names import ODD_NAMES
from places import RECIPE, ROOT
from speechbrain.utils import logger

from speechbrain_semamba.lobes.models.metric_discriminator import (
    MetricDiscriminator,
)
from speechbrain_semamba.ops import kernels
from speechbrain_semamba.training.option_values import is_computed
from speechbrain_semamba.utils.settings import read_settings, tag_of

CORPUS = ROOT / "samples" / "voicebank_mini"
sys.path.insert(0, str(RECIPE))  # as for train.py, whose yaml names its files
# the small model first: what is tried of one yaml is not tried of another
HPARAMS = sorted(
    (RECIPE / "hparams").glob("*.yaml"), key=lambda p: "mini" not in p.name
)
#: Told by comparison with the data, whose manifests are written then
NEED_DATA = "*batch_size", "*_dataloader_opts"
#: Of each kind of value one that cannot be, and what the line says
BY_KIND = {
    bool: ("3", "must be True or False"),
    int: ("1e9", "must be a whole number"),
    float: ("abc", "must be a number"),
    dict: ("3", "must be such as {key: value}"),
    str: ("3", "must be text"),
}
#: What cannot be of what needs more to be said of than its kind: values, and
#: what the line says. The first pattern that fits a key counts.
BY_KEY = {
    "data_folder": [("{no}", "no such folder|has no folder")],
    "clean_folder": [("{no}", "no .wav or .flac file")],
    "noise_folder": [("{no}", "no .wav or .flac file")],
    "rir_folder": [("{no}", "no .wav or .flac file")],
    "pretrained_model": [
        ("{no}", "there is no"),
        ("{text}", "there is no"),
    ],
    "pretrained_discriminator": [
        ("{no}", "must be a local file"),
        ("{text}", "holds no readable weights: it is none of torch.save"),
    ],
    "output_folder": [("{text}", "File exists|Not a directory")],
    "prepare_folder": [("{text}", "File exists|Not a directory")],
    "model_folder": [("{corpus}", "exists already and is no model folder")],
    "*_log": [("{corpus}", "is a folder"), ("{text}/log", "exists|Not a dir")],
    "*_scores": [("{corpus}", "is a folder")],
    "*_json": [("{corpus}", "is a folder")],
    "seed": [("-1", "must be finite, and not below 0")],
    "sample_rate": [("48000", "PESQ is defined"), ("0", "")],
    "segment_seconds": [("0", "from 1 on"), ("-1", "below 0"), (".inf", "")],
    "validation": [("test", "must be one of speakers, share, official")],
    "*_share": [("1.5", "must lie between 0 and 1"), ("0", "between")],
    "snr_low": [("99", "may not exceed"), (".nan", "must be finite")],
    "snr_high": [("-99", "may not exceed")],
    "reverb_prob": [("1.1", "must lie in 0 to 1")],
    "number_of_epochs": [("-1", "below 0")],
    # of validation and test a batch may be larger than what there is
    "batch_size": [("0", "positive"), ("99", "must")],
    "*_dataloader_opts.batch_size": [("0", "positive")],
    "lr": [("-1", "below 0")],
    "lr_decay": [("-1", "below 0")],
    "betas": [("3", "opt_class"), ("[1, 2]", "beta"), ("abc", "opt_class")],
    "opt_class.betas": [("3", "opt_class")],
    "ema_decay": [("1.5", "must lie between 0 and 1")],
    "*_workers": [("-1", "below 0")],
    "num_logged_files": [("-1", "below 0")],
    "metric_weight": [("-1", "below 0")],
    "loss_weights": [("{x: 1}", "there is no loss_weights.x")],
    "loss_weights.*": [("-1", "below 0")],
    "*_dataloader_opts": [("{x: 1}", "unexpected keyword argument 'x'")],
    "*_dataloader_opts.num_workers": [("-1", "below 0")],
    "prepare": [("{x: 1}", "unexpected keyword argument 'x'")],
    "opt_class": [("{x: 1}", "unexpected keyword argument 'x'")],
    "scheduler_class": [("{x: 1}", "unexpected keyword argument 'x'")],
    "pairs": [("{x: 1}", "there is no pairs.x")],
    "modules": [("{x: 1}", "there is no modules.x")],
    "stft.n_fft": [("512", "n_fft of model and transform")],
    "stft.hop_length": [
        ("0", "from 1 on"),
        ("500", "may not exceed"),
        ("400", "without gaps"),
    ],
    "stft.win_length": [("0", "from 1 on"), ("500", "may not exceed")],
    "stft.compression": [("0", "above 0"), ("2", "at most 1")],
    "generator": [("{x: 1}", "'x'"), ("{backend: x}", "'auto' or one of")],
    "generator.n_fft": [("401", "a multiple of 4"), ("512", "n_fft of model")],
    "generator.beta": [("0", "beta must be above 0")],
    "generator.*": [("0", "must be a whole number from 1 on")],
    "discriminator.channels": [("0", "must be a whole number from 1 on")],
    "discriminator.dropout": [("2", "between 0 and 1")],
    "*_variation.speed_*": [("0", "whole number"), ("201", "50 to 200")],
    "*_variation.room_prob": [("1.1", "must lie in 0 to 1")],
    "pairs.train.target.scale": [("3", "")],
    "*": [],
}
#: The same of keys that are SpeechBrain's run options, which reads them
RUN_OPTIONS = {
    "max_grad_norm": [("abc", "invalid float value")],
    "precision": [("fp31", "invalid choice")],
    "eval_precision": [("fp31", "invalid choice")],
    "ckpt_interval_minutes": [("1.5", "invalid int value")],
}


@pytest.fixture(scope="module")
def places(tmp_path_factory, model_folder):
    """What the values and the yaml's placeholders stand for."""
    folder = tmp_path_factory.mktemp("places")
    (folder / "text").write_text("no audio, no weights")
    weights = folder / "discriminator.ckpt"
    torch.save(MetricDiscriminator().state_dict(), weights)
    for half in ("clean", "noisy"):
        of_corpus = CORPUS / f"{half}_trainset_28spk_wav"
        (folder / "pairs").mkdir(exist_ok=True)
        (folder / "pairs" / half).symlink_to(of_corpus)
    return {
        "no": folder / "no",
        "text": folder / "text",
        "corpus": CORPUS,
        "data_folder": CORPUS,
        "pairs": folder / "pairs",
        "clean_folder": folder / "pairs" / "clean",
        "noise_folder": folder / "pairs" / "noisy",
        "pretrained_discriminator": weights,
        "pretrained_model": model_folder,
    }


@pytest.fixture
def end_of(monkeypatch, places, tmp_path):
    """The line that the recipe ends with; it may not begin to train."""
    import train

    class Began(Exception):
        pass

    def begin(*args):
        raise Began

    monkeypatch.setattr(train.SEMambaBrain, "fit", begin)
    monkeypatch.setattr(logger, "get_environment_description", str)
    monkeypatch.chdir(RECIPE)

    def run(path, key, value):
        given = {"output_folder": tmp_path / "out", "pesq_workers": 0}
        for name, node in read_settings(path, resolve=False).items():
            if tag_of(node) == "!PLACEHOLDER":
                given[name] = places[name]
        if {"pretrained_model", "data_folder"} <= given.keys():
            given["data_folder"] = places["pairs"]
        name, *inner = key.split(".")
        given[name] = value
        if value.strip("{}").split("}")[0] in places:
            given[name] = value.format(**places)
        for word in reversed(inner):
            given[name] = f"{{{word}: {given[name]}}}"
        words = [f"--{name}={value}" for name, value in given.items()]
        monkeypatch.setattr(sys, "argv", ["train.py", str(path), *words])
        try:
            train.main()
        except SystemExit as end:
            return end.code
        except Began:
            return "it began to train"
        except Exception as error:
            return f"a traceback of {error!r}"

    return run


def results(folder):
    """What a run makes beside the log of its beginning."""
    patterns = "*.json", "*.csv", "*.ckpt", "model"
    return [p.name for pattern in patterns for p in folder.rglob(pattern)]


#: Keys whose values have been tried, with what they are
SEEN = set()


def keys_of(node, default, key=""):
    """The dotted keys below a node, each with what it is, and what resolved."""
    if key:
        yield key, node, default
    if isinstance(node, dict) and isinstance(default, dict):
        for name in node:
            # not what is only done, nor how to find a node to put in place
            if not name.startswith("__") and name in default:
                inner = f"{key}.{name}" if key else name
                yield from keys_of(node[name], default[name], inner)


def wrong_values(key, node, default):
    """Values that cannot be, with what the line is to say of each."""
    if is_computed(node):
        return [("3", f"{key} is computed by")]
    if key in RUN_OPTIONS:
        return RUN_OPTIONS[key]
    pattern = next(p for p in BY_KEY if fnmatchcase(key, p))
    kinds = [row for kind, row in BY_KIND.items() if isinstance(default, kind)]
    if isinstance(default, str) and "." not in key:
        kinds = []  # any text may be the name of a file
    elif not kinds and (tag_of(default) or "").startswith(("!new:", "!name:")):
        kinds = [("3", "must be made")]
    return [*kinds[:1], *BY_KEY[pattern]]


def test_kinds_of_values_are_told_apart():
    assert wrong_values("seed", 3, 3)[0] == BY_KIND[int]
    assert wrong_values("save_enhanced", True, True) == [BY_KIND[bool]]
    assert wrong_values("a_new_key", "text", "text") == []


@pytest.mark.parametrize("path", HPARAMS, ids=lambda p: p.stem)
def test_what_cannot_be_is_refused_in_one_line(path, end_of, places, tmp_path):
    settings = read_settings(path, resolve=False)
    given = {k: str(v) for k, v in places.items() if k in settings}
    wrong = []
    resolved = read_settings(path, given)
    for key, node, default in keys_of(settings, resolved):
        kind = key, type(default), tag_of(default), is_computed(node)
        if kind in SEEN:
            continue  # in another yaml
        SEEN.add(kind)
        values = wrong_values(key, node, default)
        assert values, f"{key} has no value here that cannot be"
        for value, messages in values:
            end = str(end_of(path, key, value))
            first, *faults = end.splitlines()
            is_told = first.startswith("train.py: error: ") and any(
                message in end for message in messages.split("|")
            )
            listed = all(fault.startswith("/") for fault in faults)
            made = results(tmp_path)
            if any(fnmatchcase(key, pattern) for pattern in NEED_DATA):
                made = []
            if not is_told or not listed or made:
                wrong.append(f"--{key}={value}: {made} {end}")
            shutil.rmtree(tmp_path / "out", ignore_errors=True)
    assert not wrong, "\n".join(wrong)


def test_instruction_set_that_is_not_there(end_of, monkeypatch):
    monkeypatch.setattr(kernels, "_REFUSED", "SEMAMBA_INSTRUCTIONS must be")
    end = end_of(HPARAMS[0], "batch_size", "2")
    assert end == "train.py: error: SEMAMBA_INSTRUCTIONS must be"


@pytest.mark.parametrize("name", ODD_NAMES)
def test_any_name_of_a_folder_is_taken(name, end_of, tmp_path):
    """Of the run's folder and, by it, of all that lies in it."""
    folder = tmp_path / name
    end = end_of(HPARAMS[0], "output_folder", str(folder))
    assert end == "it began to train"
    settings = read_settings(folder / "hyperparams.yaml")
    assert settings["test_scores"] == str(folder / "test_scores.csv")
    assert (folder / "train.json").exists()
