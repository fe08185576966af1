"""HyperPyYAML as text: tags kept, comments left, damage named."""

import pytest
from hyperpyyaml import load_hyperpyyaml

from speechbrain_semamba.utils.settings import (
    dump_settings,
    flatten,
    read_settings,
    tag_of,
)

TEXT = """
a: 1  # of the source
counter: !new:collections.Counter
    n: !ref <a>
    pair: !tuple (1, 2)

# the next part
both: [!ref <counter>, !ref <counter>]
none: !new:collections.Counter
rate: 1e-4
"""


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "a.yaml").write_text(TEXT)
    return read_settings(tmp_path / "a.yaml", "a: 3")


def test_dumped_settings_make_the_same_objects(settings):
    text = dump_settings(settings)
    made = load_hyperpyyaml(text)
    assert made["counter"] == {"n": 3, "pair": (1, 2)}
    assert made["both"][0] is made["both"][1] is made["counter"]
    assert "source" not in text and "next part" not in text


def test_flat_values(settings):
    assert flatten(settings) == {
        "a": 3,
        "counter": "!new:collections.Counter",
        "counter.n": 3,
        "counter.pair": "!tuple (1, 2)",
        "both.0": "<counter>",
        "both.1": "<counter>",
        "none": "!new:collections.Counter",
        "rate": 1e-4,
    }


def test_keys_that_are_numbers():
    assert flatten({1: {2: 3}, "__seed": 4}) == {"1.2": 3}


def test_references_may_be_left(tmp_path):
    (tmp_path / "a.yaml").write_text("a: !PLACEHOLDER\nb: !ref <a>")
    found = read_settings(tmp_path / "a.yaml", resolve=False)
    assert tag_of(found["a"]) == "!PLACEHOLDER" and tag_of(found["b"]) == "!ref"


@pytest.mark.parametrize("resolve", [True, False])
@pytest.mark.parametrize(
    "content, what",
    [
        (b"a: 1\nb: [1", "in line 2"),
        (b"- 1", "it holds no keys"),
        (b"", ""),
        (b"\xff\xfe\x00", ""),
    ],
)
def test_damage_is_named_in_one_line(tmp_path, content, what, resolve):
    (tmp_path / "a.yaml").write_bytes(content)
    with pytest.raises(ValueError, match=f"a.yaml is damaged: .*{what}") as e:
        read_settings(tmp_path / "a.yaml", resolve=resolve)
    assert "\n" not in str(e.value)
