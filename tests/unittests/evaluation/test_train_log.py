"""The log of a run, whatever happened to it."""

import pytest
from speechbrain.utils.train_logger import FileTrainLogger

from speechbrain_semamba.evaluation.reports import log_stats
from speechbrain_semamba.evaluation.train_log import read_train_log

EPOCH = "epoch: {}, lr: 1.00e-03 - train loss: {:.2f}, train pesq_failed: 2"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "train_log.txt"


def lines(*epochs):
    return "".join(EPOCH.format(e, 1 + e / 10) + "\n" for e in epochs)


def test_what_the_logger_writes_is_read(path):
    logger = FileTrainLogger(path)
    losses = {1: 12.25, 2: 250.5, 3: 1e-5, 4: float("nan")}
    for epoch, loss in losses.items():
        log_stats(
            logger,
            {"epoch": epoch, "lr": 0.5**epoch},
            train_stats={"loss": loss, "pesq_failed": epoch},
            valid_stats={"pesq": 1 + loss},
        )
    log_stats(logger, {"epoch loaded": 3}, test_stats={"pesq": 2.0})
    epochs, tests = read_train_log(path)
    assert list(epochs) == list(losses)
    for epoch, loss in losses.items():
        found = epochs[epoch]
        names = ["lr", "train loss", "train pesq_failed", "valid pesq"]
        assert list(found) == names
        expected = pytest.approx(loss, rel=1e-2, nan_ok=True)
        assert found["train loss"] == expected
        assert found["train pesq_failed"] == epoch
        assert found["lr"] == pytest.approx(0.5**epoch, rel=1e-2)
    assert tests == [(3, {"test pesq": 2.0})]


def test_line_that_was_cut_off_is_none(path):
    whole, last = lines(1, 2), lines(3)
    for length in range(1, len(last)):
        path.write_text(whole + last[:length])
        assert list(read_train_log(path).epochs) == [1, 2]
        # the run goes on behind it
        path.write_text(whole + last[:length] + lines(3, 4))
        epochs = read_train_log(path).epochs
        assert list(epochs) == [1, 2, 3, 4]
        assert epochs[3]["train loss"] == 1.3


def test_run_that_went_back(path):
    """To an earlier checkpoint, the newest ones being damaged."""
    again = EPOCH.format(2, 9.0) + "\n"
    path.write_text(lines(1, 2, 3, 4) + again)
    epochs = read_train_log(path).epochs
    assert list(epochs) == [1, 2]
    assert epochs[2]["train loss"] == 9.0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "no log\n",
        "epoch: x, lr: 1\n",
        "epoch:1\n",
        "\0\xff\n",
        "{}\n",
    ],
)
def test_what_is_no_log(path, text):
    path.write_text(text, encoding="latin-1")
    assert read_train_log(path) == ({}, [])
