"""Files scored while others come."""

import torch

from speechbrain_semamba.evaluation.file_scores import FileScores


class LazyPool:
    """Scores when it is asked for them, and remembers who asked."""

    sample_rate = 16000

    def __init__(self):
        self.started, self.settled = [], []

    def start(self, clean, estimate, metrics, name):
        self.started.append(name)
        return LazyScores(self.settled, name)


class LazyScores:
    def __init__(self, settled, name):
        self.settled, self.name = settled, name

    def result(self):
        self.settled.append(self.name)
        return {"pesq": float(len(self.settled))}


WAVES = {"clean": torch.randn(4000), "enhanced": torch.randn(4000)}


def test_so_many_files_wait_and_no_more():
    pool = LazyPool()
    files = FileScores(pool, ["pesq"], max_pending=2)
    for index, key in enumerate("abcd"):
        files.start(key, {}, WAVES)
        assert len(pool.started) - len(pool.settled) == min(index + 1, 2)
    assert pool.settled == ["a (enhanced)", "b (enhanced)"]
    scores = files.finish()
    assert [scores[key]["enhanced"]["pesq"] for key in "abcd"] == [1, 2, 3, 4]


def test_any_number_waits_by_default():
    pool = LazyPool()
    files = FileScores(pool, ["pesq"])
    for key in "abcdefgh":
        files.start(key, {"loss": torch.tensor(0.5)}, WAVES)
    assert not pool.settled
    assert files.finish()["h"]["losses"] == {"loss": 0.5}


def test_noisy_files_know_their_snr_and_absent_kinds_have_no_scores():
    files = FileScores(LazyPool(), ["pesq"], ["noisy", "enhanced"])
    clean = WAVES["clean"]
    files.start("a", {}, {"clean": clean, "noisy": 1.1 * clean})
    found = files.finish()["a"]
    assert found.keys() == {"losses", "noisy"}
    assert round(found["noisy"]["snr"], 3) == 20
