"""Files dealt out to the processes of a run."""

import pytest
import speechbrain as sb
from speechbrain.dataio.dataset import DynamicItemDataset

from speechbrain_semamba.training import sharding
from speechbrain_semamba.training.sharding import shard

TRAIN, VALID = sb.Stage.TRAIN, sb.Stage.VALID


@pytest.fixture
def as_process(monkeypatch):
    """Makes this process one of several."""

    def pretend(rank, size):
        monkeypatch.setattr(sharding, "rank_and_size", lambda: (rank, size))

    return pretend


@pytest.mark.parametrize("size", [1, 2, 3])
def test_each_file_is_judged_once(as_process, size):
    shares = []
    for rank in range(size):
        as_process(rank, size)
        shares += shard(range(7), VALID, batch_size=1)
    assert sorted(shares) == list(range(7))


def test_order_is_one_for_any_number_of_processes(as_process):
    """Batches of two processes, put together, are those of one."""
    alone = list(shard(range(8), TRAIN, batch_size=2, seed=3))
    shares = []
    for rank in range(2):
        as_process(rank, 2)
        shares.append(list(shard(range(8), TRAIN, batch_size=1, seed=3)))
    assert [x for both in zip(*shares) for x in both] == alone
    assert alone != sorted(alone)


def test_order_follows_seed_and_epoch():
    def order(seed, epoch):
        sampler = shard(range(50), TRAIN, batch_size=1, seed=seed)
        sampler.set_epoch(epoch)
        return list(sampler)

    assert order(1, 1) == order(1, 1)
    assert order(1, 1) != order(1, 2) and order(1, 1) != order(7, 1)


def test_order_may_be_that_of_the_files():
    sampler = shard(range(5), TRAIN, batch_size=1, shuffle=False)
    assert list(sampler) == list(range(5))


def test_too_few_files_for_an_update(as_process):
    as_process(0, 2)
    with pytest.raises(ValueError, match="the 11 training files, but is 12"):
        shard(range(11), TRAIN, batch_size=2, accumulation=3)
    assert len(shard(range(12), TRAIN, batch_size=2, accumulation=3)) == 6


def test_batches_to_judge_are_of_about_one_length(as_process):
    seconds = {"a": 3.0, "b": 1.0, "c": 2.0, "d": 4.0}
    files = {key: {"length": value} for key, value in seconds.items()}
    dataset = DynamicItemDataset(files)
    assert list(shard(dataset, VALID, batch_size=2)) == [1, 2, 0, 3]
    as_process(1, 2)
    assert list(shard(dataset, VALID, batch_size=2)) == [2, 3]
    assert list(shard(dataset, VALID, batch_size=1)) == [1, 3]
