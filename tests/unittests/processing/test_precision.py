"""Which precision is taken, and where bfloat16 is faster."""

import platform

import pytest
import torch
from speechbrain.utils.run_opts import RunOptions

from speechbrain_semamba.processing.precision import (
    choose_precision,
    settle_precisions,
    why_not_bf16,
)


@pytest.fixture
def processor(monkeypatch):
    """Pretends to be another processor, one that has everything at first."""
    for name in ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA"):
        monkeypatch.delenv(name, raising=False)

    def become(machine="x86_64", aten="AVX512", bf16=True, amx=False, mkldnn=1):
        monkeypatch.setattr(platform, "machine", lambda: machine)
        for room, name, value in (
            (torch.backends.cpu, "get_cpu_capability", aten),
            (torch.cpu, "_is_avx512_bf16_supported", bf16),
            (torch.cpu, "_is_amx_tile_supported", amx),
            (torch.backends.mkldnn, "is_available", bool(mkldnn)),
        ):
            monkeypatch.setattr(room, name, lambda value=value: value)

    become()
    return become


@pytest.mark.parametrize(
    "traits, has",
    [
        ({}, True),
        ({"bf16": False}, False),
        ({"bf16": False, "amx": True}, True),
        ({"aten": "AVX2"}, False),
        ({"aten": "DEFAULT"}, False),
        ({"mkldnn": False}, False),
        ({"machine": "AMD64", "bf16": False}, False),
    ],
)
def test_x86(processor, traits, has):
    processor(**traits)
    assert (why_not_bf16() is None) == has


@pytest.mark.parametrize(
    "isa, has",
    [("AVX2", False), ("avx512_core", False), ("AVX512_CORE_BF16", True)],
)
def test_onednn_may_be_lowered(processor, monkeypatch, isa, has):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", isa)
    assert (why_not_bf16() is None) == has


@pytest.mark.parametrize("has", [True, False])
def test_arm64_is_asked_by_onednn(processor, monkeypatch, has):
    # ATen calls every arm64 "DEFAULT", or by the width of its vectors
    processor("arm64", aten="DEFAULT", bf16=False)
    monkeypatch.setattr(
        torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: has
    )
    assert (why_not_bf16() is None) == has


@pytest.mark.parametrize("has", [True, False])
def test_gpu(monkeypatch, has):
    def supported(including_emulation=True):
        return has or including_emulation

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert (why_not_bf16("cuda:0") is None) == has


def test_bf16_is_taken_where_it_is_faster(processor, caplog):
    assert choose_precision("bf16") == "bf16"
    assert not caplog.messages


def test_bf16_elsewhere_is_float32_and_one_line(processor, caplog):
    processor(bf16=False)
    assert choose_precision("bf16") == "fp32"
    assert len(caplog.messages) == 1 and "\n" not in caplog.text.strip()
    assert "no bfloat16 arithmetic" in caplog.text
    assert "computing in float32" in caplog.text


def test_auto_is_float32_without_a_word(processor, caplog):
    assert choose_precision("auto") == "fp32"
    assert not caplog.messages


def test_run_options_go_before_hyper_parameters(processor, caplog):
    processor(bf16=False)
    given = RunOptions.from_dictionary({"device": "cpu", "precision": "bf16"})
    hparams = {"precision": "fp16", "eval_precision": "bf16"}
    names = "precision", "eval_precision"
    settled = settle_precisions(given, hparams, names)
    assert settled.overridden_args == {"device", *names}
    assert [settled[name] for name in names] == ["fp32", "fp32"]
    assert len(caplog.messages) == 1
    processor()
    settled = settle_precisions({"device": "cpu"}, hparams, names)
    assert [settled[name] for name in names] == ["fp16", "bf16"]
