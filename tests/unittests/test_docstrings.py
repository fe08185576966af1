"""Every public class and function tells its arguments and has an example."""

import ast
import re
from fnmatch import fnmatchcase

from places import ROOT

PACKAGE = ROOT / "speechbrain_semamba"
#: Why something has no example, by patterns of its file and name
NO_EXAMPLE = {
    "the commands of the README, which test_readme.py and test_cli.py run": [
        "cli/*.py:add_arguments",
        "cli/*.py:run",
    ],
    "the inside of ops: rows of a table, compared with the equation by "
    "tests/unittests/ops": [
        "ops/arguments.py:*",
        "ops/kernels.py:*",
        "ops/registration.py:*",
        "ops/scan/*.py:*",
        "ops/triton/*.py:*",
        "ops/causal_conv.py:run_triton*",
        "ops/conv3x3.py:conv3x3_*",
        "ops/mamba_mixer.py:mamba_pair",
    ],
    "needs gradio or ends the process; test_demo.py visits the page": [
        "demo/page.py:make_page",
        "demo/server.py:serving",
        "demo/server.py:wait_for_the_end",
        "demo/server.py:end_at_sigterm",
    ],
    "works on a whole training run, which test_recipe.py makes": [
        "checkpoints/export.py:export_run",
        "training/command_line.py:*",
        "training/resumable.py:ResumableBrain",
        "training/run_folder.py:*",
        "training/tensorboard.py:EnhancementBoard",
        "training/window.py:Window",
        "training/enhanced_batch.py:EnhancedBatch",
        "dataio/pair_reader.py:make_datasets",
        "dataio/manifests.py:write_pairs",
    ],
    "needs weights or a configuration of the official code, which "
    "test_official_models.py and test_official_config.py make": [
        "checkpoints/official_*.py:*",
    ],
    "makes a model folder, or a program of one, in seconds; the fixture "
    "model_folder and test_onnx_file.py do": [
        "checkpoints/model_folder.py:write_model_folder",
        "checkpoints/onnx_file.py:write_onnx",
    ],
    "a step of a command over folders; its arguments are made by the others": [
        "evaluation/folder_report.py:*",
        "evaluation/folder_scores.py:score_folders",
        "evaluation/html_report.py:write_page",
        "evaluation/reports.py:publish",
        "inference/files.py:*",
        "inference/folders/*.py:*",
        "inference/pipeline.py:*",
    ],
    "what others hand out, to be read": [
        "evaluation/score_pool.py:PendingScores",
        "inference/jobs.py:Job",
    ],
    "what it does is not to be seen from inside a process": [
        "checkpoints/sums.py:sync",
        "utils/progress.py:library_bars",
        "utils/workers.py:heed_parent_alone",
    ],
}
#: Whose arguments are those of another function, or a command's options
NO_ARGUMENTS = [
    "cli/*.py:*",
    "inference/enhancement.py:SEMambaEnhancement",  # SpeechBrain's
    "ops/arguments.py:*",
    "ops/scan/*.py:*",  # of selective_scan
    "ops/triton/*.py:*",  # of the compiled kernels
    "ops/causal_conv.py:run_triton*",
    "ops/conv3x3.py:conv3x3_weight",
]


def public(kinds=(ast.FunctionDef, ast.ClassDef)):
    """Each by its file and name."""
    return {
        f"{path.relative_to(PACKAGE).as_posix()}:{node.name}": node
        for path in sorted(PACKAGE.rglob("*.py"))
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, kinds) and node.name[0] != "_"
    }


def matches(name, patterns):
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def is_record_or_error(node):
    """A class without a method of its own: fields, or a mistake's name."""
    is_method = (isinstance(x, ast.FunctionDef) for x in node.body)
    return isinstance(node, ast.ClassDef) and not any(is_method)


def has_example(node):
    return "\nExample\n-------\n>>> " in (ast.get_docstring(node) or "")


def test_public_things_have_docstrings():
    found = public()
    assert len(found) > 300
    methods = {
        f"{name}.{method.name}": method
        for name, node in public(ast.ClassDef).items()
        for method in node.body
        if isinstance(method, ast.FunctionDef) and method.name[0] != "_"
    }
    bare = [
        name
        for name, node in {**found, **methods}.items()
        if not ast.get_docstring(node)
    ]
    assert not bare


def test_public_things_have_examples():
    excused = sum(NO_EXAMPLE.values(), [])
    without = [
        name
        for name, node in public().items()
        if not has_example(node) and not is_record_or_error(node)
    ]
    assert not [name for name in without if not matches(name, excused)]
    # none is excused that is not there any more
    idle = [p for p in excused if not any(fnmatchcase(n, p) for n in without)]
    assert not idle


def arguments_of(node):
    """Names of what a caller gives."""
    if isinstance(node, ast.ClassDef):
        inits = (x for x in node.body if getattr(x, "name", "") == "__init__")
        node = next(inits, None)
        if node is None:
            return []
    args = node.args
    names = [*args.posonlyargs, *args.args, *args.kwonlyargs]
    names += filter(None, (args.vararg, args.kwarg))
    return [arg.arg for arg in names if arg.arg != "self"]


def test_arguments_are_told():
    untold = {}
    for name, node in public().items():
        text = ast.get_docstring(node) or ""
        _, _, told = text.partition("Arguments\n---------\n")
        told, _, _ = told.partition("\n\n")
        for argument in arguments_of(node):
            line = rf"^(?:[\w*, ]+, )?\*{{0,2}}{argument}(?:, .*| : .*|$)"
            if not re.search(line, told, re.M):
                untold.setdefault(name, []).append(argument)
    assert not {n: a for n, a in untold.items() if not matches(n, NO_ARGUMENTS)}
