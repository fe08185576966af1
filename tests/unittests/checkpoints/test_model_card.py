"""The card of a model folder, and what its author has written into it."""

import shutil

import pytest
import yaml

from speechbrain_semamba.checkpoints.model_card import BEGIN, END
from speechbrain_semamba.checkpoints.model_folder import (
    check_replaceable,
    write_model_folder,
)
from speechbrain_semamba.lobes.models.semamba import SEMamba

SIZES = {"channels": 8, "num_blocks": 1}


@pytest.fixture
def write(tmp_path):
    weights = SEMamba(**SIZES).state_dict()

    def write(**options):
        folder = tmp_path / "model"
        write_model_folder(folder, weights, SIZES, **options)
        return folder / "README.md"

    return write


def test_front_matter_and_facts(write):
    card = write(metrics=["pesq"], training="Of costs: $5.").read_text()
    _, head, text = card.split("---\n", 2)
    fields = yaml.safe_load(head)
    assert fields["library_name"] == "speechbrain"
    assert fields["pipeline_tag"] == "audio-to-audio"
    assert fields["metrics"] == ["pesq"]
    # what is not known says so
    assert (fields["license"], fields["language"]) == ("unknown", "und")
    count = sum(p.numel() for p in SEMamba(**SIZES).parameters())
    assert f"`SEMamba`, {count:,} parameters" in text
    assert "`channels: 8`, `num_blocks: 1`" in text
    assert "Of costs: $5." in text and "$p" not in text
    assert text.index(BEGIN) < text.index("Of costs") < text.index(END)


def test_weights_without_a_run(write):
    card = write().read_text()
    assert "metrics: []" in card and "without their training run" in card


def test_what_the_author_wrote_is_kept(write):
    path = write(origin="the first run")
    text = path.read_bytes().replace(b"\n", b"\r\n")
    text = text.replace(b"license: unknown", b"license: cc-by-4.0")
    text += b"my own $words {here}, and a byte of another encoding: \xe9\n"
    path.write_bytes(text)
    assert write(origin="the second run", overwrite=True) == path
    found = path.read_bytes()
    assert b"the second run" in found and b"the first run" not in found
    for part in (slice(0, 1), slice(2, None)):
        ours, theirs = (
            x.replace(END.encode(), BEGIN.encode()).split(BEGIN.encode())[part]
            for x in (found, text)
        )
        assert ours == theirs


@pytest.mark.parametrize("missing", [BEGIN, END, "all"])
def test_readme_that_has_no_place_for_facts(write, missing):
    path = write()
    text = path.read_text().replace(missing, "")
    path.write_text("years of work" if missing == "all" else text)
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match="README.md would be lost: it"):
        write(overwrite=True)
    with pytest.raises(FileExistsError, match="put them in, or move it away"):
        check_replaceable(path.parent, overwrite=True)
    assert path.read_bytes() == before


def test_folder_under_version_control_is_kept(write):
    """As one that was cloned from a hub: ``.git`` is not litter."""
    folder = write().parent
    (folder / ".git").mkdir()
    with pytest.raises(FileExistsError, match="is no model folder"):
        write(overwrite=True)
    shutil.rmtree(folder / ".git")
    write(overwrite=True)
