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
