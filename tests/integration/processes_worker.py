"""What a training process finds in small trials, alone or as one of two.

Under torchrun each process writes its findings to a file of the folder that
is its argument; ``test_processes.py`` compares them with those of one process.
"""

import logging
import math
import os
import signal
import sys
from concurrent.futures import Future
from pathlib import Path
from unittest import mock

import speechbrain as sb
import torch
from speechbrain.dataio.batch import PaddedBatch
from speechbrain.dataio.dataset import DynamicItemDataset
from speechbrain.utils.distributed import ddp_init_group

from speechbrain_semamba.checkpoints.checkpointer import WholeCheckpointer
from speechbrain_semamba.evaluation.file_scores import means_by_kind
from speechbrain_semamba.training.stop_signal import TrainingStopped
from speechbrain_semamba.utils.distributed import rank_and_size

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
from small_brain import (  # noqa: E402
    make_batches,
    make_brain,
    small_networks,
    state,
    step,
)

TRAIN, VALID, TEST = sb.Stage.TRAIN, sb.Stage.VALID, sb.Stage.TEST
SAMPLES = 2000
GLOBAL_BATCH = 4
NUM_UPDATES = 3
# of utterances in turn: two processes have every other one, so that the
# score that failed is on the second alone
LABELS = (0.2, math.nan, 0.9, 0.6, 0.1, 0.8, 0.3, 0.5, 0.7, 0.2, 0.4, 0.6)


def build(folder, networks=None, hparams=None, **run_opts):
    """The small Brain of this process, with its share of the labels."""
    rank, size = rank_and_size()
    run_opts = {"distributed_backend": "gloo", **run_opts}
    networks = networks or small_networks()
    labels = LABELS[rank::size]
    return make_brain(folder, networks, labels, hparams, **run_opts)


def share(batch):
    """This process's items of a batch: those that its sampler would deal."""
    rank, size = rank_and_size()
    keys = "id", "noisy", "clean"
    items = zip(batch.id, batch.noisy.data, batch.clean.data)
    return PaddedBatch([dict(zip(keys, item)) for item in items][rank::size])


def updates(folder, dtype, optimizer, factor):
    """A few updates, each on the same utterances whatever deals them out.

    Two processes take as many batches as the factor says, one takes all as
    one batch.
    """
    _, size = rank_and_size()
    if size == 1:
        batches = make_batches(
            NUM_UPDATES, factor * GLOBAL_BATCH, SAMPLES, dtype
        )
        factor = 1
    else:
        batches = make_batches(
            NUM_UPDATES * factor, GLOBAL_BATCH, SAMPLES, dtype
        )
    networks = small_networks(dtype=dtype)
    brain = build(folder, networks, grad_accumulation_factor=factor)
    if optimizer == "SGD":
        for name, module in brain.modules.items():
            brain.optimizers_dict[name] = torch.optim.SGD(
                module.parameters(), lr=5e-4
            )
    before = state(brain)
    for batch in batches:
        step(brain, share(batch))
    return {
        "before": before,
        "after": state(brain),
        "stats": brain.stats.summary(),
        "count": brain.optimizer_step,
    }


def training_orders(folder):
    """Ids of each batch by seed and epoch."""
    rank, size = rank_and_size()
    dataset = DynamicItemDataset(
        {f"{number:02}": {"number": number} for number in range(11)},
        output_keys=["id"],
    )
    found = {}
    # SpeechBrain's own order depends on it
    variables = {"SB_GLOBAL_SEED": str(10 * size + rank)}
    for seed in (1234, 4321):
        brain = build(folder, hparams={"seed": seed})
        options = {"batch_size": GLOBAL_BATCH // size, "drop_last": True}
        with mock.patch.dict(os.environ, variables):
            loader = brain.make_dataloader(
                dataset, TRAIN, shuffle=True, **options
            )
        for epoch in (1, 2):
            brain.train_sampler.set_epoch(epoch)
            found[seed, epoch] = [list(batch.id) for batch in loader]
    return found


def dropout_masks(folder):
    """What dropout leaves out in step 3, again in step 3, and in step 4."""
    (batch,) = make_batches(1, 2, SAMPLES)
    found = []
    for number in (3, 3, 4):
        brain = build(folder, small_networks(dropout=0.5))
        masks = []
        for module in brain.raw("discriminator").modules():
            if isinstance(module, torch.nn.Dropout):
                module.register_forward_hook(
                    lambda *args, masks=masks: masks.append(args[-1] == 0)
                )
        brain.step = number - 1
        torch.rand(len(found))  # nor does it matter what was drawn before
        step(brain, batch)
        found.append(torch.cat(masks))
    return found


class LevelScores:
    """In place of the pool: a score that depends on the waves alone."""

    sample_rate = 16000

    def start(self, reference, estimate, metrics, name):
        future = Future()
        level = float(abs(estimate).mean() / abs(reference).mean())
        future.set_result({"pesq": level})
        return future


def evaluations(folder):
    """Which files this process enhances, and the scores that it gets."""
    found = {}
    for count in (5, 1):
        rng = torch.Generator().manual_seed(count)
        files = {}
        for number in range(count):
            wavs = torch.randn(2, 1600 + 100 * number, generator=rng)
            files[f"file {number}"] = dict(zip(("noisy", "clean"), wavs))
        dataset = DynamicItemDataset(
            files, output_keys=["id", "noisy", "clean"]
        )
        for stage in (VALID, TEST):
            brain = build(folder, hparams={"score_pool": LevelScores()})
            brain.modules.eval()
            loader = brain.make_dataloader(dataset, stage, batch_size=1)
            brain.on_stage_start(stage, 1)
            ids = []
            for batch in loader:
                ids += batch.id
                brain.evaluate_batch(batch, stage)
            scores = brain.files.finish()
            means = means_by_kind(scores)
            found[stage.name, count] = {
                "ids": ids,
                "scores": scores,
                "means": means,
            }
    return found


def spoilt_steps(folder):
    """A spoilt step, a good one and another spoilt one; the second process
    alone has what spoils them."""
    rank, _ = rank_and_size()
    brain = build(folder, nonfinite_patience=1)
    logger = logging.getLogger("speechbrain_semamba.training.window")
    warnings = []
    handler = logging.Handler()
    handler.emit = lambda record: warnings.append(record.getMessage())
    logger.addHandler(handler)
    batches = [share(one) for one in make_batches(3, GLOBAL_BATCH, SAMPLES)]
    if rank == 1:
        for batch in batches[::2]:
            batch.noisy.data[1, 100] = math.inf
    states, stopped = [state(brain)], None
    try:
        for batch in batches:
            step(brain, batch)
            states.append(state(brain))
    except TrainingStopped as error:
        stopped = str(error)
    logger.removeHandler(handler)
    return {
        "states": states,
        "count": brain.optimizer_step,
        "stats": brain.stats.summary(),
        "warnings": warnings,
        "stopped": stopped,
    }


def spoilt_loss(folder):
    """A step in which a loss alone, not its gradient, is infinite, and that
    on the second process alone."""
    rank, _ = rank_and_size()
    brain = build(folder)
    compute_objectives = brain.compute_objectives

    def spoil(*args):
        parts = compute_objectives(*args)
        if rank == 1:  # which leaves the gradient as it is
            parts["time"] = parts["time"] + math.inf
        return parts

    brain.compute_objectives = spoil
    before = state(brain)
    (batch,) = make_batches(1, GLOBAL_BATCH, SAMPLES)
    step(brain, share(batch))
    return {
        "before": before,
        "after": state(brain),
        "skipped": brain.window.skipped,
    }


def stop_in_training(folder, tell):
    """A step in which the processes are told to stop, or one of them is."""
    brain = build(folder)
    brain.checkpointer = WholeCheckpointer(
        folder / tell.__name__, brain.checkpointer.recoverables
    )
    start = brain.hparams.score_pool.start

    def tell_first(*args):
        brain.hparams.score_pool.start = start
        tell(brain.stop)
        return start(*args)

    brain.hparams.score_pool.start = tell_first
    (batch,) = make_batches(1, GLOBAL_BATCH, SAMPLES)
    status = None
    try:
        with brain.stop:
            step(brain, share(batch))
    except SystemExit as error:
        status = error.code
    saved = brain.checkpointer.list_checkpoints()
    return {
        "status": status,
        "updates": brain.optimizer_step,
        "saved": [sorted(checkpoint.paramfiles) for checkpoint in saved],
    }


def one_is_told(stop):
    """As a process that is signalled alone."""
    rank, _ = rank_and_size()
    if rank == 1:
        stop.received = signal.SIGTERM


def both_are_told_twice(stop):
    """As by a cluster that signals torchrun too, which passes it on."""
    for _ in range(2):
        os.kill(os.getpid(), signal.SIGTERM)


UPDATES = [
    (torch.float64, "AdamW", 1),
    (torch.float64, "AdamW", 2),
    (torch.float32, "SGD", 1),
    (torch.float32, "SGD", 2),
]


def find_alike(folder):
    """What should not depend on the number of processes."""
    found = {case: updates(folder, *case) for case in UPDATES}
    found["orders"] = training_orders(folder)
    found["evaluations"] = evaluations(folder)
    return found


def main(folder):
    """All trials, as one of two processes."""
    ddp_init_group({"distributed_backend": "gloo"})
    found = find_alike(folder)
    found["dropout"] = dropout_masks(folder)
    found["spoilt"] = spoilt_steps(folder)
    found["spoilt loss"] = spoilt_loss(folder)
    for tell in (one_is_told, both_are_told_twice):
        found[tell.__name__] = stop_in_training(folder, tell)
    torch.save(found, folder / f"{rank_and_size()[0]}.pt")
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
