"""Which model a word stands for."""

import shutil

import pytest

from speechbrain_semamba.inference import models
from speechbrain_semamba.inference.enhancement import SEMambaEnhancement
from speechbrain_semamba.inference.models import find_model, load_model


@pytest.fixture
def pretrained(model_folder, tmp_path, monkeypatch):
    """The model "small" ships with the package."""
    shutil.copytree(model_folder, tmp_path / "pretrained" / "small")
    (tmp_path / "pretrained" / "notes").mkdir()
    monkeypatch.setattr(models, "PRETRAINED", str(tmp_path / "pretrained"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_name_that_ships(pretrained, model_folder):
    assert find_model("small") == str(pretrained / "pretrained" / "small")
    # a folder that is here comes first
    shutil.copytree(model_folder, "small")
    assert find_model("small") == "small"


@pytest.mark.parametrize("word", ["smal", "/no/model", "a/b/c", "./a/b", ""])
def test_an_unknown_name_is_told_what_there_is(word, pretrained):
    with pytest.raises(FileNotFoundError, match="models that ship: small$"):
        find_model(word)


def test_a_name_of_the_hub_is_handed_on(pretrained, monkeypatch, caplog):
    assert find_model("someone/a.model-2") == "someone/a.model-2"

    def fail(source, run_opts):
        raise ConnectionError(f"no way to\n{source}")

    monkeypatch.setattr(SEMambaEnhancement, "from_hparams", fail)
    with pytest.raises(ValueError, match="hub gave no such model: ") as error:
        load_model("someone/a.model-2", "cpu", "fp32")
    assert str(error.value).endswith(
        "ConnectionError no way to someone/a.model-2"
    )
    assert "asking the hub" in caplog.text


def test_a_folder_that_is_here_is_no_name_of_the_hub(pretrained):
    (pretrained / "results" / "model").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match="lacks hyperparams.yaml and"):
        find_model("results/model")
