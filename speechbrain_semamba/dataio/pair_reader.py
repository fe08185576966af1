"""Datasets of pairs, and what they call for each item."""

from speechbrain.dataio.dataset import DynamicItemDataset


class PairReader:
    """Reads an item's pair of waves, as its epoch has it.

    An object rather than a function within one, so that it can be sent to the
    workers of a DataLoader, however they are started.

    Arguments
    ---------
    pairs : callable
        Makes the pair of an item's files, the epoch and its id, such as
        ``RecordedPairs`` or ``DynamicMixer``.
    epoch_counter : speechbrain.utils.epoch_loop.EpochCounter
        Tells the epoch. Without it, each epoch has the same pairs.

    Example
    -------
    >>> reader = PairReader(lambda wav, epoch, key: f"{wav} in epoch {epoch}")
    >>> reader("a.wav", "a")
    'a.wav in epoch 0'
    """

    def __init__(self, pairs, epoch_counter=None):
        self.pairs = pairs
        self.epoch_counter = epoch_counter

    def __call__(self, *item):
        """Reads one pair.

        Arguments
        ---------
        *item : str
            What ``pairs.takes`` names, then the utterance's id.

        Returns
        -------
        torch.Tensor
            Noisy and clean speech [2, samples].
        """
        *files, utterance = item
        epoch = self.epoch_counter.current if self.epoch_counter else 0
        return self.pairs(*files, epoch, utterance)


def make_datasets(hparams, data_root):
    """Datasets of pairs, which the yaml says how to make.

    Arguments
    ---------
    hparams : dict
        Holds ``pairs``, a maker of pairs for each dataset, the manifests
        ``train_json`` and so on, and ``epoch_counter``.
    data_root : str
        What ``{data_root}`` stands for in the manifests.

    Returns
    -------
    dict
        Datasets by name, whose items are an id, noisy and clean speech
        [samples], and the files that they were read from.
    """
    datasets = {}
    for name, pairs in hparams["pairs"].items():
        counter = hparams["epoch_counter"] if name == "train" else None
        dataset = DynamicItemDataset.from_json(
            hparams[f"{name}_json"], replacements={"data_root": data_root}
        )
        dataset.add_dynamic_item(
            PairReader(pairs, counter), [*pairs.takes, "id"], ["noisy", "clean"]
        )
        dataset.set_output_keys(["id", "noisy", "clean", *pairs.takes])
        datasets[name] = dataset
    return datasets
