"""When the Triton kernels run, and why they do not."""

import subprocess
import sys

import pytest
import torch

from speechbrain_semamba.ops.backends import choose_backend
from speechbrain_semamba.ops.scan import mamba_ssm, triton


@pytest.fixture
def card(monkeypatch, uncached):
    """As on a machine with an H100, but without mamba_ssm."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))
    monkeypatch.setattr(torch.version, "hip", None)
    monkeypatch.setitem(sys.modules, "mamba_ssm", None)


def test_it_is_what_cuda_takes_without_mamba_ssm(card):
    pytest.importorskip("triton", reason="Triton is not installed")
    assert mamba_ssm.why_not("cuda") is not None
    assert triton.why_not("cuda") is None
    assert choose_backend("cuda").name == "triton"


def test_no_card(card, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "no CUDA device" in triton.why_not("cuda")


def test_old_card(card, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (7, 0))
    assert "7.5 (2018), not 7.0" in triton.why_not("cuda")


def test_card_of_amd(card, monkeypatch):
    monkeypatch.setattr(torch.version, "hip", "6.2")
    assert "AMD" in triton.why_not("cuda")
    assert choose_backend("cuda").name == "pytorch"


def test_no_triton(card, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install triton" in triton.why_not("cuda")


def test_nothing_imports_triton_before_it_runs():
    """It takes longer than to enhance a sentence, and is not everywhere."""
    code = """if True:
        import sys
        import speechbrain_semamba.lobes.models.semamba
        from speechbrain_semamba.ops.backends import BACKENDS
        assert BACKENDS["triton"].why_not("cuda")
        sys.exit("triton" in sys.modules)
    """
    assert (
        subprocess.run([sys.executable, "-c", code], timeout=120).returncode
        == 0
    )
