"""Files dealt out, and what each process made of its share."""

import json
import time

import pytest
from forks import end_of, fork
from hypothesis import given
from hypothesis import strategies as st

from speechbrain_semamba.inference.folders.dealing import (
    Place,
    deal,
    forget,
    hand_in,
)
from speechbrain_semamba.utils.whole_files import write_json


@given(
    st.lists(st.floats(0, 1e4), max_size=40),
    st.integers(min_value=1, max_value=9),
)
def test_each_file_exactly_once_and_even_shares(seconds, size):
    shares = deal(seconds, size)
    assert len(shares) == size
    assert sorted(i for share in shares for i in share) == list(
        range(len(seconds))
    )
    sums = [sum(seconds[i] for i in share) for share in shares]
    # the last file that the fullest was given went to the emptiest
    assert max(sums) - min(sums) <= max(seconds, default=0) + 0.1


def test_files_of_no_length_are_shared_out_too():
    assert sorted(map(len, deal([0.0] * 9, 3))) == [3, 3, 3]


@pytest.mark.parametrize(
    "environment",
    [
        {"RANK": "2", "WORLD_SIZE": "2"},
        {"RANK": "first", "WORLD_SIZE": "2"},
        {"RANK": "0", "WORLD_SIZE": "-2"},
    ],
)
def test_an_environment_without_sense(environment):
    with pytest.raises(ValueError, match="RANK counts from 0"):
        Place.of(environment)


@pytest.mark.parametrize("name", ["RANK", "WORLD_SIZE"])
def test_half_of_an_environment_is_none(name):
    """What a scheduler sets for a shell does not leave files out."""
    assert Place.of({name: "1"}) == Place()


def test_runs_are_told_apart():
    base = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_PORT": "1"}
    first, second = Place.of(base), Place.of({**base, "MASTER_PORT": "2"})
    assert first.run != second.run and not first.is_restarted
    again = Place.of({**base, "TORCHELASTIC_RESTART_COUNT": "1"})
    assert again.is_restarted and again.run == first.run


def test_processes_that_end_at_the_same_time(tmp_path):
    """One of them is the last, and what it used is what stays."""
    report, out = tmp_path / "report.json", tmp_path / "out"

    def work(rank):
        def use(shares):
            # who knows least would have the last word
            time.sleep(0.1 * (4 - len(shares)))
            write_json(report, {"ranks": [share["rank"] for share in shares]})

        place = Place(rank, 4, run="run")
        if hand_in({"rank": rank}, out, place, use):
            (tmp_path / f"last-{rank}").touch()

    assert {end_of(pid) for pid in [fork(work, r) for r in range(4)]} == {0}
    assert json.loads(report.read_text()) == {"ranks": [0, 1, 2, 3]}
    assert len(list(tmp_path.glob("last-*"))) == 1
    assert list(out.iterdir()) == []


def test_what_a_killed_run_left_does_not_count(tmp_path):
    place = Place(0, 2, run="run")
    hand_in({"old": 1}, tmp_path, Place(1, 2, run="run"), list)
    hand = []
    forget(tmp_path, Place(1, 2, run="run"))
    assert not hand_in({"new": 1}, tmp_path, place, hand.extend)
    assert hand == [{"new": 1}]
    left = next(tmp_path.iterdir()) / "0.json"
    assert json.loads(left.read_text()) == {"new": 1}
