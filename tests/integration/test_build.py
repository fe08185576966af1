"""Building the kernels: without a compiler, with a broken one, with one."""

import importlib.util
import os
import shutil
import subprocess
import sys

import pytest

ENHANCE = """
import torch
from speechbrain_semamba.lobes.models.semamba import SEMamba, SEMambaEnhancer
enhance = SEMambaEnhancer(SEMamba(channels=8, num_blocks=1))
print("enhanced", *enhance(torch.ones(1, 800))[0].shape)
"""


def run(checkout, *words, **environment):
    """A Python command; what is None is taken out of the environment."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), **environment}
    environment = {k: v for k, v in environment.items() if v is not None}
    return subprocess.run(
        [sys.executable, *words],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
    )


def build(checkout, **environment):
    words = ("setup.py", "-q", "build_ext", "--inplace")
    return run(checkout, *words, **environment)


def test_without_a_compiler_it_installs_runs_and_says_why(checkout, tmp_path):
    nothing = tmp_path / "no_compiler_here"
    nothing.mkdir()
    built = build(checkout, PATH=str(nothing), CXX=None, SEMAMBA_BUILD=None)
    assert built.returncode == 0, built.stderr
    info = run(checkout, "-m", "speechbrain_semamba", "info").stdout
    assert "scan auto on cpu: pytorch" in info
    (line,) = [x for x in info.splitlines() if x.startswith("scan cpu: ")]
    assert "compiler does not start" in line and "install a C++" in line
    enhanced = run(checkout, "-c", ENHANCE)
    assert "enhanced 1 800" in enhanced.stdout
    lines = [x for x in enhanced.stderr.splitlines() if "slow" in x]
    assert len(lines) == 1 and "install a C++" in lines[0], enhanced.stderr


def test_a_build_that_is_asked_for_may_not_fail(checkout):
    built = build(checkout, CXX="no-such-compiler", SEMAMBA_BUILD="1")
    assert built.returncode != 0
    assert "no-such-compiler" in built.stderr
    assert "Traceback" not in built.stderr


def test_what_the_compiler_said_is_kept(checkout):
    csrc = checkout / "speechbrain_semamba" / "csrc"
    (csrc / "library.cpp").write_text("this is not C++;\n")
    (csrc / "kernels.cpp").write_text("")  # it takes the compiler long
    assert build(checkout, SEMAMBA_BUILD=None).returncode == 0
    info = run(checkout, "-m", "speechbrain_semamba", "info").stdout
    assert "scan cpu: no compiled kernels" in info
    assert "library.cpp:1" in info


@pytest.mark.skipif(
    shutil.which(os.environ.get("CXX", "c++")) is None,
    reason="there is no C++ compiler",
)
def test_a_later_build_with_a_compiler_takes_the_place(checkout):
    assert build(checkout, CXX="no-such-compiler").returncode == 0
    built = build(checkout, SEMAMBA_BUILD="1")
    assert built.returncode == 0, built.stderr
    ops = checkout / "speechbrain_semamba" / "ops"
    assert [p.name for p in ops.glob("_kernels.*")] == ["_kernels.so"]
    info = run(checkout, "-m", "speechbrain_semamba", "info").stdout
    assert "scan auto on cpu: cpu" in info


def test_a_library_of_something_else_is_never_called(checkout):
    """As one from before a change of csrc: it loads, but does not fit."""
    ops = checkout / "speechbrain_semamba" / "ops"
    other = importlib.util.find_spec("_ctypes").origin
    shutil.copy(other, ops / "_kernels.so")
    info = run(checkout, "-m", "speechbrain_semamba", "info").stdout
    assert "built from another version of csrc (no function" in info
    assert "scan auto on cpu: pytorch" in info
    assert "enhanced 1 800" in run(checkout, "-c", ENHANCE).stdout


def test_a_library_that_does_not_load_is_named(checkout):
    ops = checkout / "speechbrain_semamba" / "ops"
    (ops / "_kernels.so").write_bytes(b"not a library")
    info = run(checkout, "-m", "speechbrain_semamba", "info").stdout
    assert "the compiled kernels do not load" in info
    assert "scan auto on cpu: pytorch" in info
