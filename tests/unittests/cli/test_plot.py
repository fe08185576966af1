"""``semamba plot``: pictures of files, and their titles."""

import pytest
import soundfile
import torch
from matplotlib.image import imread

from speechbrain_semamba.cli import main
from speechbrain_semamba.cli.plot import _titles
from speechbrain_semamba.evaluation import figures


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were written."""
    found = []
    write = figures.write_figure

    def keep(figure, path):
        found.append(figure)
        write(figure, path)

    monkeypatch.setattr(figures, "write_figure", keep)
    return found


def make_files(folder, *names, rate=16000, channels=1):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        wave = 0.1 * torch.randn(8000, channels).numpy()
        soundfile.write(path, wave, rate)
    return [str(folder / name) for name in names]


def test_plot(tmp_path, drawn, capsys):
    files = make_files(tmp_path, "noisy/a.wav", "out/a.flac", "clean/a.wav")
    out = tmp_path / "a.png"
    assert main(["plot", *files, "-o", str(out)]) == 0
    assert capsys.readouterr().out == f"{out}\n"
    titles = [panel.get_title() for panel in drawn[0].axes[:3]]
    assert titles == ["noisy", "out", "clean"]
    assert imread(out).shape[:2] == (468, 1008)


def test_other_formats_rates_and_channels(tmp_path, drawn):
    files = make_files(tmp_path, "a.wav", rate=8000)
    files += make_files(tmp_path, "b.wav", rate=48000, channels=2)
    out = tmp_path / "a.svg"
    words = ["plot", *files, "-o", str(out), "--titles", "one", "two"]
    assert main(words) == 0
    titles = [panel.get_title() for panel in drawn[0].axes[:2]]
    assert titles == ["one", "two (mean of 2 channels)"]
    assert "<svg" in out.read_text()


@pytest.mark.parametrize(
    "files, titles",
    [
        ("a/x.wav", "x"),
        ("a/x.wav a/y.wav", "x y"),
        ("a/x.wav b/x.wav", "a b"),
        ("d/a/x.wav d/b/x.flac", "a b"),
        ("a/p/x.wav b/p/x.wav", "a b"),
        ("a/p/x.wav b/q/x.wav", "p q"),
        ("noisy/x.wav x_out.wav clean/x.wav", "noisy/x x_out clean/x"),
        ("x.wav x.flac", "x x"),
    ],
)
def test_titles(files, titles):
    assert _titles(files.split()) == titles.split()


@pytest.fixture
def run_folder(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    lines = (f"epoch: {e} - train loss: {9 / e:.2f}\n" for e in (1, 2, 3))
    (folder / "train_log.txt").write_text("".join(lines))
    return folder


def test_learning_curves_of_a_run(run_folder, tmp_path, drawn, capsys):
    assert main(["plot", str(run_folder)]) == 0
    (panel,) = drawn[0].axes
    assert list(panel.get_lines()[0].get_ydata()) == [9.0, 4.5, 3.0]
    out = run_folder / "learning_curves.png"
    assert capsys.readouterr().out == f"{out}\n"
    assert imread(out).ndim == 3
    other = tmp_path / "a.svg"
    assert main(["plot", str(run_folder), "-o", str(other)]) == 0
    assert "<svg" in other.read_text()


@pytest.mark.parametrize(
    "words, status, message",
    [
        (["empty"], 1, "there is no empty/train_log.txt; give the"),
        (["short"], 1, "need a finished epoch, found none"),
        (["run", "-o", "a.txt"], 1, "such as .png"),
        (["run", "--titles", "a"], 2, "--titles are of files, not of a run"),
        (["a.wav"], 2, "name the file to write: -o PICTURE"),
        (["run", "a.wav", "-o", "a.png"], 2, "a run folder is given alone"),
    ],
)
def test_mistakes(run_folder, monkeypatch, capsys, words, status, message):
    monkeypatch.chdir(run_folder.parent)
    for name, text in (("empty", None), ("short", "epoch: 1, lr: 0.")):
        (run_folder.parent / name).mkdir()
        if text:
            (run_folder.parent / name / "train_log.txt").write_text(text)
    make_files(run_folder.parent, "a.wav")
    try:
        found = main(["plot", *words])
    except SystemExit as end:  # a mistyped command line
        found = end.code
    error = capsys.readouterr().err
    assert found == status
    assert message in error and error.count("\n") == 1
    assert not list(run_folder.parent.rglob("*.png"))
