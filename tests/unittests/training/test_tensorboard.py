"""What TensorBoard shows of a few files."""

import pytest
import torch

from speechbrain_semamba.evaluation import figures
from speechbrain_semamba.training import tensorboard
from speechbrain_semamba.training.tensorboard import EnhancementBoard

event_accumulator = pytest.importorskip(
    "tensorboard.backend.event_processing.event_accumulator"
)


def test_pictures_are_those_of_all(tmp_path):
    assert tensorboard.spectrogram_figure is figures.spectrogram_figure
    board = EnhancementBoard(True, str(tmp_path), 16000)
    kinds = ("noisy", "enhanced", "clean")
    board.log_files(3, {"a": {kind: torch.randn(4000) for kind in kinds}})
    board.writer.close()
    events = event_accumulator.EventAccumulator(str(tmp_path)).Reload()
    (picture,) = events.Images("a")
    assert picture.step == 3 and picture.width > picture.height > 300
    assert len(events.Tags()["audio"]) == 3


def test_nothing_is_written_unless_asked_for(tmp_path):
    board = EnhancementBoard(False, str(tmp_path), 16000)
    board.log_epoch(1, {"loss": 1.0}, {"loss": 2.0}, {})
    assert not list(tmp_path.iterdir())
