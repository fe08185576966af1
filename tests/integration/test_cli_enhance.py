"""``semamba enhance`` as a user runs it: real processes, files and pipes."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
import torch
from places import ROOT
from torchrun import Torchrun

SEMAMBA = [sys.executable, "-m", "speechbrain_semamba", "enhance"]
KILLS = Path(__file__).parent / "enhance_kills.py"
#: A name that a shell, a list or a format would trip over
ODD = "e {}$HOME '\n -ü.wav"


def semamba(*words, **kwargs):
    paths = [str(ROOT), str(ROOT / "tests" / "helpers")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    environment["OMP_NUM_THREADS"] = "1"
    return subprocess.run(
        list(map(str, words)), env=environment, capture_output=True, **kwargs
    )


def write_noise(path, seconds, rate=16000, **kind):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = 0.05 * torch.randn(round(seconds * rate))
    soundfile.write(str(path), noise.numpy(), rate, **kind)


def contents(folder):
    """Of each file of a folder, hidden ones among them."""
    files = (path for path in Path(folder).rglob("*") if path.is_file())
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    """A folder of files of many kinds, one of them broken."""
    torch.manual_seed(1)
    folder = tmp_path_factory.mktemp("noisy")
    write_noise(folder / "a.wav", 0.5)
    write_noise(folder / "x" / "b.FLAC", 0.5, 44100, format="FLAC")
    write_noise(folder / "x" / "y" / "-c.ogg", 0.5, 48000)
    opus = {"format": "OGG", "subtype": "OPUS"}
    write_noise(folder / "x" / "y" / "d.opus", 0.5, 48000, **opus)
    write_noise(folder / "x" / ODD, 0.3)
    (folder / "x" / "notes.txt").write_text("no audio, passed over")
    (folder / "x" / "._a.wav").write_text("hidden, passed over")
    (folder / "z.wav").write_text("no audio")
    return folder


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A folder of small files."""
    torch.manual_seed(2)
    folder = tmp_path_factory.mktemp("many")
    for number in range(24):
        write_noise(folder / f"{number % 3}" / f"{number}.wav", 0.4)
    return folder


@pytest.fixture(scope="module")
def undisturbed(many, model_folder, tmp_path_factory):
    """What becomes of these files in one run, each by itself."""
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    words = [many, "-o", out, "--model", model_folder, "--batch-seconds=0"]
    run = semamba(*SEMAMBA, *words)
    assert run.returncode == 0, run.stderr
    return contents(out)


def test_folder(noisy, model_folder, tmp_path):
    """Its tree is kept; what fails is named, and the rest is done."""
    out, report = tmp_path / "new" / "out", tmp_path / "report.json"
    words = [noisy, "-o", out, "--model", model_folder, "--report", report]
    run = semamba(*SEMAMBA, *words, text=True)
    assert run.returncode == 1
    lines = run.stderr.splitlines()
    errors = [line for line in lines if line.startswith("semamba: error: ")]
    assert len(errors) == 2 and f"{noisy}/z.wav is not" in errors[0]
    assert errors[1] == "semamba: error: 6 files: 5 written, 1 failed"
    names = {"a.wav", "x/b.FLAC", "x/y/-c.ogg", "x/y/d.opus", f"x/{ODD}"}
    assert set(contents(out)) == names
    assert run.stdout.count("\n") == 6  # ODD has one of its own
    for name in names:
        before = soundfile.info(str(noisy / name))
        after = soundfile.info(str(out / name))
        for kind in ("samplerate", "frames", "format", "subtype"):
            assert getattr(after, kind) == getattr(before, kind), (name, kind)
    told = json.loads(report.read_text())
    assert told["totals"]["written"] == 5 and told["totals"]["failed"] == 1
    assert told["totals"]["audio_seconds"] == pytest.approx(2.3, abs=0.01)
    states = {Path(file["input"]).name: file["state"] for file in told["files"]}
    assert states["z.wav"] == "failed" and states[ODD] == "written"
    assert told["settings"]["strength"] == 1


def test_pipes(noisy, model_folder, tmp_path):
    """What comes through a pipe becomes what the file becomes."""
    model = "--model", model_folder
    out, report = tmp_path / "a.wav", tmp_path / "report.json"
    assert semamba(*SEMAMBA, noisy / "a.wav", out, *model).returncode == 0
    sound = (noisy / "a.wav").read_bytes()
    words = "-", "-o", "-", "--report", report, *model
    piped = semamba(*SEMAMBA, *words, input=sound)
    assert (piped.returncode, piped.stderr) == (0, b"")
    assert piped.stdout == out.read_bytes()
    told = json.loads(report.read_text())["files"][0]
    assert (told["input"], told["output"]) == ("-", "-")
    os.mkfifo(tmp_path / "pipe")
    code = f"cat '{noisy}/a.wav' > '{tmp_path}/pipe'"
    with subprocess.Popen(["sh", "-c", code]):
        words = [tmp_path / "pipe", "-o", tmp_path / "out", *model]
        run = semamba(*SEMAMBA, *words, text=True)
    assert run.stdout == f"{tmp_path}/out/pipe.wav\n"
    assert (tmp_path / "out" / "pipe.wav").read_bytes() == out.read_bytes()


def without_reader(*words):
    """Exit status and stderr of a command whose stdout nobody reads."""
    run = subprocess.Popen(
        [*SEMAMBA, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    run.stdout.close()
    with run.stderr:
        return run.wait(), run.stderr.read()


def test_reader_that_leaves(noisy, model_folder, tmp_path):
    """Sound is lost, of which a line tells; names of files are not missed."""
    words = noisy / "a.wav", "--model", model_folder, "-o"
    error = "semamba: error: the reader of the output has gone\n"
    assert without_reader(*words, "-") == (1, error)
    assert without_reader(*words, tmp_path / "a.wav") == (0, "")
    assert soundfile.info(tmp_path / "a.wav").frames == 8000


#: Words, and what the line says; all of it without PyTorch
MISTAKES = [
    ("{a}", "INPUT... -o OUTPUT"),
    ("", "INPUT... -o OUTPUT"),
    ("{a} -o ''", "INPUT... -o OUTPUT"),
    ("{no} -o {out}", "there is no file"),
    ("{dangling} -o {out}", "it is a link to nowhere"),
    ("{noisy}/*.aiff -o {out}", "matches no audio file"),
    ("{empty} -o {out}", "there is no audio file in the folder"),
    ("{noisy} -o {noisy}", "is or lies in the input folder"),
    ("{noisy} -o {noisy}/x/new", "is or lies in the input folder"),
    ("{noisy} -o {inside}", "is or lies in the input folder"),
    ("{noisy}/**/*.wav -o {noisy}/new", "is or lies in the input folder"),
    ("{a} -o {a}", "is the noisy file itself"),
    ("{a} -o {noisy}", "is the noisy file itself"),
    ("{link} -o {a}", "is the noisy file itself"),
    ("{a} -o {link}", "is the noisy file itself"),
    ("{a} -o {hard}", "is the noisy file itself"),
    ("{a} {twin} -o {out}", "would both become"),
    ("{noisy} {twin} -o {out}", "would both become"),
    ("{a} {flac} -o {out} --format wav", "a.flac would both become"),
    ("{a} -o {there}", "there.wav exists already; --overwrite"),
    ("{a} -o {a}/out", "is no folder, and"),
    ("{a} {no}.xyz", "ends in '.xyz'"),
    ("{a} -o {no}/o.wav", "there is no folder"),
    ("{a} -o {out} --format m4a", "no format m4a; it knows aiff"),
    ("{a} -o - --format m4a", "no format m4a; it knows aiff"),
    ("{a} -o o.wav --format flac", "o.wav is not named as a file of format"),
    ("{a} -o o.flac --subtype FLOAT", "FLAC has no encoding FLOAT"),
    ("{a} -o o.wav --subtype PCM_17", "WAV has no encoding PCM_17"),
    ("{a} -o o.wav --report {a}", "is an input or output"),
    ("{a} -o o.wav --report {noisy}", "is a folder; name a file"),
    ("{a} -o o.wav --device abacus", "there is no such device"),
    ("{a} -o o.wav --strength 1.5", "strength must be 0 to 1, found 1.5"),
    ("{a} -o o.wav --strength nan", "strength must be 0 to 1, found nan"),
    ("{a} -o o.wav --attenuation-limit -3", "must be at least 0, found -3"),
    ("{a} -o o.wav --window-seconds 0", "must be 0.1 to 3600"),
    ("{a} -o o.wav --batch-seconds -1", "must be"),
    ("{a} -o o.wav --sample-rate 10", "must lie in 1,000 to 384,000 Hz"),
    ("{a} -o o.wav --threads 0", "must be a whole number from 1 on"),
    ("{a} -o o.wav --strength much", "invalid float value: 'much'"),
    ("{a} -o o.wav --overwrite --skip-existing", "not allowed with"),
    ("{a} -o o.wav --pcs --pcs-level", "not allowed with"),
    ("{a} -o o.wav --sample-rate 8000 --model-sample-rate", "not allowed"),
    ("{a} -o o.wav --strenght 1", "the nearest is --strength"),
    ("{a} -o o.wav --model {empty}", "lacks hyperparams.yaml and"),
    ("{noisy} -o -", "takes one file"),
]
WITHOUT_TORCH = """
import contextlib, io, json, sys
sys.modules["torch"] = None  # to import it is an error
from speechbrain_semamba.cli import main
results = []
for words in json.load(sys.stdin):
    error = io.StringIO()
    with contextlib.redirect_stderr(error):
        try:
            status = main(words)
        except SystemExit as end:
            status = end.code
    results.append((status, error.getvalue()))
print(json.dumps(results))
"""


@pytest.fixture(scope="module")
def mistakes(noisy, model_folder, tmp_path_factory):
    """What became of each of ``MISTAKES``, and the files before and after."""
    folder = tmp_path_factory.mktemp("mistakes")
    (folder / "empty").mkdir()
    write_noise(folder / "there.wav", 0.1)
    write_noise(folder / "twin" / "a.wav", 0.1)
    write_noise(folder / "a.flac", 0.1)
    (folder / "dangling.wav").symlink_to(folder / "nowhere")
    (folder / "link.wav").symlink_to(noisy / "a.wav")
    (folder / "inside").symlink_to(noisy / "x")
    os.link(noisy / "a.wav", folder / "hard.wav")
    places = {
        "noisy": noisy,
        "a": noisy / "a.wav",
        "no": folder / "no",
        "out": folder / "out",
        "empty": folder / "empty",
        "inside": folder / "inside",
        "twin": folder / "twin" / "a.wav",
        "flac": folder / "a.flac",
    }
    for name in ("dangling", "link", "hard", "there"):
        places[name] = folder / f"{name}.wav"
    lists = []
    for words, _ in MISTAKES:
        words = ["" if w == "''" else w.format(**places) for w in words.split()]
        model = [] if "--model" in words else ["--model", str(model_folder)]
        lists.append(["enhance", *words, *model])
    before = contents(folder), contents(noisy)
    run = semamba(
        *[sys.executable, "-c", WITHOUT_TORCH],
        input=json.dumps(lists),
        text=True,
        cwd=folder,
    )
    assert run.returncode == 0, run.stderr
    after = contents(folder), contents(noisy)
    return json.loads(run.stdout), before, after


@pytest.mark.parametrize("number", range(len(MISTAKES)))
def test_mistake_in_one_line_before_pytorch(number, mistakes):
    status, error = mistakes[0][number]
    assert status in (1, 2)
    assert error.startswith("semamba: error: ") and error.count("\n") == 1
    assert MISTAKES[number][1] in error


def test_mistakes_write_nothing(mistakes):
    assert mistakes[1] == mistakes[2]


def test_killed_at_random_moments(many, undisturbed, model_folder, tmp_path):
    """Ten times; then what is missing is done, and all is as if never."""
    out = tmp_path / "out"
    words = ["enhance", many, "--model", model_folder, "--batch-seconds=0"]
    run = semamba(sys.executable, KILLS, out, 10, *words, text=True)
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout.splitlines()[-1])
    assert told["ended"] == 0 and told["killed"] >= 5, run.stderr
    assert contents(out) == undisturbed


def test_rank_killed_under_torchrun(many, undisturbed, model_folder, tmp_path):
    """torchrun begins anew, and what was written is not done again."""
    out, report = tmp_path / "out", tmp_path / "report.json"
    words = ["--max-restarts=1", "-m", "speechbrain_semamba", "enhance", many]
    words += ["-o", out, "--model", model_folder, "--batch-seconds=0"]
    with Torchrun(tmp_path, *words, "--report", report) as run:
        run.wait_until(lambda: list(out.rglob("[!.]*.wav")))
        for pid in run.of_rank(1):
            os.kill(pid, signal.SIGKILL)
        assert run.finish() == 0, run.printed()[-3000:]
    assert contents(out) == undisturbed
    totals = json.loads(report.read_text())["totals"]
    assert totals["processes_done"] == 2 and totals["missing"] == 0
    assert totals["written"] + totals["skipped"] == 24 and totals["skipped"]


def test_rank_that_dies_loses_its_files_alone(
    many, undisturbed, model_folder, tmp_path
):
    """Without a launcher that ends the others; a second run completes it."""
    out, report = tmp_path / "out", tmp_path / "report.json"
    words = [*SEMAMBA, many, "-o", out, "--model", model_folder]
    words = [str(w) for w in [*words, "--batch-seconds=0", "--report", report]]
    environment = {**os.environ, "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    ranks = [
        subprocess.Popen(
            words,
            env={**environment, "RANK": str(rank)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    written = [ranks[1].stdout.readline()]
    ranks[1].kill()
    written += ranks[1].stdout.readlines()
    mine = ranks[0].communicate()[0].splitlines()
    assert [rank.wait() for rank in ranks] == [0, -signal.SIGKILL]
    totals = json.loads(report.read_text())["totals"]
    assert len(mine) == totals["written"] == totals["missing"] == 12
    assert totals["processes_done"] == 1
    assert 1 <= len(written) < 12
    run = semamba(*words, "--skip-existing", text=True)
    assert run.returncode == 0, run.stderr
    assert not set(run.stdout.splitlines()) & {*mine, *map(str.strip, written)}
    out_files = contents(out)
    assert {n: out_files[n] for n in undisturbed} == undisturbed
