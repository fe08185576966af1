"""The tree is the architecture: which room may import which."""

import ast
from pathlib import Path

import pytest
from places import ROOT

PACKAGE = "speechbrain_semamba"
#: What each room may import, beside itself
ALLOWED = {
    "utils": set(),
    "processing": {"utils"},
    "ops": {"utils", "processing"},
    "nnet": {"utils", "processing", "ops"},
    "lobes": {"utils", "processing", "ops", "nnet"},
    "dataio": {"utils", "processing"},
    "evaluation": {"utils", "processing", "dataio"},
    # a model card tells scores
    "checkpoints": {"utils", "processing", "ops", "nnet", "lobes"}
    | {"evaluation"},
}
ALLOWED["inference"] = set(ALLOWED) - {"evaluation"}
ALLOWED["training"] = set(ALLOWED) - {"inference"}
# it draws what it enhances
ALLOWED["demo"] = {"utils", "dataio", "evaluation", "inference"}
ALLOWED["cli"] = set(ALLOWED)


def imports_of(path):
    """Full names of what a file imports, at its top or inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{a.name}" for a in node.names)


@pytest.mark.parametrize("room", ALLOWED)
def test_imports_go_one_way(room):
    files = sorted(Path(ROOT, PACKAGE, room).rglob("*.py"))
    assert files
    for path in files:
        ours = (n for n in imports_of(path) if n.startswith(f"{PACKAGE}."))
        # speechbrain_semamba.__version__ is no room
        rooms = {name.split(".")[1] for name in ours} - {"__version__"}
        turned = rooms - ALLOWED[room] - {room}
        assert not turned, f"{path.relative_to(ROOT)} imports {turned}"


def test_every_room_says_what_may_enter_it():
    folders = {p.parent.name for p in Path(ROOT, PACKAGE).glob("*/__init__.py")}
    assert folders == set(ALLOWED)


def test_each_room_lists_its_files():
    """In ``__init__``, one line each; the package lists the rooms."""
    for init in Path(ROOT, PACKAGE).rglob("__init__.py"):
        text = ast.get_docstring(ast.parse(init.read_text(encoding="utf-8")))
        inside = [p for p in init.parent.iterdir() if p.name[0] not in "_."]
        for path in inside:
            if path.suffix == ".py" or path.is_dir():
                assert f"``{path.stem}" in text, f"{init}: {path.stem}"
