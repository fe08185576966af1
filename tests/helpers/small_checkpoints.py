"""Small checkpoints, and what goes wrong when one is saved."""

import errno
import os

import torch
from speechbrain.utils.epoch_loop import EpochCounter

from speechbrain_semamba.checkpoints.checkpointer import WholeCheckpointer


def make(folder, cls=WholeCheckpointer, **options):
    """A checkpointer of a model, its optimizer and a counter."""
    model = torch.nn.Linear(2, 2)
    recoverables = {
        "generator": model,
        "optimizer": torch.optim.AdamW(model.parameters()),
        "counter": EpochCounter(9),
    }
    return cls(folder, recoverables, **options)


def fill(checkpointer, value):
    """Gives the model a value to know it by."""
    model = checkpointer.recoverables["generator"]
    torch.nn.init.constant_(model.weight, value)


def value(checkpointer):
    """The value that ``fill`` gave."""
    return checkpointer.recoverables["generator"].weight[0, 0].item()


def save(checkpointer, number):
    """A checkpoint that is known by its epoch and by the model's value."""
    fill(checkpointer, number)
    return checkpointer.save_checkpoint(meta={"epoch": number})


def epochs(checkpointer):
    """The epochs of the checkpoints that are listed, newest first."""
    return [c.meta["epoch"] for c in checkpointer.find_checkpoints()]


def half_then(stop):
    """A saver that writes something, and then does not come to its end."""

    def saver(obj, path):
        path.write_bytes(b"half of it")
        stop()

    return saver


def no_room():
    """The error of a full disk."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def change(path, edit):
    """Replaces a file's bytes."""
    path.write_bytes(edit(path.read_bytes()))


def flip(data):
    """Another bit in the middle."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
