"""What a card tells of a run, and what it does not."""

import json

import pytest

from speechbrain_semamba.checkpoints.run_facts import describe_run
from speechbrain_semamba.evaluation.reports import write_scores
from speechbrain_semamba.training.run_record import RunRecord
from speechbrain_semamba.utils.settings import read_settings

YAML = """\
# Generated 2026-11-28 from:
# /home/ada/recipes/VoicebankDEMAND/SEMamba/hparams/own.yaml
# yamllint disable
seed: 12
clean_folder: /home/ada/speech
noise_folder: noises
rir_folder: ''
output_folder: /home/ada/run
train_json: /home/ada/run/train.json
test_json: /home/ada/run/test.json
number_of_epochs: 7
betas: !tuple (0.8, 0.99)
generator: !new:speechbrain_semamba.lobes.models.semamba.SEMamba
    channels: 4
opt_class: !name:torch.optim.AdamW
    lr: 0.5
"""
SCORES = {
    "a": {"noisy": {"pesq": 1.25, "snr": 3.0}, "enhanced": {"pesq": 2.0}},
    "b": {"noisy": {"pesq": 1.75, "snr": 4.0}, "enhanced": {"pesq": 3.0}},
}


@pytest.fixture
def run(tmp_path):
    """A run that was moved from where its yaml says."""
    (tmp_path / "hyperparams.yaml").write_text(YAML)
    lines = "".join(
        f"epoch: {e} - train loss: 1.00 - valid pesq: {1 + e / 10:.2f}\n"
        for e in (1, 2, 3)
    )
    log = lines + "epoch loaded: 2 - test pesq: 2.5\n"
    (tmp_path / "train_log.txt").write_text(log)
    entries = {name: {"length": 45.0} for name in "abcd"}
    (tmp_path / "train.json").write_text(json.dumps(entries))
    write_scores(tmp_path / "test_scores.csv", SCORES, ["noisy", "enhanced"])
    return tmp_path


def describe(run, epoch=2):
    settings = read_settings(run / "hyperparams.yaml")
    return describe_run(run, settings, {"epoch": epoch})


def test_what_the_folder_tells(run):
    text, metrics = describe(run)
    assert metrics == ["pesq"]
    for line in (
        "| weights of epoch | 2 |",
        "| epochs asked for | 7 |",
        "| PESQ in validation | 1.2 |",
        "| train files | 4, 3.0 minutes |",
        "| test files | not recorded |",
        "| duration, hardware | not recorded |",
        "python train.py hparams/own.yaml --clean_folder=CLEAN_FOLDER "
        "--noise_folder=NOISE_FOLDER",
        "seed: 12",
        "betas: !tuple (0.8, 0.99)",
        "generator.channels: 4",
    ):
        assert line in text.splitlines()
    (row,) = (line for line in text.splitlines() if "| pesq " in line)
    assert "| 1.500 " in row and "| 2.500 " in row


def test_nothing_of_the_machine_is_told(run):
    text, _ = describe(run)
    assert "ada" not in text and str(run) not in text and "noises" not in text


def test_scores_of_another_epoch_are_not_told(run):
    text, metrics = describe(run, epoch=3)
    assert "the run's last test was of epoch 2." in text
    assert metrics == [] and "2.500" not in text
    assert "| PESQ in validation | 1.3 |" in text


def test_settings_are_those_of_the_record(run):
    """A run option of the command line is not in SpeechBrain's yaml."""
    settings = {"seed": 12, "precision": "fp32", "generator.channels": 4}
    record = RunRecord(run, settings)
    record.write()
    (run / "save" / "CKPT+1").mkdir(parents=True)
    RunRecord(run, {**settings, "processes": 2}).write()
    lines = describe(run)[0].splitlines()
    for line in (
        "precision: fp32",
        "processes: 2",
        "betas: !tuple (0.8, 0.99)",
    ):
        assert line in lines
    record.path.write_text("{")
    assert "precision: fp32" not in describe(run)[0]


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("test_scores.csv", None, "the run has not scored its test files"),
        ("test_scores.csv", "", "test_scores.csv of the run is damaged"),
        ("test_scores.csv", "file,pesq\na,x\n", "csv of the run is damaged"),
        ("test_scores.csv", "a,b\n1\n", "test_scores.csv of the run is damag"),
        ("test_scores.csv", "file,pesq\na\n", "test_scores.csv of the run is"),
        (
            "train_log.txt",
            None,
            "which epoch test_scores.csv of the run is of is not",
        ),
        ("train.json", "[1]", "| train files | not known, train.json is dama"),
        ("train.json", "{", "| train files | not known, train.json is damag"),
        ("train.json", '{"a": {}}', "| train files | not known, train.json is"),
        ("train.json", None, "| train files | not recorded |"),
    ],
)
def test_what_is_missing_or_damaged(run, name, content, message):
    if content is None:
        (run / name).unlink()
    else:
        (run / name).write_text(content)
    text, _ = describe(run)
    assert message in text
