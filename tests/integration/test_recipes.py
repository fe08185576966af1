"""The recipes beside the official one: each as a command, and its mistakes."""

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from places import RECIPE, ROOT
from speechbrain.inference.enhancement import WaveformEnhancement

from speechbrain_semamba.checkpoints.model_folder import write_model_folder
from speechbrain_semamba.dataio.audio_files import (
    read_audio_file,
    write_audio_file,
)
from speechbrain_semamba.dataio.recorded_pairs import read_wav
from speechbrain_semamba.inference.models import find_model
from speechbrain_semamba.lobes.models.metric_discriminator import (
    MetricDiscriminator,
)
from speechbrain_semamba.lobes.models.semamba import SEMamba
from speechbrain_semamba.processing.levels import level_pair
from speechbrain_semamba.processing.pcs import PerceptualContrastStretching

CORPUS = ROOT / "samples" / "voicebank_mini"
sys.path.insert(0, str(RECIPE))  # as for train.py, whose yaml names its files
SIZES = {"channels": 8, "num_blocks": 1, "d_state": 4, "expand": 2}
SMALL = "--generator={channels: 8, num_blocks: 1, d_state: 4, expand: 2}"
TINY = [
    "--batch_size=4",
    "--pesq_workers=0",
    "--prepare_workers=1",
    *(
        f"--{name}_dataloader_opts={{num_workers: 0}}"
        for name in ("train", "valid", "test")
    ),
]
SHORT = ["--segment_seconds=0.5"]
HALVES = ("clean", "noisy")


def tiny(name):
    """Options of a small run; a fine-tuned model has its own size."""
    return TINY if name in ("finetune", "small") else [SMALL, *TINY]


def run_recipe(name, *options):
    """One epoch of short segments, as a command."""
    run = subprocess.run(
        [sys.executable, "train.py", f"hparams/semamba_{name}.yaml"]
        + [*options, *tiny(name), *SHORT, "--number_of_epochs=1"],
        cwd=RECIPE,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-3000:]


def losses_of(folder, epochs=1):
    """The training losses of a finished run's epochs."""
    log = (folder / "train_log.txt").read_text()
    found = re.findall(r"^epoch: (\d+).*train loss: ([^,]+),", log, re.M)
    assert [int(epoch) for epoch, _ in found] == list(range(1, epochs + 1))
    assert "test pesq: " in log and (folder / "model").is_dir()
    return [float(loss) for _, loss in found]


@pytest.fixture(scope="module")
def voicebank(tmp_path_factory):
    """Ten utterances to train on, two to validate, two to test."""
    folder = tmp_path_factory.mktemp("voicebank")
    train = ("p2[34]?_*.wav", "p2[28][67]_001.wav")
    for half in HALVES:
        places = {f"{half}_trainset_28spk_wav": train}
        places[f"{half}_testset_wav"] = ("*_001.wav",)
        for place, patterns in places.items():
            (folder / place).mkdir()
            for pattern in patterns:
                for file in (CORPUS / place).glob(pattern):
                    shutil.copy(file, folder / place)
    return folder


@pytest.fixture(scope="module")
def pairs(voicebank, tmp_path_factory):
    """A folder of one's own pairs."""
    folder = tmp_path_factory.mktemp("pairs")
    for half in HALVES:
        source = voicebank / f"{half}_trainset_28spk_wav"
        shutil.copytree(source, folder / half)
    return folder


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """Noises and rooms, one for each set."""
    folder = tmp_path_factory.mktemp("sounds")
    torch.manual_seed(0)
    decay = torch.exp(-torch.arange(4000) / 800)
    for kind, shape in (("noise", torch.ones(4000)), ("rir", decay)):
        (folder / kind).mkdir()
        for name in "abc":
            wav = 0.1 * shape * torch.randn(1, 4000)
            write_audio_file(folder / kind / f"{name}.wav", wav, 16000)
    return folder


@pytest.fixture
def discriminator(tmp_path):
    """The official form of a file: nested, and wrapped."""
    torch.manual_seed(1)
    weights = MetricDiscriminator().state_dict()
    nested = {f"module.{k}": v for k, v in weights.items()}
    path = tmp_path / "source" / "do_00100000.pth"
    path.parent.mkdir()
    torch.save({"discriminator": nested, "steps": 100000}, path)
    return path


def make_model(folder, seed=2, **options):
    torch.manual_seed(seed)
    write_model_folder(
        folder, SEMamba(**SIZES).state_dict(), SIZES, overwrite=True, **options
    )
    return folder


@pytest.fixture
def call(train, tmp_path, monkeypatch):
    """Calls one of train.py's functions as if from the command line."""
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.chdir(place)

    def run(function, name, *options):
        file = RECIPE / "hparams" / f"semamba_{name}.yaml"
        options = (f"--output_folder={tmp_path / 'out'}", *options)
        argv = ["train.py", str(file), *options, *tiny(name)]
        if function == "set_up":
            return train.set_up(train.read_command(argv[1:]))
        monkeypatch.setattr(sys, "argv", argv)
        return train.main()

    yield run
    assert not list(place.iterdir())


def same(module, weights):
    ours = module.state_dict()
    assert ours.keys() == weights.keys()
    return all(torch.equal(ours[k], weights[k]) for k in weights)


def test_pcs(voicebank, tmp_path):
    out = tmp_path / "out"
    run_recipe(
        "pcs",
        f"--data_folder={voicebank}",
        f"--output_folder={out}",
    )
    assert losses_of(out)[0] > 0


def test_pcs_is_the_target_in_training_alone(voicebank, call, tmp_path):
    # no crop: a segment longer than all files
    _, _, loaders = call(
        "set_up", "pcs", f"--data_folder={voicebank}", "--segment_seconds=9"
    )
    stretch = PerceptualContrastStretching(scale=None)
    for name, loader in zip(("train", "valid", "test"), loaders):
        item = loader.dataset[0]
        entry = json.loads((tmp_path / "out" / f"{name}.json").read_text())
        entry = entry[item["id"]]
        noisy, clean = (
            read_wav(entry[f"{half}_wav"].format(data_root=voicebank))
            for half in ("noisy", "clean")
        )
        plain = level_pair(noisy, clean)
        stretched = level_pair(noisy, stretch(clean[None])[0])
        assert not torch.allclose(plain[1], stretched[1], atol=0.1)
        noisy, clean = stretched if name == "train" else plain
        assert torch.equal(item["noisy"][: len(noisy)], noisy)
        assert torch.equal(item["clean"][: len(clean)], clean)


def test_pretrained_discriminator(voicebank, discriminator, tmp_path):
    out = tmp_path / "out"
    run_recipe(
        "pretrained_d",
        f"--data_folder={voicebank}",
        f"--pretrained_discriminator={discriminator}",
        f"--output_folder={out}",
    )
    losses_of(out)
    assert list(discriminator.parent.iterdir()) == [discriminator]


def test_discriminator_is_loaded(voicebank, discriminator, call):
    hparams, *_ = call(
        "set_up",
        "pretrained_d",
        f"--data_folder={voicebank}",
        f"--pretrained_discriminator={discriminator}",
    )
    torch.manual_seed(1)
    expected = MetricDiscriminator().state_dict()
    assert same(hparams["discriminator"], expected)


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("none/do.pth", None, "must be a local file, but "),
        ("source", None, "must be a local file, but "),
        ("source/bad.pth", b"PK\x03\x04", "holds no readable weights"),
        ("source/g.pth", SEMamba, "does not fit MetricDiscriminator"),
    ],
)
def test_faulty_discriminator(
    voicebank, discriminator, call, tmp_path, name, content, message
):
    path = tmp_path / name
    if content is SEMamba:
        torch.save(SEMamba(**SIZES).state_dict(), path)
    elif content:
        path.write_bytes(content)
    before = sorted((tmp_path / "source").iterdir())
    with pytest.raises(SystemExit) as info:
        call(
            "main",
            "pretrained_d",
            f"--data_folder={voicebank}",
            f"--pretrained_discriminator={path}",
        )
    text = info.value.code
    assert message in text and str(path) in text and "\n" not in text
    assert sorted((tmp_path / "source").iterdir()) == before


def test_finetune_and_resume(pairs, call, tmp_path):
    model, out = make_model(tmp_path / "model"), tmp_path / "out"
    options = [f"--data_folder={pairs}", f"--pretrained_model={model}"]
    run_recipe(
        "finetune",
        *options,
        f"--output_folder={out}",
    )
    (first,) = losses_of(out)
    assert {p.name for p in model.iterdir()} == {
        "generator.ckpt",
        "hyperparams.yaml",
        "README.md",
    }
    log = (out / "log.txt").read_text()
    assert log.count("MetricDiscriminator keeps the weights it has") == 1

    # The second start would show it if it took other pretrained weights.
    make_model(model, seed=3)
    options += [*SHORT, "--number_of_epochs=2"]
    hparams, brain, _ = call("set_up", "finetune", *options)
    files = brain.checkpointer.find_checkpoint().paramfiles
    saved = torch.load(files["generator"], weights_only=True)
    assert not same(hparams["generator"], saved)
    brain.on_fit_start()
    assert same(hparams["generator"], saved)
    call("main", "finetune", *options)
    assert losses_of(out, 2)[0] == first


def test_model_folder_is_scored_without_training(pairs, call, tmp_path):
    """By its own front end, and the enhanced files are kept."""
    model, out = tmp_path / "model", tmp_path / "out"
    make_model(model, stft_args={"compression": 0.5})
    call(
        "main",
        "finetune",
        f"--data_folder={pairs}",
        f"--pretrained_model={model}",
        "--number_of_epochs=0",
        "--save_enhanced=True",
    )
    test = json.loads((out / "test.json").read_text())
    enhancer = WaveformEnhancement.from_hparams(source=str(model))
    assert {p.stem for p in (out / "enhanced").iterdir()} == test.keys()
    for key, entry in test.items():
        noisy = entry["noisy_wav"].format(data_root=pairs)
        expected = enhancer.enhance_file(noisy)
        found, _ = read_audio_file(out / "enhanced" / f"{key}.wav")
        assert (found[0] - expected).abs().max() < 2**-14
    with open(out / "test_scores.csv", newline="") as file:
        assert {row["file"] for row in csv.DictReader(file)} == test.keys()
    assert not (out / "model").exists()  # nothing was trained


def test_finetune_starts_from_the_model(pairs, call, tmp_path):
    discriminator = MetricDiscriminator().state_dict()
    model = make_model(tmp_path / "model", discriminator=discriminator)
    hparams, *_ = call(
        "set_up",
        "finetune",
        f"--data_folder={pairs}",
        f"--pretrained_model={model}/",
    )
    generator = torch.load(model / "generator.ckpt", weights_only=True)
    assert same(hparams["generator"], generator)
    assert same(hparams["discriminator"], discriminator)


@pytest.mark.parametrize(
    "spoil, message",
    [
        (shutil.rmtree, "there is no "),
        (lambda p: (p / "hyperparams.yaml").unlink(), "model/hyperparams.yaml"),
        (
            lambda p: (p / "hyperparams.yaml").write_text("stft: ["),
            "hyperparams.yaml is damaged: ",
        ),
        (lambda p: (p / "generator.ckpt").unlink(), "generator.ckpt is none"),
        (
            lambda p: torch.save(SEMamba().state_dict(), p / "generator.ckpt"),
            "does not fit SEMamba",
        ),
        (
            lambda p: (p / "discriminator.ckpt").write_bytes(b"no"),
            "discriminator.ckpt holds no readable weights",
        ),
    ],
)
def test_faulty_model_folder(pairs, call, tmp_path, spoil, message):
    model = make_model(tmp_path / "model")
    spoil(model)
    with pytest.raises(SystemExit) as info:
        call(
            "main",
            "finetune",
            f"--data_folder={pairs}",
            f"--pretrained_model={model}",
        )
    assert message in info.value.code and "\n" not in info.value.code


def test_small_starts_from_the_model(sounds, pairs, call):
    folder = find_model("semamba-small")
    hparams, *_ = call(
        "set_up",
        "small",
        f"--clean_folder={pairs / 'clean'}",
        f"--noise_folder={sounds / 'noise'}",
        f"--pretrained_model={folder}",
    )
    weights = torch.load(Path(folder, "generator.ckpt"), weights_only=True)
    assert same(hparams["generator"], weights)


def test_dynamic_mixing(pairs, sounds, tmp_path):
    out = tmp_path / "out"
    run_recipe(
        "dynamic",
        f"--clean_folder={pairs / 'clean'}",
        f"--noise_folder={sounds / 'noise'}",
        f"--rir_folder={sounds / 'rir'}",
        f"--output_folder={out}",
    )
    assert losses_of(out)[0] > 0


def test_only_training_is_mixed_anew(pairs, sounds, call):
    hparams, _, loaders = call(
        "set_up",
        "dynamic",
        f"--clean_folder={pairs / 'clean'}",
        f"--noise_folder={sounds / 'noise'}",
        *SHORT,
    )
    train, valid, test = (loader.dataset for loader in loaders)
    assert len(train[0]["noisy"]) == 8000 < len(valid[0]["noisy"])
    first = [dataset[0]["noisy"] for dataset in (train, valid, test)]
    hparams["epoch_counter"].current = 1
    again = [dataset[0]["noisy"] for dataset in (train, valid, test)]
    changed = [not torch.equal(x, y) for x, y in zip(first, again)]
    assert changed == [True, False, False]
