"""Files dealt out to the processes of a run."""

import speechbrain as sb
from torch.utils.data import DistributedSampler

from speechbrain_semamba.utils.distributed import rank_and_size


def shard(dataset, stage, batch_size, accumulation=1, seed=0, shuffle=True):
    """This process's share of the files, and their order.

    Files to train on come in an order that the seed and the epoch decide,
    the same for any number of processes; others each exactly once, none
    twice to fill a batch, and with more than one in a batch by length.

    Arguments
    ---------
    dataset : speechbrain.dataio.dataset.DynamicItemDataset
        The files, with their ``length``.
    stage : Stage
        TRAIN, VALID or TEST.
    batch_size : int
        Files in a batch of this process.
    accumulation : int
        Batches between two updates.
    seed : int
        The run's seed.
    shuffle : bool
        Whether training has another order in each epoch.

    Returns
    -------
    iterable of int
        A sampler for a DataLoader.

    Raises
    ------
    ValueError
        If there are too few files for one update.

    Example
    -------
    >>> list(shard("abc", sb.Stage.VALID, batch_size=1))
    [0, 1, 2]
    """
    rank, size = rank_and_size()
    if stage != sb.Stage.TRAIN:
        order = range(len(dataset))
        if batch_size > 1:  # files of about one length need little padding
            entries = [dataset.data[key] for key in dataset.data_ids]
            order = sorted(order, key=lambda i: entries[i]["length"])
        return order[rank::size]
    needed = batch_size * accumulation * size
    if len(dataset) < needed:
        raise ValueError(
            "batch_size times accumulation times processes must not exceed "
            f"the {len(dataset)} training files, but is {needed}"
        )
    return DistributedSampler(
        dataset, size, rank, shuffle=shuffle, seed=seed, drop_last=True
    )
