"""The API reference is made without a warning, and links lead somewhere."""

import importlib.util
import json
import re

import pytest
from places import ROOT

PACKAGE = ROOT / "speechbrain_semamba"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
PAGES += [
    path
    for folder in ("docs", "benchmarks", "recipes", "tests", "samples")
    for path in sorted((ROOT / folder).rglob("*.md"))
]


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    """The folder that ``make docs`` makes."""
    path = ROOT / "docs" / "make.py"
    spec = importlib.util.spec_from_file_location("docs_make", path)
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    folder = tmp_path_factory.mktemp("docs")
    make.main(["--out", str(folder)])  # raises where pdoc warns
    return folder


def test_every_file_has_a_page_and_the_first_names_every_room(html):
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        if parts[-1] != "__main__":
            page = html.joinpath(*parts[:-1], f"{parts[-1]}.html")
            assert page.is_file(), page
    first = (html / "speechbrain_semamba.html").read_text()
    for room in PACKAGE.glob("*/__init__.py"):
        name = room.parent.name
        assert f'href="speechbrain_semamba/{name}.html"' in first
        assert re.search(rf"<code>{name}(\.models)?</code>", first)


def test_docstrings_are_read_as_numpys(html):
    """Arguments as a list, examples as code."""
    page = html / "speechbrain_semamba" / "processing" / "pcs.html"
    text = page.read_text()
    assert "<strong>scale</strong> (str):" in text
    assert "<strong>wav</strong> (torch.Tensor):" in text
    assert "---------" not in text
    (example, *_) = text.split('id="example">')[1].split("</div>")
    assert "PerceptualContrastStretching" in example and "<pre>" in example


def test_tutorials_are_small_listed_and_without_outputs():
    tutorials = sorted((ROOT / "docs" / "tutorials").iterdir())
    index = (ROOT / "docs" / "README.md").read_text()
    assert tutorials
    for path in tutorials:
        assert f"(tutorials/{path.name})" in index
        assert path.stat().st_size < 20_000
        for cell in json.loads(path.read_text())["cells"]:
            assert not cell.get("outputs") and not cell.get("execution_count")


def anchors_of(page):
    """What headings can be linked to, as GitHub names them."""
    heads = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    words = (re.sub(r"[^\w\- ]", "", head.lower()) for head in heads)
    return {word.replace(" ", "-") for word in words}


@pytest.mark.parametrize(
    "page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix()
)
def test_links_between_pages_lead_somewhere(page):
    links = re.findall(r"\]\(([^)\s:]+)\)", page.read_text())
    for link in links:
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors_of(target), link
