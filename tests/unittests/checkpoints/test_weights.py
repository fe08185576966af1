"""Weights from files, which must fit."""

from functools import partial
from pathlib import Path

import pytest
import torch
from speechbrain.utils.parameter_transfer import Pretrainer

from speechbrain_semamba.checkpoints.weights import (
    find_weights,
    load_strictly,
    read_weights,
)
from speechbrain_semamba.lobes.models.semamba import SEMamba

SIZES = {"channels": 8, "num_blocks": 2, "d_state": 4, "expand": 2}


def test_strict_loading(tmp_path):
    path = tmp_path / "generator.ckpt"
    model = SEMamba(**SIZES)
    torch.save(model.state_dict(), path)
    other = SEMamba(**SIZES)
    load_strictly(other, path)
    for ours, theirs in zip(model.parameters(), other.parameters()):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda w: w.pop("mask_decoder.conv_out.bias"), "lacks 'mask_decoder"),
        (lambda w: w.update(more=torch.ones(1)), "has an extra 'more'"),
        (
            lambda w: w.update({"mask_decoder.conv_out.bias": torch.ones(2)}),
            r"of shape \[2\], not \[1\]",
        ),
    ],
)
def test_weights_that_do_not_fit(tmp_path, change, message):
    model = SEMamba(**SIZES)
    before = [p.clone() for p in model.parameters()]
    weights = dict(model.state_dict())
    change(weights)
    path = tmp_path / "wrong.ckpt"
    torch.save({k: v + 1 for k, v in weights.items()}, path)
    with pytest.raises(ValueError, match=message):
        load_strictly(model, path)
    for old, new in zip(before, model.parameters()):
        assert torch.equal(old, new)


def test_wrapped_and_nested_weights_are_found(tmp_path):
    path = tmp_path / "g.pth"
    torch.save({"generator": {"module.a": torch.ones(1)}}, path)
    assert read_weights(path, "generator").keys() == {"a"}


@pytest.mark.parametrize("content", [b"", b"not weights", b"PK\x03\x04"])
def test_unreadable_weights_are_refused_in_one_line(tmp_path, content):
    path = tmp_path / "bad.ckpt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="holds no readable weights") as info:
        read_weights(path)
    assert "\n" not in str(info.value)


def test_file_with_code_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return (Path(tmp_path / "run").touch, ())

    path = tmp_path / "evil.ckpt"
    torch.save({"weight": Evil()}, path)
    with pytest.raises(ValueError, match="no readable weights") as info:
        read_weights(path)
    assert not (tmp_path / "run").exists()
    assert "weights_only" not in str(info.value)


@pytest.mark.parametrize("place", ["d.ckpt", "./d.ckpt", "deep/d.ckpt", "{}"])
def test_pretrainer_takes_local_files(tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    place = place.format(tmp_path / "d.ckpt")
    Path("deep").mkdir()
    layer, other = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    wrapped = {f"module.{k}": v for k, v in layer.state_dict().items()}
    torch.save({"discriminator": wrapped}, place)
    files = set(tmp_path.rglob("*"))
    pretrainer = Pretrainer(
        loadables={"d": other},
        paths={"d": find_weights(place)},
        custom_hooks={"d": partial(load_strictly, key="discriminator")},
    )
    pretrainer.collect_files()
    pretrainer.load_collected()
    assert torch.equal(layer.weight, other.weight)
    assert set(tmp_path.rglob("*")) == files


def test_missing_weights(tmp_path):
    with pytest.raises(FileNotFoundError, match="none.ckpt is none"):
        find_weights(tmp_path / "none.ckpt")
    layer = torch.nn.Linear(2, 2)
    before = layer.weight.clone()
    load_strictly(layer, tmp_path / "none.ckpt", optional=True)
    assert torch.equal(layer.weight, before)
    with pytest.raises(FileNotFoundError):
        load_strictly(layer, tmp_path / "none.ckpt")
