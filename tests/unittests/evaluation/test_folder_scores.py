"""Folders scored: what is cut, missing, broken, of another rate."""

import logging
import math
import shutil

import pytest
import soundfile
from small_corpus import NAMES, make_corpus, make_waves, write_waves

from speechbrain_semamba.evaluation.folder_report import (
    summarize_folders,
    text_of,
)
from speechbrain_semamba.evaluation.folder_scores import score_folders
from speechbrain_semamba.evaluation.metrics import NO_REFERENCE, Metric, score
from speechbrain_semamba.evaluation.word_errors import WordErrorRates

METRICS = ["si_sdr", "ssnr"]


@pytest.fixture
def folders(tmp_path):
    return make_corpus(tmp_path)


def test_scores_are_those_of_the_metrics(folders):
    result, waves = score_folders(folders, METRICS, 0), make_waves()
    assert list(result.scores) == list(NAMES)
    for name, file in result.scores.items():
        clean = waves["clean"][name]
        assert file["enhanced"] == score(
            clean, waves["enhanced"][name], metrics=METRICS
        )
        snr = file["noisy"].pop("snr")
        noisy = score(clean, waves["noisy"][name], metrics=METRICS)
        assert file["noisy"] == noisy
        # but for the little that the noise has of the speech
        assert snr == pytest.approx(noisy["si_sdr"], abs=0.5)
    assert not result.broken and not result.cut and result.rate == 16000


def test_pairs_are_cut_to_the_shorter(folders, caplog):
    waves = make_waves()
    long, short = waves["enhanced"]["p1/a"], waves["noisy"]["p1/a"]
    write_waves(folders["enhanced"], {"p1/a": [*long, *long[:300]]})
    write_waves(folders["clean"], {"p1/b": waves["clean"]["p1/b"][:-40]})
    write_waves(folders["noisy"], {"p1/a": short[:-20]})
    with caplog.at_level(logging.WARNING):
        result = score_folders(folders, METRICS, 0)
    assert result.cut == {"p1/a": 320, "p1/b": 40}
    expected = score(waves["clean"]["p1/a"][:-20], long[:-20], metrics=METRICS)
    assert result.scores["p1/a"]["enhanced"] == expected
    (told,) = caplog.messages
    assert told.startswith("2 files were cut")
    assert "at most 320 samples (20.0 ms, p1/a)" in told


def test_missing_files_are_named_and_the_others_scored(folders, caplog):
    (folders["enhanced"] / "p1/a.wav").unlink()
    (folders["clean"] / "p2/c.wav").unlink()
    with caplog.at_level(logging.WARNING):
        result = score_folders(folders, METRICS, 0)
    assert list(result.scores) == ["p1/b"]
    assert result.missing["enhanced"] == ["p1/a"]
    assert result.missing["clean"] == ["p2/c"]
    assert len(caplog.messages) == 2
    assert caplog.messages[1].endswith("are 1 files:\np1/a")


def test_many_missing_files_are_counted(folders, caplog):
    for index in range(25):
        path = folders["clean"] / f"more/{index:02}.wav"
        path.parent.mkdir(exist_ok=True)
        path.touch()
    score_folders(folders, METRICS, 0)
    lines = caplog.messages[0].splitlines()
    assert lines[0].startswith("missing in ")
    assert lines[0].endswith(", so not scored, are 25 files:")
    assert lines[1:3] == ["more/00", "more/01"] and len(lines) == 22
    assert lines[-1] == "... and 5 more"


@pytest.mark.parametrize("damage", ["text", "short", "stereo", "gone_flac"])
def test_a_broken_file_has_no_scores_and_spoils_no_other(damage, folders):
    path = folders["enhanced"] / "p1/b.wav"
    if damage == "text":
        path.write_text("no audio")
    elif damage == "short":
        path.write_bytes(path.read_bytes()[:-1000])
    elif damage == "stereo":
        soundfile.write(path, [[0.1, 0.2]] * 16000, 16000)
    else:
        path.unlink()
        path = path.with_suffix(".flac")
        soundfile.write(path, make_waves()["enhanced"]["p1/b"], 16000)
        path.write_bytes(path.read_bytes()[:-5000])
    result = score_folders(folders, METRICS, 0)
    assert list(result.broken) == [path]
    assert list(result.scores) == list(NAMES)
    spoilt = result.scores["p1/b"]["enhanced"]
    assert [value.reason for value in spoilt.values()] == ["broken file"] * 2
    assert math.isfinite(result.scores["p1/b"]["noisy"]["si_sdr"])
    assert math.isfinite(result.scores["p1/a"]["enhanced"]["si_sdr"])


def test_without_its_clean_file_nothing_has_a_score(folders):
    (folders["clean"] / "p1/a.wav").write_text("no audio")
    result = score_folders(folders, METRICS, 0)
    for kind in ("noisy", "enhanced"):
        assert result.scores["p1/a"][kind]["ssnr"].reason == "broken file"
        assert math.isfinite(result.scores["p1/b"][kind]["ssnr"])


def test_a_file_that_breaks_off_within(folders, monkeypatch):
    """Its header may be whole."""
    from speechbrain_semamba.evaluation import aligned_files

    read = aligned_files.read_audio_file

    def fail_once(path):
        if path == folders["noisy"] / "p2/c.wav":
            raise ValueError("c.wav is not readable as audio: flac decoder")
        return read(path)

    monkeypatch.setattr(aligned_files, "read_audio_file", fail_once)
    result = score_folders(folders, METRICS, 0)
    assert list(result.broken) == [folders["noisy"] / "p2/c.wav"]
    assert result.scores["p2/c"]["noisy"]["ssnr"].reason == "broken file"


def test_one_rate(folders):
    waves = make_waves()
    write_waves(folders["enhanced"], waves["enhanced"], rate=8000)
    with pytest.raises(ValueError, match="one sampling rate, found .* 8,000"):
        score_folders(folders, METRICS, 0)
    for kind in ("clean", "noisy"):
        write_waves(folders[kind], waves[kind], rate=8000)
    assert score_folders(folders, METRICS, 0).rate == 8000
    for kind, folder in folders.items():
        write_waves(folder, waves[kind], rate=48000)
    with pytest.raises(ValueError, match="found 48,000; resample"):
        score_folders(folders, METRICS, 0)


def test_nothing_that_can_be_read(folders):
    for folder in folders.values():
        shutil.rmtree(folder)
        folder.mkdir()
        (folder / "a.wav").write_text("no audio")
    with pytest.raises(ValueError, match="none of the 3 files can be scored"):
        score_folders(folders, METRICS, 0)


@pytest.fixture
def level_alone(monkeypatch):
    """In place of a network: a score that depends on the wave alone."""

    def level(wave, sample_rate):
        return {"sig": float(abs(wave).mean())}

    monkeypatch.setitem(NO_REFERENCE, "sig", Metric(level))


def test_without_clean_files(folders, level_alone):
    waves = make_waves()
    del folders["clean"]
    result = score_folders(folders, ["sig"], 0)
    assert list(result.scores) == list(NAMES)
    for name, file in result.scores.items():
        for kind in ("enhanced", "noisy"):
            expected = abs(waves[kind][name]).mean()
            assert file[kind] == {"sig": pytest.approx(expected, rel=1e-5)}
    summary = summarize_folders(result)
    assert summary["metrics"] == ["sig"] and "by_snr" not in summary
    assert "sig" in text_of(summary)


def test_words_are_counted_in_all_kinds(folders):
    heard = {}

    def listen(names, kinds):
        assert names == list(NAMES) and kinds == ["clean", "enhanced", "noisy"]
        texts = dict.fromkeys(names, "One two three four.")
        # one word less in each wave that it hears
        return WordErrorRates(recognise, texts, kinds)

    def recognise(wav):
        heard[len(heard)] = wav
        return ["ONE", "TWO", "THREE", "FOUR"][: 4 - (len(heard) - 1) % 3]

    (folders["enhanced"] / "p1/b.wav").write_text("no audio")
    result = score_folders(folders, ["si_sdr"], 0, listen)
    first = result.scores["p1/a"]
    assert first["enhanced"]["wer"] == 25 and first["noisy"]["wer"] == 50
    assert result.words["clean"].rates["p1/a"] == 0
    broken = result.scores["p1/b"]["enhanced"]["wer"]
    assert math.isnan(broken) and broken.reason == "broken file"
    summary = summarize_folders(result)
    assert summary["metrics"] == ["si_sdr", "wer"]
    assert summary["words"]["clean"]["words"] == 12
    shown = text_of(summary)
    assert "wer (%) ↓" in shown and "word error rate of clean files" in shown


@pytest.mark.parametrize("listen", [None, lambda *_: None])
def test_rate_of_what_needs_no_clean_file(tmp_path, listen, level_alone):
    waves = make_waves()["noisy"]
    write_waves(tmp_path / "noisy", waves, rate=8000)
    metrics = [] if listen else ["sig"]
    with pytest.raises(ValueError, match="defined at 16,000 Hz, found 8,000"):
        score_folders({"noisy": tmp_path / "noisy"}, metrics, 0, listen)
