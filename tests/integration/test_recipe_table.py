"""The table of recipes in SpeechBrain's form: true, whole, and each row runs."""

import csv
import operator
import re
import shlex
import sys

import pytest
import torch
from places import RECIPE, ROOT

from speechbrain_semamba.checkpoints.model_folder import write_model_folder
from speechbrain_semamba.evaluation.train_log import read_train_log
from speechbrain_semamba.lobes.models.metric_discriminator import (
    MetricDiscriminator,
)
from speechbrain_semamba.lobes.models.semamba import SEMamba

TABLE = ROOT / "tests" / "recipes" / "VoicebankDEMAND.csv"
COLUMNS = [
    "Task",
    "Dataset",
    "Script_file",
    "Hparam_file",
    "Data_prep_file",
    "Readme_file",
    "Result_url",
    "HF_repo",
    "test_debug_flags",
    "test_debug_checks",
]
SIZES = {"channels": 8, "num_blocks": 1, "d_state": 4, "expand": 2}
COMPARISONS = {"<": operator.lt, ">": operator.gt, "=": operator.eq}


def read_table():
    with open(TABLE, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_columns_are_speechbrains_and_filled():
    with open(TABLE, newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    assert header == COLUMNS
    for row in rows:
        assert len(row) == len(COLUMNS)
        empty = {name for name, cell in zip(COLUMNS, row) if not cell.strip()}
        assert empty <= {"Result_url", "HF_repo"}


def test_every_recipe_has_its_row():
    """And no row names a file that is not there."""
    rows = read_table()
    yamls = {p.relative_to(ROOT).as_posix() for p in RECIPE.rglob("*.yaml")}
    named = [row["Hparam_file"] for row in rows]
    assert sorted(named) == sorted(yamls)
    for row in rows:
        for column in COLUMNS[2:6]:
            assert (ROOT / row[column]).is_file(), row[column]
        text = (ROOT / row["Hparam_file"]).read_text()
        prepare = (ROOT / row["Data_prep_file"]).stem
        assert f"!name:{prepare}." in text


def test_readme_names_each_recipe_and_its_results():
    for row in read_table():
        text = (ROOT / row["Readme_file"]).read_text()
        assert f"`{row['Hparam_file'].split('/')[-1]}`" in text
        for column in ("Result_url", "HF_repo"):
            assert row[column] in text
    results = text.split("\n## Results\n")[1]
    assert re.search(r"^\|.*PESQ.*\|$", results, re.M)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A repository in which the tests may write, and what recipes start from."""
    folder = tmp_path_factory.mktemp("root")
    for name in ("recipes", "samples"):
        (folder / name).symlink_to(ROOT / name)
    made = folder / "tests" / "tmp"
    for half in ("clean", "noisy"):
        (made / "pairs").mkdir(parents=True, exist_ok=True)
        source = ROOT / "samples/voicebank_mini" / f"{half}_trainset_28spk_wav"
        (made / "pairs" / half).symlink_to(source)
    torch.manual_seed(0)
    write_model_folder(
        made / "model",
        SEMamba(**SIZES).state_dict(),
        SIZES,
        discriminator=MetricDiscriminator().state_dict(),
    )
    return folder


@pytest.mark.parametrize(
    "row", read_table(), ids=lambda row: row["Hparam_file"].split("/")[-1]
)
def test_recipe_runs_with_its_debug_flags(
    row, root, train, tmp_path, monkeypatch
):
    out = tmp_path / "out"
    words = [row["Script_file"], row["Hparam_file"], f"--output_folder={out}"]
    words += ["--device=cpu", *shlex.split(row["test_debug_flags"])]
    before = sorted(root.rglob("*"))
    monkeypatch.chdir(root)
    monkeypatch.setattr(sys, "argv", words)
    train.main()
    assert sorted(root.rglob("*")) == before

    checks = row["test_debug_checks"]
    (files,) = re.findall(r"file_exists=\[(.*?)\]", checks)
    for name in files.split(","):
        assert (out / name.strip()).is_file(), name
    (check,) = re.findall(r"performance_check=\[(.*?)\]", checks)
    name, number, bound, epoch = (part.strip() for part in check.split(","))
    epochs = read_train_log(out / name).epochs
    value = epochs[int(epoch.split(":")[1])][number]
    assert COMPARISONS[bound[0]](value, float(bound[1:]))
    assert list(epochs) == [int(epoch.split(":")[1])]
