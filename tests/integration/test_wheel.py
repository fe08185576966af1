"""``make wheel``: into an environment that has next to nothing."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile

import pytest
import soundfile
from places import ROOT

from speechbrain_semamba.evaluation.distortion import si_sdr

CORPUS = ROOT / "samples" / "voicebank_mini"
NAME = "p232_001.wav"
TOOLS = "make", "auditwheel", os.environ.get("CXX", "c++")
PATH = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="manylinux is Linux's"),
    pytest.mark.skipif(
        not all(shutil.which(tool, path=PATH) for tool in TOOLS),
        reason=f"needs {', '.join(TOOLS)}",
    ),
]

#: Where the environment starts up: what asks the network fails
NO_NETWORK = """
import sys
def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        raise RuntimeError(f"asked the network: {arguments}")
sys.addaudithook(refuse)
"""

#: Two OpenMP libraries would each start threads of their own
LIBRARIES = """
import torch
from speechbrain_semamba.ops import kernels
assert kernels.why_not() is None
lines = open("/proc/self/maps").read().splitlines()
print({line.split()[-1] for line in lines if "gomp" in line})
"""


@pytest.fixture
def wheel(checkout):
    prefix = sys.prefix
    subprocess.run(
        ["make", "-o", f"{prefix}/.installed", "wheel", f"VENV={prefix}"],
        cwd=checkout,
        check=True,
    )
    (wheel,) = (checkout / "dist").iterdir()
    return wheel


@pytest.fixture
def bare(wheel, tmp_path):
    """Runs a program of an environment with the wheel: no more on its path,
    no home, no network."""
    environment = tmp_path / "bare"
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", environment], check=True
    )
    (site,) = environment.glob("lib/python3*/site-packages")
    # PyTorch and SpeechBrain, without what a .pth file adds to them here
    (site / "others.pth").write_text(sysconfig.get_path("purelib"))
    (site / "sitecustomize.py").write_text(NO_NETWORK)
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", environment / "bin/python"]
        + ["install", "-q", "--no-deps", "--no-index", wheel],
        check=True,
    )
    folder = tmp_path / "elsewhere"
    folder.mkdir()

    def run(program, *words, **variables):
        ran = subprocess.run(
            [environment / "bin" / program, *words],
            cwd=folder,
            env={"PATH": str(environment / "bin"), **variables},
            capture_output=True,
            text=True,
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    return run


def test_it_enhances_without_compiler_home_or_network(bare, wheel, tmp_path):
    assert re.search(r"-py3-none-manylinux_2_\d+_\w+\.whl$", wheel.name)
    names = zipfile.ZipFile(wheel).namelist()
    assert not [name for name in names if "gomp" in name]
    info = bare("semamba", "info")
    assert "scan auto on cpu: cpu" in info
    assert str(ROOT) not in info
    folders = {k: CORPUS / f"{k}_testset_wav" for k in ("clean", "noisy")}
    clean, noisy = (soundfile.read(f / NAME)[0] for f in folders.values())
    for instructions in ("", "plain"):
        forced = {"SEMAMBA_INSTRUCTIONS": instructions} if instructions else {}
        target = tmp_path / f"enhanced{instructions}.wav"
        bare("semamba", "enhance", folders["noisy"] / NAME, target, **forced)
        enhanced, rate = soundfile.read(target)
        assert enhanced.shape == noisy.shape
        before, after = (si_sdr(clean, x, rate) for x in (noisy, enhanced))
        assert after > before + 1
    libraries = bare("python", "-c", LIBRARIES)
    assert libraries.count("gomp") == 1, libraries
