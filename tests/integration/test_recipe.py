"""The recipe as its users run it: whole commands on the mini corpus."""

import csv
import json
import math
import os
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys

import pytest
import torch
from forks import fork
from hyperpyyaml import load_hyperpyyaml
from places import RECIPE, ROOT
from speechbrain.inference.enhancement import WaveformEnhancement

from speechbrain_semamba.checkpoints.checkpointer import WholeCheckpointer
from speechbrain_semamba.cli import main
from speechbrain_semamba.evaluation.metrics import METRICS
from speechbrain_semamba.processing.precision import why_not_bf16
from speechbrain_semamba.utils.folder_lock import folder_lock

CORPUS = ROOT / "samples" / "voicebank_mini"
sys.path.insert(0, str(RECIPE))  # as for train.py, whose yaml names its files
HPARAMS = sorted((RECIPE / "hparams").glob("*.yaml"))
WEIGHTS = {
    "metric": 0.05,
    "magnitude": 0.9,
    "phase": 0.3,
    "complex": 0.1,
    "time": 0.2,
    "consistency": 0.1,
}
TINY = ["--segment_seconds=0.5", "--batch_size=6", "--pesq_workers=0"]


def run_recipe(*options, hparams="hparams/semamba_mini.yaml", **how):
    return subprocess.run(
        [sys.executable, "train.py", hparams, *options],
        cwd=RECIPE,
        capture_output=True,
        text=True,
        **how,
    )


@pytest.fixture(scope="module")
def small_corpus(tmp_path_factory):
    """Two of three files of each speaker in training, four for the test."""
    folder = tmp_path_factory.mktemp("corpus")
    for half in ("clean", "noisy"):
        train, test = (f"{half}_{s}_wav" for s in ("trainset_28spk", "testset"))
        for name, pattern in ((train, "*_00[12].wav"), (test, "p*_00[12].wav")):
            (folder / name).mkdir()
            for file in (CORPUS / name).glob(pattern):
                shutil.copy(file, folder / name)
    return folder


@pytest.fixture(scope="module")
def run_folder(small_corpus, tmp_path_factory):
    """A run of one epoch, and the same run continued for another."""
    folder = tmp_path_factory.mktemp("run") / "out"
    options = [f"--data_folder={small_corpus}", f"--output_folder={folder}"]
    for epochs in (1, 2):
        run = run_recipe(
            *options,
            *TINY,
            f"--number_of_epochs={epochs}",
            "--use_tensorboard=True",
        )
        assert run.returncode == 0, run.stderr[-3000:]
    return folder


def test_log_has_each_epoch_once(run_folder):
    log = (run_folder / "train_log.txt").read_text()
    assert re.findall(r"^epoch: (\d+)", log, re.M) == ["1", "2"]
    for part in ("magnitude", "phase", "complex", "time", "consistency"):
        assert f"train {part}: " in log and f"valid {part}: " in log
    assert "train metric: " in log and "train discriminator: " in log
    assert log.count("test pesq: ") == 2


def test_resumed_run_goes_on_with_its_learning_rate(run_folder):
    log = (run_folder / "train_log.txt").read_text()
    rates = [float(x) for x in re.findall(r"\blr: (\S+) ", log)]
    assert rates[1] == pytest.approx(0.925 * rates[0], rel=1e-2)
    assert rates[1] < rates[0]


def test_validation_speakers_are_not_trained_on(run_folder):
    def speakers(name):
        manifest = json.loads((run_folder / f"{name}.json").read_text())
        return {key.split("_")[0] for key in manifest}

    assert speakers("valid") == {"p226", "p287"}
    assert not speakers("train") & (speakers("valid") | speakers("test"))
    assert speakers("test") == {"p232", "p257"}


def test_scores_of_each_test_file(run_folder):
    with open(run_folder / "test_scores.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    noisy = [f"noisy_{name}" for name in (*METRICS, "snr")]
    names = [*METRICS, *noisy]
    assert list(rows[0]) == ["file", *names]
    for row in rows:
        assert all(math.isfinite(float(row[name])) for name in names)
        assert 1 < float(row["noisy_pesq"]) < 4.7
        assert 1 < float(row["pesq"]) < 4.7
        assert row["noisy_si_sdr"] != row["si_sdr"]


def test_tensorboard_hears_and_sees(run_folder):
    from tensorboard.backend.event_processing import event_accumulator

    events = event_accumulator.EventAccumulator(str(run_folder / "tensorboard"))
    tags = events.Reload().Tags()
    parts = {f"{name}/train" for name in WEIGHTS}
    parts |= {"discriminator/train", "lr/train", "pesq/train"}
    parts |= {"generator_gradient/train", "discriminator_gradient/train"}
    assert parts | {"pesq/valid", "stoi/valid"} <= set(tags["scalars"])
    assert [e.step for e in events.Scalars("pesq/valid")] == [1, 2]
    assert len(tags["images"]) == 3
    assert len(tags["audio"]) == 9


def test_exported_folder_enhances(run_folder, tmp_path):
    noisy = CORPUS / "noisy_testset_wav" / "p232_001.wav"
    enhancer = WaveformEnhancement.from_hparams(
        source=str(run_folder / "model")
    )
    enhanced = enhancer.enhance_file(str(noisy))
    assert enhanced.isfinite().all() and enhanced.abs().max() > 0

    exported = tmp_path / "exported"
    assert main(["export", str(run_folder), str(exported)]) == 0
    out = tmp_path / "out.wav"
    assert (
        main(["enhance", str(noisy), str(out), "--model", str(exported)]) == 0
    )
    same = WaveformEnhancement.from_hparams(source=str(exported))
    assert torch.equal(same.enhance_file(str(noisy)), enhanced)


def test_export_takes_the_best_epoch(run_folder):
    log = (run_folder / "train_log.txt").read_text()
    scores = [float(x) for x in re.findall(r"valid pesq: ([0-9.]+)", log)]
    best = max(range(len(scores)), key=scores.__getitem__) + 1
    text = (run_folder / "model" / "hyperparams.yaml").read_text()
    assert f"from a training run, epoch {best}," in text


def test_card_tells_of_the_run_and_its_examples_run(
    run_folder, tmp_path, monkeypatch
):
    card = (run_folder / "model" / "README.md").read_text()
    with open(run_folder / "test_scores.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    for name in ("pesq", "noisy_pesq"):
        mean = sum(float(row[name]) for row in rows) / len(rows)
        assert f"| {mean:.3f} \u00b1 " in card
    assert "| train files | 12, 0." in card and "| test files | 4, 0." in card
    assert "segment_seconds: 0.5" in card  # of the command line
    command = "python train.py hparams/semamba_mini.yaml --data_folder=DATA_FO"
    assert command in card
    assert str(run_folder.parent) not in card and str(ROOT) not in card

    monkeypatch.chdir(tmp_path)
    shutil.copytree(run_folder / "model", "model")
    shutil.copy(CORPUS / "noisy_testset_wav" / "p232_001.wav", "noisy.wav")
    blocks = re.findall(r"```python\n(.*?)```", card, re.S)
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})  # noqa: S102
    names = {"noisy.wav", "enhanced.wav", "softer.wav", "stretched.wav"}
    assert {path.name for path in tmp_path.glob("*.wav")} == names
    (line,) = re.findall(r"^semamba enhance .*", card, re.M)
    assert main([*shlex.split(line)[1:], "--overwrite"]) == 0


@pytest.mark.parametrize("path", HPARAMS, ids=lambda p: p.name)
def test_every_yaml_builds_and_uses_every_key(path, tmp_path, model_folder):
    text = path.read_text()
    missing = re.findall(r"^(\w+): !PLACEHOLDER", text, re.M)
    overrides = dict.fromkeys([*missing, "output_folder"], str(tmp_path))
    if "pretrained_discriminator" in missing:
        # a pretrained file must be there, and is read later
        weights = str(model_folder / "generator.ckpt")
        overrides["pretrained_discriminator"] = weights
    if "pretrained_model" in missing:
        overrides["pretrained_model"] = str(model_folder)
    hparams = load_hyperpyyaml(text, overrides)
    optimizer = hparams["opt_class"](hparams["generator"].parameters())
    assert optimizer.defaults["betas"] == (0.8, 0.99)
    scheduler = hparams["scheduler_class"](optimizer)
    if "lr_decay" in hparams:
        assert scheduler.gamma == hparams["lr_decay"]
    else:
        assert scheduler.eta_min == hparams["lr_end"]
        assert scheduler.T_max == hparams["number_of_epochs"]
    code = (RECIPE / "train.py").read_text()
    package = ROOT / "speechbrain_semamba"
    code += (package / "training" / "resumable.py").read_text()
    code += (package / "dataio" / "pair_reader.py").read_text()
    run_options = {"precision", "eval_precision", "max_grad_norm"}
    run_options |= {"ckpt_interval_minutes"}
    for key in hparams.keys() - run_options:
        used = f"<{key}>" in text or re.search(rf'[."]{key}\b', code)
        used = used or f"{{name}}{key[key.find('_') :]}" in code
        assert used, f"{key} of {path.name} is not used"


def top_level(path):
    """The text of each top-level key, in its order."""
    return dict(
        re.findall(r"^(\w+):(.*\n(?:[ ].*\n)*)", path.read_text(), re.M)
    )


@pytest.mark.parametrize(
    "name, different",
    [
        ("pcs", {"pairs"}),
        ("pretrained_d", {"pretrained_discriminator", "pretrainer"}),
        (
            "finetune",
            {"data_folder", "pretrained_model", "pretrainer", "sample_rate"}
            | {"stft", "generator", "discriminator"}
            | {"validation", "valid_share", "test_share", "prepare"}
            | {"number_of_epochs", "lr"},
        ),
        (
            "dynamic",
            {"data_folder", "clean_folder", "noise_folder", "rir_folder"}
            | {"validation", "valid_share", "test_share", "prepare"}
            | {"snr_low", "snr_high", "reverb_prob", "pairs"},
        ),
        (
            "small",
            {"data_folder", "clean_folder", "noise_folder", "rir_folder"}
            | {"validation", "valid_share", "test_share", "prepare"}
            | {"snr_low", "snr_high", "reverb_prob", "pairs"}
            | {"pretrained_model", "pretrainer", "sample_rate"}
            | {"stft", "generator", "discriminator"}
            | {"number_of_epochs", "lr_decay", "lr_end"}
            | {"ema_decay", "max_grad_norm", "loss_weights"}
            | {"scheduler_class"},
        ),
    ],
)
def test_yaml_differs_only_where_it_must(name, different):
    ours = top_level(RECIPE / "hparams" / f"semamba_{name}.yaml")
    base = top_level(RECIPE / "hparams" / "semamba.yaml")
    keys = ours.keys() | base.keys()
    found = {key for key in keys if ours.get(key) != base.get(key)}
    assert found == different | {"output_folder"}
    shared = ours.keys() & base.keys()
    assert [k for k in ours if k in shared] == [k for k in base if k in shared]


def test_official_hyper_parameters(tmp_path):
    hparams = load_hyperpyyaml(
        (RECIPE / "hparams" / "semamba.yaml").read_text(),
        {"data_folder": "x", "output_folder": str(tmp_path)},
    )
    sizes = {
        name: sum(p.numel() for p in hparams[name].parameters())
        for name in ("generator", "discriminator")
    }
    assert sizes == {"generator": 2_258_769, "discriminator": 181_650}
    assert hparams["loss_weights"] == WEIGHTS
    expected = {"lr": 5e-4, "lr_decay": 0.99, "batch_size": 4}
    expected["number_of_epochs"] = 200
    assert {k: hparams[k] for k in expected} == expected
    assert hparams["segment_seconds"] == 2.0


def test_missing_half_is_named_before_training(small_corpus, tmp_path):
    corpus = tmp_path / "corpus"
    shutil.copytree(small_corpus, corpus)
    (corpus / "noisy_testset_wav" / "p232_001.wav").unlink()
    run = run_recipe(
        f"--data_folder={corpus}", f"--output_folder={tmp_path / 'out'}"
    )
    assert run.returncode != 0
    assert "noisy_testset_wav/p232_001: missing" in run.stderr
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "out" / "train.json").exists()


@pytest.mark.parametrize(
    "options, message",
    [
        ([], "data_folder must be given"),
        (["--data_folder=x", "--batch_sise=3"], "nearest is --batch_size"),
        (
            ["--data_folder=x", "--batch_size=abc"],
            "must be a whole number, not 'a",
        ),
        (
            [f"--data_folder={CORPUS}", "--batch_size=99"],
            "batch_size times accumulation",
        ),
    ],
)
def test_mistakes_in_one_line(options, message, tmp_path):
    run = run_recipe(*options, f"--output_folder={tmp_path / 'out'}")
    assert run.returncode != 0
    assert message in run.stderr and "Traceback" not in run.stderr


def test_debug_in_half_precision_with_accumulation(small_corpus, tmp_path):
    run = run_recipe(
        f"--data_folder={small_corpus}",
        f"--output_folder={tmp_path / 'out'}",
        *TINY,
        "--debug",
        "--precision=bf16",
        "--eval_precision=bf16",
        "--grad_accumulation_factor=2",
    )
    assert run.returncode == 0, run.stderr[-3000:]
    log = (tmp_path / "out" / "train_log.txt").read_text()
    assert "nan" not in log and log.count("test pesq: ") == 1
    assert not (tmp_path / "out" / "model").exists()
    lines = run.stdout.count("computing in float32")
    assert lines == (0 if why_not_bf16("cpu") is None else 1)


def test_odd_training_files_do_no_harm(small_corpus, tmp_path):
    """Silent, constant, clipped and of one sample."""
    import numpy as np
    import soundfile

    corpus = tmp_path / "corpus"
    shutil.copytree(small_corpus, corpus)
    square = np.sign(np.sin(np.arange(16000.0)))
    odd = {
        "p227_001": np.zeros(16000),
        "p228_001": 0.1 * np.ones(1),
        "p230_001": 0.3 * np.ones(16000),
        "p243_001": square,
    }
    for name, wave in odd.items():
        for half in ("clean", "noisy"):
            file = corpus / f"{half}_trainset_28spk_wav" / f"{name}.wav"
            soundfile.write(file, wave, 16000)
    out = tmp_path / "out"
    run = run_recipe(
        f"--data_folder={corpus}",
        f"--output_folder={out}",
        *TINY,
        "--number_of_epochs=1",
    )
    assert run.returncode == 0, run.stderr[-3000:]
    log = (out / "train_log.txt").read_text()
    assert "nan" not in log and "skipped" not in log
    (failed,) = re.findall(r"train pesq_failed: (\d+)", log)
    assert 1 <= int(failed) <= len(odd)


def newest_checkpoint(folder):
    return WholeCheckpointer(folder / "save").find_checkpoint()


def no_large_files():
    """As a full disk: no file of this process can grow beyond 100 kB."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


def test_damaged_checkpoint_and_full_disk(small_corpus, run_folder, tmp_path):
    """First the one before the newest is taken, then no new one fits."""
    folder = tmp_path / "out"
    shutil.copytree(run_folder, folder)
    command = [
        f"--data_folder={small_corpus}",
        f"--output_folder={folder}",
        *TINY,
        "--number_of_epochs=3",
    ]
    damaged = newest_checkpoint(folder)
    assert damaged.meta["epoch"] == 2
    file = damaged.paramfiles["generator"]
    file.write_bytes(file.read_bytes()[:-1])
    before = sorted((folder / "save").iterdir())

    run = run_recipe(*command, preexec_fn=no_large_files)
    assert run.returncode != 0 and "Traceback" not in run.stderr
    shown = run.stdout + run.stderr
    assert f"{damaged.path} is damaged: generator.ckpt" in shown
    assert "the checkpoint could not be written" in run.stderr
    assert sorted((folder / "save").iterdir()) == before
    assert newest_checkpoint(folder).path != damaged.path

    run = run_recipe(*command)
    assert run.returncode == 0, run.stderr[-3000:]
    log = (folder / "train_log.txt").read_text()
    assert re.findall(r"^epoch: (\d+)", log, re.M) == ["1", "2", "2", "3"]


def test_official_protocol_at_full_size(small_corpus, tmp_path):
    """One update of the paper's model, by the shipped hyper-parameters."""
    run = run_recipe(
        f"--data_folder={small_corpus}",
        f"--output_folder={tmp_path / 'out'}",
        "--validation=official",
        "--segment_seconds=0.4",
        "--batch_size=1",
        "--pesq_workers=0",
        "--debug",
        "--debug_batches=1",
        "--debug_epochs=1",
        hparams="hparams/semamba.yaml",
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert "2.4M" in run.stderr + run.stdout  # parameters of both networks
    log = (tmp_path / "out" / "train_log.txt").read_text()
    assert "nan" not in log and "train metric: " in log
    valid, test = (
        (tmp_path / "out" / f"{name}.json").read_text()
        for name in ("valid", "test")
    )
    assert valid == test


@pytest.fixture
def message_of(monkeypatch):
    """Runs the recipe in this process, up to the line that it ends with."""
    import train

    def run(*options):
        argv = ["train.py", "hparams/semamba_mini.yaml", *options, *TINY]
        monkeypatch.setattr(sys, "argv", argv)
        monkeypatch.chdir(RECIPE)
        with pytest.raises(SystemExit) as end:
            train.main()
        assert "\n" not in end.value.code
        return end.value.code

    return run


def files_of(folder):
    """What is in a run's folder; the lock says who had it last."""
    files = [p for p in folder.rglob("*") if p.is_file() and p.name != ".lock"]
    return {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in files}


@pytest.mark.parametrize(
    "option, message",
    [
        ("--lr=1e-7", "lr was 0.002 in the run of "),
        ("--seed=1", "seed was 1234 in the run of "),
        ("--ema_decay=0.9", "ema_decay was 0.0 in the run of "),
        ("--stft={compression: 0.5}", "stft.compression was 0.3 in the run"),
        ("--generator={channels: 8}", "generator.channels was 16 in the run"),
        ("--discriminator={channels: 8}", "discriminator.channels was 16 in"),
        ("--validation=official", "validation was speakers in the run of "),
        ("--data_folder={other}", "data_folder was "),
    ],
)
def test_finished_run_is_left_as_it_is(
    small_corpus, run_folder, message_of, tmp_path, option, message
):
    """Whatever its result depends on may not change."""
    before = files_of(run_folder)
    options = [f"--output_folder={run_folder}", "--number_of_epochs=2"]
    if "{other}" in option:
        option = option.format(other=tmp_path)
    else:
        options.append(f"--data_folder={small_corpus}")
    shown = message_of(*options, option, *["--use_tensorboard=True"])
    assert message in shown and "name another output_folder" in shown
    assert files_of(run_folder) == before


@pytest.mark.parametrize(
    "option, message",
    [
        ("--test_dataloader_opts={batch_size: 0}", "positive integer value"),
        ("--grad_accumulation_factor=0", "from 1 on, found 0"),
        ("--device=nowhere", "nowhere"),
        ("--sample_rate=48000", "PESQ is defined at 16,000 and 8,000 Hz"),
        ("--discriminator={size: 8}", "unexpected keyword argument 'size'"),
    ],
)
def test_options_that_cannot_be(
    small_corpus, message_of, tmp_path, option, message
):
    shown = message_of(
        f"--data_folder={small_corpus}", f"--output_folder={tmp_path}", option
    )
    assert message in shown


def hold(folder, writer):
    with folder_lock(folder):
        os.write(writer, b"x")
        signal.pause()


def test_folder_of_another_run(small_corpus, run_folder, message_of):
    before = files_of(run_folder)
    reader, writer = os.pipe()
    other = fork(hold, run_folder, writer)
    assert os.read(reader, 1) == b"x"
    message = message_of(
        f"--data_folder={small_corpus}", f"--output_folder={run_folder}"
    )
    os.kill(other, signal.SIGKILL)
    os.waitpid(other, 0)
    assert f"is being written to by process {other} on" in message
    assert files_of(run_folder) == before


def test_what_changed_is_recorded_with_its_epoch(run_folder):
    record = json.loads((run_folder / "run_record.json").read_text())
    assert record["fixed"]["generator.channels"] == 16
    first, second = record["may_change"]
    assert first["from_epoch"] == 1 and first["settings"]["batch_size"] == 6
    assert second == {
        "from_epoch": 2,
        "settings": {"number_of_epochs": 2, "epoch_counter.limit": 2},
    }


def test_ctrl_c_while_it_starts(tmp_path):
    """There is nothing to put in order yet, and nothing to tell."""
    run = subprocess.Popen(
        [sys.executable, "-X", "importtime", "train.py"],
        cwd=RECIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in run.stderr:
        if line.endswith(" torch._C\n") or "numpy" in line:
            break
    run.send_signal(signal.SIGINT)
    _, rest = run.communicate(timeout=30)
    assert run.returncode == -signal.SIGINT
    assert "Traceback" not in rest and "Interrupt" not in rest


def test_ctrl_c_in_set_up(small_corpus, tmp_path, monkeypatch, capsys):
    import train

    def interrupted(command):
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "set_up", interrupted)
    argv = ["hparams/semamba_mini.yaml", f"--data_folder={small_corpus}"]
    argv += [f"--output_folder={tmp_path}"]
    monkeypatch.setattr(sys, "argv", ["train.py", *argv])
    monkeypatch.chdir(RECIPE)
    with pytest.raises(SystemExit) as end:
        train.main()
    assert end.value.code == 130
    assert capsys.readouterr().err == "train.py: interrupted\n"


def test_nothing_to_test(small_corpus, message_of, tmp_path):
    shown = message_of(
        f"--data_folder={small_corpus}",
        f"--output_folder={tmp_path}",
        "--test_only",
    )
    assert "there is no checkpoint in" in shown


def test_training_file_that_is_not_finite(small_corpus, message_of, tmp_path):
    import numpy as np
    import soundfile

    corpus = tmp_path / "corpus"
    shutil.copytree(small_corpus, corpus)
    file = corpus / "noisy_trainset_28spk_wav" / "p227_001.wav"
    wave = np.zeros(soundfile.info(file).frames)
    wave[100] = np.nan
    soundfile.write(file, wave, 16000, "FLOAT")
    shown = message_of(
        f"--data_folder={corpus}", f"--output_folder={tmp_path / 'out'}"
    )
    assert "noisy_trainset_28spk_wav/p227_001.wav holds samples" in shown


def test_without_a_discriminator(small_corpus, tmp_path):
    """A run of its own, whose workers are started afresh, not forked."""
    out = tmp_path / "out"
    run = run_recipe(
        f"--data_folder={small_corpus}",
        f"--output_folder={out}",
        *TINY,
        "--metric_weight=0",
        "--number_of_epochs=1",
        "--train_dataloader_opts={multiprocessing_context: forkserver}",
    )
    assert run.returncode == 0, run.stderr[-3000:]
    log = (out / "train_log.txt").read_text()
    assert "train magnitude" in log and "discriminator" not in log
    assert not (out / "model" / "discriminator.ckpt").exists()
