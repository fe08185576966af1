"""The recipe's command line: what it says, and mistakes in one line."""

import pytest
import torch
from places import RECIPE
from speechbrain.utils.run_opts import RunOptions

from speechbrain_semamba.training import command_line
from speechbrain_semamba.training.command_line import read_command
from speechbrain_semamba.training.run_record import may_change
from speechbrain_semamba.utils import devices

MINI = str(RECIPE / "hparams" / "semamba_mini.yaml")
YAML = """
data_folder: !PLACEHOLDER
output_folder: results
log: !ref <output_folder>/log.txt
notes: !ref <output_folder>/notes.txt
lr: 0.5
metric: 1.0
on: False
device: cpu
precision: fp32
sizes: !new:collections.OrderedDict
    a: 1
plain:
    a: !ref <lr>
counter: !new:speechbrain.utils.epoch_loop.EpochCounter
    limit: 3
count: !applyref:math.prod
    - [2, 3]
"""


@pytest.fixture
def read(tmp_path):
    (tmp_path / "a.yaml").write_text(YAML)

    def run(*options):
        return read_command([str(tmp_path / "a.yaml"), *options])

    return run


def test_values_are_those_of_the_command_line(read):
    command = read(
        "--data_folder=/x=y", "--lr", "1e-4", "--metric=0.5", "--sizes={b: 2}"
    )
    hparams = command.load()
    assert hparams["data_folder"] == "/x=y"
    assert hparams["lr"] == 1e-4 and hparams["metric"] == 0.5
    assert hparams["sizes"] == {"a": 1, "b": 2}
    assert command.run_opts.precision == "fp32"


@pytest.mark.parametrize(
    "name",
    [
        "2024",
        "null",
        "1e9",
        "{a}",
        "[1, 2]",
        "a: b",
        "#a",
        "*a",
        "~",
        "",
    ],
)
def test_names_are_taken_as_they_are(read, name):
    """Of folders and files, whatever yaml would make of them."""
    command = read(f"--data_folder={name}", f"--output_folder={name}")
    hparams = command.load()
    assert hparams["data_folder"] == hparams["output_folder"] == name
    assert hparams["log"] == f"{name}/log.txt"


def test_key_that_begins_as_a_run_option(read):
    """argparse would take --log for --log_config."""
    command = read("--data_folder=x", "--log", "a.txt", "--debug_batches", "7")
    assert command.load()["log"] == "a.txt"
    assert command.run_opts.log_config is None
    assert command.run_opts.debug_batches == 7
    assert command.values.keys() == {"data_folder", "log"}


def test_quotes_and_references_of_yaml_stay(read):
    hparams = read("--data_folder='a b'", "--notes=!ref <data_folder>/c").load()
    assert hparams["data_folder"] == "a b" and hparams["notes"] == "a b/c"


@pytest.mark.parametrize(
    "options, message",
    [
        ([], "data_folder must be given: --data_folder=..."),
        (["--lr=abc"], "lr must be a number, not 'abc'"),
        (["--lr=True"], "lr must be a number, not True"),
        (["--metric="], "metric must be a number, not None"),
        (["--on=no"], "on must be True or False, not 'no'"),
        (["--on=1"], "on must be True or False, not 1"),
        (["--sizes=3"], "sizes must be such as {key: value}, not 3"),
        (["--sizes={a: x}"], "sizes.a must be a whole number, not 'x'"),
        (["--sizes={a: 1"], "is not readable as yaml"),
        (["--lrr=1"], "there is no option --lrr, the nearest is --lr"),
        (["--test=1"], "there is no option --test,"),
        (["--lr=.nan"], "lr must be finite, and not below 0, but is nan"),
        (
            ["--sizes={a: 1e9}"],
            "sizes.a must be a whole number, not 1000000000",
        ),
        (["--counter={limit: -3}"], "counter.limit must be finite, and not be"),
        (["--plain={b: 1}"], "there is no plain.b; plain holds a"),
        (["--plain={a: {b: 1}}"], "plain.a has no keys of its own in the yaml"),
        (
            ["--count=3"],
            "count is computed by !applyref:math.prod, and may",
        ),
        (["--max_grad=1"], "the nearest is --max_grad_norm"),
        (["--qwertz=1"], "there is no option --qwertz"),
        (["--lr=1", "--lr=2"], "--lr must be given once, not twice"),
        (["--lr"], "--lr needs a value"),
        (["lr=3"], "'lr=3' belongs to no option"),
        (["--precision=int8"], "--precision: invalid choice: 'int8'"),
        (["--debug_batches=x"], "--debug_batches: invalid int value: 'x'"),
        (["--data_folder=x", "--device=abacus"], "--device abacus: "),
    ],
)
def test_mistakes_in_one_line(read, options, message):
    with pytest.raises(ValueError) as info:
        read(*options)
    assert message in str(info.value) and "\n" not in str(info.value)


def test_each_process_gets_its_gpu(read, monkeypatch):
    """As ``--device=cuda`` is said to all processes that torchrun starts."""
    monkeypatch.setattr(command_line, "check_device", lambda name: None)
    monkeypatch.setattr(devices, "check_device", lambda name: None)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    found = []
    for rank in ("0", "1"):
        monkeypatch.setenv("LOCAL_RANK", rank)
        found.append(read("--data_folder=x", "--device=cuda").run_opts.device)
    assert found == ["cuda:0", "cuda:1"]
    assert read("--data_folder=x", "--device=cpu").run_opts.device == "cpu"


def test_argument_that_no_class_takes(read):
    command = read("--data_folder=x", "--counter={limits: 3}")
    with pytest.raises(ValueError, match="EpochCounter: .* argument 'limits'"):
        command.load()


def test_bug_keeps_its_type(read):
    command = read("--data_folder=x", "--counter={limit: !ref <sizes>}")
    with pytest.raises(TypeError):
        command.load()


def test_settings_do_not_say_where_the_folder_is(read):
    one = read("--data_folder=x", "--output_folder=/here")
    other = read("--data_folder=x", "--output_folder=/there")
    assert one.output_folder == "/here"
    assert one.settings() == other.settings()
    assert one.settings()["log"] == "OUTPUT_FOLDER/log.txt"


def test_settings_hold_run_options(read):
    assert read("--data_folder=x").settings()["precision"] == "fp32"
    given = read("--data_folder=x", "--precision=bf16").settings()
    assert given["precision"] == "bf16" and given["processes"] == 1


#: On these the result of the shipped recipe depends, whatever else changes
FIXED = {
    "--lr=1e-7": "lr",
    "--seed=1": "seed",
    "--lr_decay=0.5": "lr_decay",
    "--stft={compression: 0.5}": "stft.compression",
    "--generator={channels: 8}": "generator.channels",
    "--discriminator={dropout: 0.5}": "discriminator.dropout",
    "--validation=official": "validation",
    "--opt_class={weight_decay: 0.5}": "opt_class.weight_decay",
    "--precision=bf16": "precision",
    "--max_grad_norm=5": "max_grad_norm",
    "--loss_weights={time: 0.3}": "loss_weights.time",
}
FREE = [
    "--number_of_epochs=9",
    "--batch_size=9",
    "--grad_accumulation_factor=9",
    "--pesq_workers=9",
    "--prepare_workers=9",
    "--train_dataloader_opts={num_workers: 9}",
    "--use_tensorboard=True",
    "--num_logged_files=9",
    "--save_enhanced=True",
    "--ckpt_interval_minutes=9",
    "--noprogressbar",
    "--device=cpu",
    "--test_only",
    "--skip_prep=True",
    "--train_log=/tmp/log.txt",
    "--model_folder=/tmp/model",
]


@pytest.mark.parametrize("option", [*FIXED, *FREE])
def test_what_the_result_depends_on(option):
    plain, changed = (
        read_command([MINI, "--data_folder=x", *options]).settings()
        for options in ([], [option])
    )
    keys = {k for k in plain | changed if plain.get(k) != changed.get(k)}
    assert keys
    fixed = {key for key in keys if not may_change(key)}
    if option in FIXED:
        assert FIXED[option] in fixed
    else:
        assert not fixed


def test_every_run_option_is_recorded_or_told_apart(read):
    options = set(RunOptions().as_dict())
    recorded = read("--data_folder=x").settings().keys()
    assert options - recorded == {
        "param_file",
        "overridden_args",
        "tqdm_barcolor",
    }
