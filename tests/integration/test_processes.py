"""Training in two processes: real ones, started by torchrun."""

import csv
import json
import math
import re
import shutil
import signal

import processes_worker as worker
import pytest
import torch
from places import RECIPE, ROOT
from small_brain import largest_difference
from torchrun import Torchrun

from speechbrain_semamba.checkpoints.sums import find_damage

CORPUS = ROOT / "samples" / "voicebank_mini"


@pytest.fixture(scope="module")
def trials(tmp_path_factory):
    """Findings of the first and the second process, and of one alone."""
    folder = tmp_path_factory.mktemp("trials")
    with Torchrun(folder, worker.__file__, folder) as run:
        alone = worker.find_alike(tmp_path_factory.mktemp("alone"))
        assert run.finish() == 0, run.printed()[-3000:]
    both = [
        torch.load(folder / f"{rank}.pt", weights_only=False) for rank in (0, 1)
    ]
    return *both, alone


def changes(before, after):
    """How far each network's weights have moved, its buffers left out."""
    return {
        name: max(
            (after[key] - before[key]).abs().max().item()
            for key in before
            if key.startswith(name) and not key.endswith(("_u", "_v"))
        )
        for name in ("generator", "discriminator")
    }


def assert_same_numbers(ours, expected, rel=1e-4):
    """Two dicts of numbers, NaN among them."""
    assert ours.keys() == expected.keys()
    for key, value in expected.items():
        same = pytest.approx(value, rel=rel, abs=1e-6, nan_ok=True)
        assert ours[key] == same, key


@pytest.mark.parametrize("case", worker.UPDATES, ids=str)
def test_two_processes_equal_one_with_larger_batches(trials, case):
    """Weights, and the buffers of the spectral norm."""
    first, second, alone = (found[case] for found in trials)
    # in another order, float32 rounds differently
    most = 1e-9 if case[0] == torch.float64 else 1e-5
    for found in (first, second):
        assert found["count"] == alone["count"] == worker.NUM_UPDATES
        assert largest_difference(found["after"], alone["after"]) < most
    assert largest_difference(first["after"], second["after"]) == 0
    # both networks have learnt more than they may differ
    moved = changes(alone["before"], alone["after"])
    assert min(moved.values()) > 1e-4


@pytest.mark.parametrize("case", worker.UPDATES, ids=str)
def test_two_processes_report_what_one_reports(trials, case):
    first, second, alone = (found[case]["stats"] for found in trials)
    assert first == second
    # a norm of float32 gradients sums up what each weight's rounding was
    exact = case[0] == torch.float64
    assert_same_numbers(first, alone, rel=1e-9 if exact else 1e-2)
    labels = worker.LABELS * case[-1]
    known = [1 + 3.5 * label for label in labels if not math.isnan(label)]
    assert first["pesq"] == pytest.approx(sum(known) / len(known))
    assert first["pesq_failed"] == len(labels) - len(known) > 0


def test_order_follows_seed_and_epoch_alone(trials):
    first, second, alone = (found["orders"] for found in trials)
    for place, batches in alone.items():
        pairs = list(zip(first[place], second[place]))
        assert len(pairs) == len(batches) == 2
        for (ours, theirs), whole in zip(pairs, batches):
            assert [x for pair in zip(ours, theirs) for x in pair] == whole
        flat = sum(batches, [])
        assert len(set(flat)) == len(flat) == 8
    orders = [str(batches) for batches in alone.values()]
    assert len(set(orders)) == len(orders) == 4


def test_dropout_differs_by_process_and_step(trials):
    (three, again, four), (other, *_) = (x["dropout"] for x in trials[:2])
    assert 0.3 < three.float().mean() < 0.7
    assert torch.equal(three, again)
    assert not torch.equal(three, four)
    assert not torch.equal(three, other)


@pytest.mark.parametrize("stage", ["VALID", "TEST"])
@pytest.mark.parametrize("count", [5, 1])
def test_files_are_dealt_out_and_their_scores_gathered(trials, stage, count):
    first, second, alone = (x["evaluations"][stage, count] for x in trials)
    files = [f"file {number}" for number in range(count)]
    assert alone["ids"] == files
    assert sorted(first["ids"] + second["ids"]) == files
    assert len(second["ids"]) == count // 2
    for found in (first, second):
        assert list(found["scores"]) == files
        for file, kinds in alone["scores"].items():
            assert found["scores"][file].keys() == kinds.keys()
            for kind, scores in kinds.items():
                assert_same_numbers(found["scores"][file][kind], scores)
        assert found["means"].keys() == alone["means"].keys()
        for kind, means in alone["means"].items():
            assert_same_numbers(found["means"][kind], means)


def test_one_process_with_a_loss_not_finite_skips_the_step_of_both(trials):
    first, second = (found["spoilt"] for found in trials[:2])
    for found in (first, second):
        start, spoilt, good = found["states"]
        assert set(changes(start, spoilt).values()) == {0}
        assert largest_difference(spoilt, good) > 1e-4
        assert all(x.isfinite().all() for x in good.values())
        assert found["count"] == 1
        assert found["stats"]["skipped"] == 2
        assert math.isfinite(found["stats"]["loss"])
    for ours, theirs in zip(first["states"], second["states"]):
        assert largest_difference(ours, theirs) == 0


def test_processes_decide_together_on_a_loss_with_a_good_gradient(trials):
    first, second = (found["spoilt loss"] for found in trials[:2])
    assert largest_difference(first["after"], second["after"]) == 0
    for found in (first, second):
        assert found["skipped"] == ["generator"]
        moved = changes(found["before"], found["after"])
        assert moved["generator"] == 0 < moved["discriminator"]


def test_warning_names_the_utterance_that_is_to_blame(trials):
    """It is said once, and the other process's are not suspected."""
    first, second = (found["spoilt"]["warnings"] for found in trials[:2])
    assert second == []
    assert len(first) == 2
    for warning, start, number in zip(first, (1, 3), (3, 11)):
        assert warning.startswith(f"step {start}: no update of the ")
        assert warning.endswith(f"; utterances utterance {number}")


def test_both_processes_end_when_patience_does(trials):
    first, second = (found["spoilt"]["stopped"] for found in trials[:2])
    assert first == second
    assert "stopped after 2 such steps" in first
    assert "utterance 11;" in first


@pytest.mark.parametrize("tell", ["one_is_told", "both_are_told_twice"])
def test_both_processes_save_and_stop(trials, tell):
    first, second = (found[tell] for found in trials[:2])
    assert first == second
    assert first["status"] == 128 + signal.SIGTERM
    assert first["updates"] == 1
    (files,) = first["saved"]
    assert {"brain", "stats", "opt_generator"} <= set(files)


@pytest.fixture(scope="module")
def odd_corpus(tmp_path_factory):
    """Eighteen files to train on; three to validate with, three to test."""
    folder = tmp_path_factory.mktemp("corpus") / "corpus"
    shutil.copytree(CORPUS, folder)
    unused = {"train": "p226_00[23] p287_003", "test": "p2*_00[34] p257_002"}
    sets = {"train": "trainset_28spk", "test": "testset"}
    for name, patterns in unused.items():
        for pattern in patterns.split():
            for path in folder.glob(f"*_{sets[name]}_wav/{pattern}.wav"):
                path.unlink()
    return folder


@pytest.fixture(scope="module")
def recipe_runs(odd_corpus, tmp_path_factory):
    """One epoch of two processes, stopped by SIGTERM and continued."""
    folder = tmp_path_factory.mktemp("recipe")
    out = folder / "out"
    words = ["train.py", "hparams/semamba_mini.yaml", "--device=cpu"]
    words += ["--distributed_backend=gloo", "--number_of_epochs=1"]
    words += [f"--data_folder={odd_corpus}", f"--output_folder={out}"]
    words += ["--segment_seconds=0.5", "--pesq_workers=1"]
    with Torchrun(folder, *words, cwd=RECIPE) as run:
        run.wait_until(lambda: "Going into epoch 1" in run.printed())
        run.process.send_signal(signal.SIGTERM)
        stopped = {"status": run.finish(), "printed": run.printed()}
    saved = [(p, find_damage(p)) for p in (out / "save").glob("CKPT*")]
    stopped["saved"] = [
        ((path / "brain.ckpt").read_text(), damage) for path, damage in saved
    ]
    with Torchrun(folder, *words, cwd=RECIPE) as run:
        ended = {"status": run.finish(), "printed": run.printed()}
    return stopped, ended, out


def test_sigterm_leaves_a_whole_checkpoint(recipe_runs):
    stopped, _, _ = recipe_runs
    assert stopped["status"] != 0
    assert stopped["printed"].count("stopped by SIGTERM; the same") == 2
    ((brain, damage),) = stopped["saved"]
    assert damage is None
    step = int(re.search(r"^step: (\d+)", brain, re.M)[1])
    assert 0 < step < 9


def test_the_same_command_goes_on_to_the_end(recipe_runs):
    _, ended, out = recipe_runs
    assert ended["status"] == 0, ended["printed"][-3000:]
    log = (out / "train_log.txt").read_text()
    assert re.findall(r"^epoch: (\d+)", log, re.M) == ["1"]
    assert log.count("test pesq: ") == 1
    assert (out / "model" / "generator.ckpt").exists()


def test_test_has_each_file_once(recipe_runs):
    *_, out = recipe_runs
    with open(out / "test_scores.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    manifest = json.loads((out / "test.json").read_text())
    assert len(manifest) == 3
    assert sorted(row["file"] for row in rows) == sorted(manifest)
    for row in rows:
        assert 1 < float(row["pesq"]) < 4.7
