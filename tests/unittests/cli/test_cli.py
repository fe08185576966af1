"""The command line: what it prints, and a user's mistakes in one line."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import soundfile
import torch
from places import OFFICIAL, ROOT

from speechbrain_semamba.checkpoints.checkpointer import WholeCheckpointer
from speechbrain_semamba.cli import COMMANDS, main
from speechbrain_semamba.inference.enhancement import SEMambaEnhancement
from speechbrain_semamba.ops.backends import BACKENDS
from speechbrain_semamba.processing import precision


@pytest.fixture
def noisy(tmp_path):
    path = tmp_path / "noisy.wav"
    soundfile.write(path, 0.01 * torch.randn(4000).numpy(), 16000)
    return path


def test_enhance(model_folder, noisy, tmp_path):
    out = tmp_path / "out.wav"
    assert (
        main(["enhance", str(noisy), str(out), "--model", str(model_folder)])
        == 0
    )
    assert soundfile.info(out).frames == 4000


def test_bf16_that_would_be_slower_is_float32(
    model_folder, noisy, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(precision, "_cpu_has_bf16", lambda: False)
    written = []
    for name in ("auto", "bf16"):
        out = tmp_path / f"{name}.wav"
        words = ["enhance", str(noisy), str(out), "--precision", name]
        assert main([*words, "--model", str(model_folder)]) == 0
        written.append(out.read_bytes())
    assert written[0] == written[1]
    messages = [m for m in caplog.messages if "bfloat16" in m]
    assert len(messages) == 1 and "computing in float32" in messages[0]


def test_success_is_one_line(model_folder, noisy, tmp_path):
    """SpeechBrain's loggers have more to say."""
    out = str(tmp_path / "out.wav")
    words = ["enhance", str(noisy), out, "--model", str(model_folder)]
    run = subprocess.run(
        [sys.executable, "-m", "speechbrain_semamba", *words],
        capture_output=True,
        text=True,
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, f"{out}\n", "")


def test_convert_and_enhance_and_back(noisy, tmp_path, capsys):
    official = torch.load(OFFICIAL, weights_only=True)
    names = {"generator": "g.pth", "discriminator": "do.pth"}
    for name, file in names.items():
        torch.save({name: official[name]}, tmp_path / file)
    model, d, config = (
        str(tmp_path / name) for name in ("model", "d.pth", "config.yaml")
    )
    there = ["convert", "--generator", str(tmp_path / "g.pth"), "-o", model]
    there += ["--discriminator", str(tmp_path / "do.pth")]
    assert main(there) == 0
    assert "channels=8" in capsys.readouterr().out
    out = str(tmp_path / "out.flac")
    assert main(["enhance", str(noisy), out, "--model", model]) == 0
    assert main(there) == 1
    assert "exists already" in capsys.readouterr().err
    back = ["convert", "--to-official", model, "-o", str(tmp_path / "g.pth")]
    back += ["--discriminator", d, "--config", config]
    assert main(back) == 1
    assert "exists already" in capsys.readouterr().err
    assert main([*back, "--overwrite"]) == 0
    assert capsys.readouterr().out.split() == [back[4], d, config]
    assert main([*there, "--config", config, "--overwrite"]) == 0
    assert "beta=2.0" in capsys.readouterr().out


def test_info_names_each_back_end(capsys):
    assert main(["info"]) == 0
    printed = capsys.readouterr().out
    for name in BACKENDS:
        assert f"scan {name}: " in printed
    assert "scan pytorch: ready" in printed
    assert "scan mamba_ssm, fused mixer: " in printed
    assert "bf16" in printed
    for name in ("soundfile", "libsndfile", "processor", "models", "device"):
        assert f"{name}" in printed


def test_info_says_all_whatever_the_environment_asks_for(capsys, monkeypatch):
    monkeypatch.setenv("SEMAMBA_BACKEND", "fast")
    assert main(["info"]) == 0
    printed = capsys.readouterr().out
    assert ": none, SEMAMBA_BACKEND must be 'auto' or one of" in printed
    assert "models: " in printed


def test_convert_to_onnx(model_folder, tmp_path, capsys):
    for name in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(name)  # of the extra onnx
    path = tmp_path / "generator.onnx"
    words = ["convert", "--to-onnx", str(model_folder), "-o", str(path)]
    if torch.__version__ < (2, 8):
        assert main(words) == 1
        assert_one_line(capsys.readouterr().err, "torch 2.8 or newer")
        return
    assert main(words) == 0
    assert capsys.readouterr().out == f"{path}\n"
    size = path.stat().st_size
    assert main(words) == 1
    assert_one_line(capsys.readouterr().err, "with --overwrite")
    assert path.stat().st_size == size


#: A wrong use, the exit status, and what the line says
MISTAKES = [
    ("", 2, "required: COMMAND"),
    ("enhnace {noisy} {out}", 2, "invalid choice: 'enhnace'"),
    ("enhance {noisy} {out} --modle {model}", 2, "the nearest is --model;"),
    ("enhance {noisy} {out} --model {model} --threads 0", 2, "found '0'"),
    ("enhance no.wav {out} --model {model}", 1, "there is no file no.wav"),
    ("enhance {model} {out} --model {model}", 1, "there is no audio file"),
    ("enhance {text} {out} --model {model}", 1, "is not readable as audio"),
    ("enhance {noisy} {noisy} --model {model}", 1, "name another file"),
    ("enhance {noisy} {link} --model {model}", 1, "name another file"),
    ("enhance {noisy} o.xyz --model {model}", 1, "ends in '.xyz'"),
    ("enhance {noisy} {no}/o.wav --model {model}", 1, "there is no folder"),
    ("enhance {noisy} {out} --model {no}", 1, "lacks hyperparams.yaml and"),
    ("enhance {noisy} {out} --model {empty}", 1, "lacks generator.ckpt;"),
    ("enhance {noisy} {out} --model {model} --device abacus", 1, "abacus: "),
    ("export {no} {out}", 1, "a training run holds"),
    ("export {noisy} {out}", 1, "a training run holds"),
    ("export {model} {out}", 1, "a training run holds"),
    (
        "evaluate --enhanced {wavs} --metrics sig,pesq",
        2,
        "pesq needs clean files: give --clean FOLDER, or choose of sig, bak",
    ),
    ("evaluate --enhanced {wavs} --asr pocketsphinx", 2, "give --wer FOLDER"),
    ("evaluate --enhanced {wavs} --wer {no}", 1, "one of transcripts"),
    ("evaluate --clean {wavs}", 2, "give --enhanced FOLDER, or --compare"),
    ("evaluate --clean {wavs} --enhanced {wavs} --compare a={wavs}", 2, ", or"),
    ("evaluate --clean {wavs} --compare {wavs}", 2, "must be NAME=FOLDER"),
    ("evaluate --clean {wavs} --compare noisy={wavs}", 2, "must be NAME=FOL"),
    ("evaluate --clean {wavs} --compare a/b={wavs}", 2, "must be NAME=FOL"),
    ("evaluate --clean {wavs} --compare a={wavs}", 2, "two systems or more"),
    (
        "evaluate --clean {wavs} --compare a={wavs} a={wavs}",
        2,
        "a name of its own, found a, a",
    ),
    ("evaluate --clean {no} --enhanced {wavs}", 1, "one of clean files"),
    ("evaluate --clean {wavs} --enhanced {noisy}", 1, "of enhanced files"),
    (
        "evaluate --clean {wavs} --enhanced {wavs} --noisy {no}",
        1,
        "there is no folder",
    ),
    ("evaluate --clean {wavs} --enhanced {empty}", 1, "holds no .wav or .fl"),
    ("evaluate --clean {wavs} --enhanced {fast}", 1, "one sampling rate, fo"),
    ("evaluate --clean {fast} --enhanced {fast}", 1, "found 48,000; resample"),
    (
        "evaluate --clean {wavs} --enhanced {wavs} --metrics pesk,stoi",
        2,
        "'pesk', the nearest is pesq; there are pesq, csig",
    ),
    ("evaluate --clean {wavs} --enhanced {wavs} --metrics=", 2, "metric ''"),
    ("evaluate --clean {wavs} --enhanced {wavs} --workers 0", 2, "found '0'"),
    (
        "evaluate --clean {wavs} --enhanced {wavs} -o {noisy}",
        1,
        "is a file; name a folder",
    ),
    (
        "evaluate --clean {wavs} --enhanced {wavs} -o {noisy}/report",
        1,
        "noisy.wav",
    ),
    ("demo --model {no}", 1, "a model folder holds"),
    ("demo --port 0", 2, "--port"),
    ("demo --port 70000", 2, "--port is at most 65535, found 70000"),
    ("demo --host 192.0.2.1", 1, "give another --host or --port"),
    ("demo --max-seconds 0", 2, "--max-seconds is a number above 0, found 0"),
    ("demo --max-megabytes nan", 2, "is a number above 0, found nan"),
    ("plot", 2, "required: FILE;"),
    ("plot {noisy} -o {out}", 1, "ends in '.wav'"),
    ("plot {noisy} -o {no}/a.png", 1, "there is no folder"),
    ("plot no.wav -o a.png", 1, "there is no file no.wav"),
    ("plot {text} -o a.png", 1, "is not readable as audio"),
    ("plot {noisy} {noisy} -o a.png", 2, "titles differ, found "),
    ("plot {noisy} -o a.png --titles a b", 2, "found 2 for 1"),
    ("export {run}", 2, "required: OUT_FOLDER"),
    ("export {run} {out} {out}", 2, "unrecognized arguments: "),
    ("export {run} {out} --max_key stoi", 1, "'stoi' score; there are "),
    ("export {run} {out} --max_key", 2, "expected one argument"),
    ("export {run} {out} --overwrite=yes", 2, "ignored explicit argument"),
    ("export {run} {model}", 1, "replace it with --overwrite"),
    ("export {run} {run} --overwrite", 1, "is no model folder"),
    ("export {run} {noisy}", 1, "is no model folder"),
    ("export {junk} {out}", 1, "it is none of torch.save's"),
    ("export {run} {out}", 1, "is damaged: it has no generator"),
    ("convert --generator {no} -o {out}", 1, "No such file"),
    ("convert --generator {noisy} -o {out}", 1, "no readable weights"),
    ("convert --generator {model} -o {out}", 1, "Is a directory"),
    ("convert --generator {noisy}", 2, "required: -o/--output"),
    ("convert -o {out}", 2, "give --generator FILE, --to-official FOLDER or"),
    ("convert --generator {no} --to-official {model} -o {out}", 2, ", one;"),
    ("convert --generator {no} -o {model}", 1, "replace it with --overwrite"),
    ("convert --generator {g} --config {no} -o {out}", 1, "No such file"),
    ("convert --generator {g} --config {text} -o {out}", 1, "is damaged"),
    ("convert --generator {g} --config {yaml} -o {out}", 1, "model_cfg.bta is"),
    ("convert --generator {g} --discriminator {g} -o {out}", 1, "its do_ fil"),
    ("convert --to-official {no} -o {out}", 1, "there is no "),
    ("convert --to-onnx {no} -o {out}", 1, "lacks hyperparams.yaml and"),
    ("convert --to-onnx {model} -o {no}/a.onnx", 1, "there is no folder"),
    ("convert --to-onnx {model} --config {yaml} -o {out}", 2, "one file, of"),
    ("convert --to-official {model} -o {noisy}", 1, "with --overwrite"),
    ("convert --to-official {model} -o {empty}", 1, "is a folder; name a file"),
    ("convert --to-official {model} -o {no}/g.pth", 1, "there is no folder"),
    ("convert --to-official {model} -o {model}/g.pth", 1, "folder itself;"),
    (
        "convert --to-official {model} -o {out} --config {out}",
        1,
        "each file needs a name of its own",
    ),
    (
        "convert --to-official {model} -o {out} --discriminator {no}",
        1,
        "holds no discriminator.ckpt; name",
    ),
    ("convert --generator {text} -o {out}", 1, "is none of torch.save's"),
    ("convert --generator {empty} -o {out}", 1, "no readable weights: "),
    (
        "convert --generator {weights} -o {out}",
        1,
        "is no weight of the official",
    ),
    ("convert --generator {official} -o {noisy}", 1, "is no model folder"),
    ("convert --generator {official} -o {noisy}/out", 1, "noisy.wav"),
    (
        "convert --generator {official} --discriminator {no} -o {out}",
        1,
        "No such file",
    ),
    (
        "convert --generator {official} --discriminator {official} -o {out}",
        1,
        "does not fit MetricDiscriminator",
    ),
    ("convert --generator {noisy} -o {out} --overwrite=1", 2, "ignored expl"),
    ("info now", 2, "unrecognized arguments: now"),
    ("info --all", 2, "there is no option --all"),
]


def assert_one_line(error, message):
    assert error.startswith("semamba: error: ") and message in error
    assert error.count("\n") == 1 and "Traceback" not in error


def small_run(folder):
    """What a run of one epoch leaves, as far as an export looks at it."""
    folder.mkdir()
    (folder / "hyperparams.yaml").write_text("sample_rate: 16000\n")
    generator = torch.nn.Linear(1, 1)
    checkpointer = WholeCheckpointer(folder / "save", {"generator": generator})
    checkpointer.save_checkpoint(meta={"epoch": 1, "pesq": 1.5})
    return folder


def junk_run(folder, like):
    """A run whose checkpoint is SpeechBrain's own, and holds no weights."""
    settings = (like / "hyperparams.yaml").read_text()
    (small_run(folder) / "hyperparams.yaml").write_text(settings)
    (checkpoint,) = (folder / "save").glob("CKPT+*")
    (checkpoint / "sums.json").unlink()
    (checkpoint / "generator.ckpt").write_text("no weights")
    return folder


def official_generator(path):
    torch.save(torch.load(OFFICIAL, weights_only=True)["generator"], path)
    return path


def folder_of_wavs(folder, rate):
    folder.mkdir()
    soundfile.write(folder / "a.wav", 0.01 * torch.randn(9000).numpy(), rate)
    return folder


@pytest.fixture
def places(model_folder, noisy, tmp_path):
    """What the words of ``MISTAKES`` stand for."""
    (tmp_path / "text.wav").write_text("no audio")
    (tmp_path / "link.wav").symlink_to(noisy)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "hyperparams.yaml").touch()
    official = torch.load(OFFICIAL, weights_only=True)["generator"]
    torch.save({"generator": official}, tmp_path / "g.pth")
    (tmp_path / "config.yaml").write_text("model_cfg: {bta: 2.0}")
    return {
        "run": small_run(tmp_path / "run"),
        "junk": junk_run(tmp_path / "junk", like=model_folder),
        "weights": model_folder / "generator.ckpt",
        "official": official_generator(tmp_path / "official.pth"),
        "model": model_folder,
        "noisy": noisy,
        "out": tmp_path / "out.wav",
        "no": tmp_path / "no",
        "text": tmp_path / "text.wav",
        "link": tmp_path / "link.wav",
        "empty": tmp_path / "empty",
        "g": tmp_path / "g.pth",
        "yaml": tmp_path / "config.yaml",
        "wavs": folder_of_wavs(tmp_path / "wavs", 16000),
        "fast": folder_of_wavs(tmp_path / "fast", 48000),
    }


@pytest.mark.parametrize("words, status, message", MISTAKES)
def test_mistakes_in_one_line(words, status, message, places, capfd):
    before = places["noisy"].read_bytes()
    try:
        found = main([word.format(**places) for word in words.split()])
    except SystemExit as exit_:
        found = exit_.code
    assert found == status
    assert_one_line(capfd.readouterr().err, message)
    assert places["noisy"].read_bytes() == before
    assert not places["out"].exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: b"",
        lambda text: text[:-300],
        lambda text: text[:300],
        lambda text: text + b'a: "b\n',
        lambda text: b"\xff\xfe" + text,
        lambda text: text.replace(b"channels", b"chanels"),
        lambda text: text.replace(b"semamba.SEMamba\n", b"semamba.No\n"),
        lambda text: text.replace(b"speechbrain_semamba", b"no_package"),
    ],
)
def test_damaged_hyperparams(damage, model_folder, noisy, tmp_path, capfd):
    folder, out = tmp_path / "model", tmp_path / "out.wav"
    shutil.copytree(model_folder, folder)
    hparams = folder / "hyperparams.yaml"
    hparams.write_bytes(damage(hparams.read_bytes()))
    words = ["enhance", str(noisy), str(out), "--model", str(folder)]
    assert main(words) == 1
    assert_one_line(
        capfd.readouterr().err, "hyperparams.yaml does not make a model: "
    )
    assert not out.exists()


def test_out_of_memory(model_folder, noisy, tmp_path, capfd, monkeypatch):
    def need_too_much(*args):
        torch.empty(2**60)  # raises what PyTorch raises

    monkeypatch.setattr(SEMambaEnhancement, "enhance_at_level", need_too_much)
    out = tmp_path / "out.wav"
    words = ["enhance", str(noisy), str(out), "--model", str(model_folder)]
    assert main(words) == 1
    error = capfd.readouterr().err
    assert_one_line(error, f"{noisy}: out of memory; free some, or ")


def test_bugs_keep_their_traceback(model_folder, noisy, tmp_path, monkeypatch):
    def bug(*args):
        raise RuntimeError("size mismatch")

    monkeypatch.setattr(SEMambaEnhancement, "enhance_at_level", bug)
    words = ["enhance", str(noisy), str(tmp_path / "out.wav")]
    with pytest.raises(RuntimeError, match="size mismatch"):
        main([*words, "--model", str(model_folder)])


def test_threads(model_folder, noisy, tmp_path):
    before = torch.get_num_threads()
    words = ["enhance", str(noisy), str(tmp_path / "out.wav")]
    words += ["--model", str(model_folder), "--overwrite", "--threads"]
    try:
        for threads in (3, 1):
            assert main([*words, str(threads)]) == 0
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


def test_ctrl_c_amid_the_import_of_torch(noisy, model_folder, tmp_path):
    """Which a library that does without a package may swallow."""
    (tmp_path / "torch.py").write_text(
        "import os, signal, time\n"
        "try:\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    time.sleep(5)\n"
        "except BaseException:\n"
        "    pass\n"
    )
    words = ["enhance", str(noisy), "out.wav", "--model", str(model_folder)]
    path = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    run = subprocess.run(
        [sys.executable, "-m", "speechbrain_semamba", *words],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (run.returncode, run.stderr) == (130, "semamba: interrupted\n")


def test_ctrl_c_at_work(model_folder, noisy, tmp_path, capfd, monkeypatch):
    def interrupt(*args):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)

    monkeypatch.setattr(SEMambaEnhancement, "enhance_at_level", interrupt)
    words = ["enhance", str(noisy), str(tmp_path / "out.wav")]
    assert main([*words, "--model", str(model_folder)]) == 130
    assert capfd.readouterr().err == "semamba: interrupted\n"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_without_the_extras(tmp_path):
    """Import and inference need none of what the extras install."""
    code = (
        "import sys\n"
        "extras = 'pesq pystoi loky matplotlib jinja2 tensorboard mamba_ssm'\n"
        "for name in extras.split():\n"
        "    sys.modules[name] = None\n"
        "import speechbrain_semamba.evaluation.metrics\n"
        "import speechbrain_semamba.checkpoints.model_folder\n"
        "import speechbrain_semamba.inference.enhancement\n"
        "from speechbrain_semamba.cli import main\n"
        "sys.exit(main(['info']))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr


def test_help_needs_no_torch():
    code = (
        "import sys\n"
        "sys.modules['torch'] = None\n"
        "from speechbrain_semamba.cli import main\n"
        "main(['--help'])\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    for command in COMMANDS:
        assert command in run.stdout
