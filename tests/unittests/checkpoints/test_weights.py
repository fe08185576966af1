"""Weights from files, which must fit."""

import os
import pickle
import re
import warnings
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
    assert re.search("holds no readable weights", refusal(path))


def refusal(path):
    """In one line, without PyTorch's advice and without its warnings."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with pytest.raises(ValueError) as info:
            read_weights(path, "generator")
    assert path.name in str(info.value) and "\n" not in str(info.value)
    assert "weights_only" not in str(info.value) and not warned
    return str(info.value)


@pytest.mark.parametrize("zipped", [True, False])
def test_file_that_was_cut_short(tmp_path, zipped):
    """At any place, in the format of today and that before."""
    path = tmp_path / "cut.pth"
    weights = torch.nn.Linear(30, 20).state_dict()
    torch.save(weights, path, _use_new_zipfile_serialization=zipped)
    whole = path.read_bytes()
    assert len(read_weights(path)) == 2
    places = [1, 2, 3, 4, 50, 200, len(whole) // 2, len(whole) - 1]
    for place in places:
        path.write_bytes(whole[:place])
        assert re.search("is damaged", refusal(path))


def evil(tmp_path):
    """What leaves a file when it is unpickled, each in a way of its own."""
    file = str(tmp_path / "run")
    for call in (
        (Path(file).touch, ()),
        (os.system, (f"touch {file}",)),
        (eval, (f"open({file!r}, 'w')",)),
    ):

        class Evil:
            def __reduce__(self, call=call):
                return call

        yield Evil()


def test_file_with_code_is_not_run(tmp_path):
    path = tmp_path / "evil.pth"
    for code in evil(tmp_path):
        for content in (code, {"weight": code}, {"generator": {"a": code}}):
            for zipped in (True, False):
                torch.save(content, path, _use_new_zipfile_serialization=zipped)
                assert re.search("it holds .* might run code", refusal(path))
            path.write_bytes(pickle.dumps(content))
            assert re.search("no readable weights", refusal(path))
    assert not (tmp_path / "run").exists()
    pickle.loads(path.read_bytes())  # the code is harmful
    assert (tmp_path / "run").exists()


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:FutureWarning")
def test_whole_models_are_refused(tmp_path):
    layer, path = torch.nn.Linear(2, 2), tmp_path / "model.pth"
    torch.save(layer, path)
    assert re.search(
        "holds torch.nn.modules.linear.Linear.* state dict", refusal(path)
    )
    torch.jit.script(layer).save(path)
    assert re.search("a TorchScript archive; save the", refusal(path))


@pytest.mark.parametrize(
    "content, message",
    [
        (
            {"discriminator": {}, "steps": 3},
            "but 'discriminator', 'steps'; the",
        ),
        ({0: torch.ones(1)}, "under 'generator', but 0;"),
        ({"generator": {"a": 1}}, "holds no state dict of tensors"),
        (torch.ones(1), "holds no state dict of tensors"),
    ],
)
def test_files_of_other_things(tmp_path, content, message):
    torch.save(content, tmp_path / "other.pth")
    assert re.search(message, refusal(tmp_path / "other.pth"))


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


def test_too_large_for_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(torch, "load", lambda *a, **k: torch.empty(2**60))
    (tmp_path / "large.pth").touch()
    with pytest.raises(ValueError, match="large.pth .* allocate memory"):
        read_weights(tmp_path / "large.pth")
