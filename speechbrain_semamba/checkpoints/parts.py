"""What a model is made of, as the nodes of a yaml say it."""

from pathlib import Path

from speechbrain_semamba.lobes.models.metric_discriminator import (
    MetricDiscriminator,
)
from speechbrain_semamba.lobes.models.semamba import SEMamba
from speechbrain_semamba.processing.spectral import MagPhaseSTFT
from speechbrain_semamba.utils.settings import read_settings, tag_of, tagged

#: What a part is of where nothing else is said
CLASSES = {
    "generator": SEMamba,
    "stft": MagPhaseSTFT,
    "discriminator": MetricDiscriminator,
}


def read_part(folder, part, **arguments):
    """What a part of a model folder was made of, to be made again.

    For a yaml's ``!applyref:``, which puts it in its place.

    Arguments
    ---------
    folder : str
        A model folder.
    part : str
        "sample_rate", "generator", "stft", or "discriminator", which is one
        with default arguments if the folder has none.
    **arguments
        Of the part, instead of the folder's.

    Returns
    -------
    int or dict
        The rate in Hz, or a yaml's node of class and arguments.

    Raises
    ------
    FileNotFoundError
        If a file is missing; says which.
    ValueError
        If the file is damaged, or lacks the part.

    Example
    -------
    >>> folder = getfixture("model_folder")
    >>> read_part(folder, "sample_rate")
    16000
    >>> dict(read_part(folder, "generator"))
    {'channels': 8, 'num_blocks': 1}
    """
    path = Path(folder) / "hyperparams.yaml"
    if not path.is_file():
        raise FileNotFoundError(
            f"a model folder holds hyperparams.yaml and generator.ckpt, but "
            f"there is no {path}; mend the path, or make the folder with "
            "'semamba export' or 'semamba convert'"
        )
    settings = read_settings(path)
    if part not in settings and part != "discriminator":
        raise ValueError(f"{path} is damaged: it has no {part}")
    found = settings.get(part, {})
    if part not in CLASSES:
        return found
    node = part_node(part, found)
    node.update(arguments)
    return retagged(node, "!new:")


def part_node(part, arguments):
    """A yaml's node of a part.

    Arguments
    ---------
    part : str
        A key of ``CLASSES``.
    arguments : dict
        Keyword arguments; the class is that of their tag, if they have one.

    Returns
    -------
    dict
        The arguments, with a tag.

    Example
    -------
    >>> tag_of(part_node("stft", {})).split(".")[-1]
    'MagPhaseSTFT'
    """
    cls = CLASSES[part]
    tag = tag_of(arguments) or f"!new:{cls.__module__}.{cls.__qualname__}"
    # of a class without arguments, a yaml has the empty text
    return tagged(tag, arguments if isinstance(arguments, dict) else {})


def retagged(node, kind):
    """A part's node, to be made (``!new:``) or only named (``!name:``).

    Arguments
    ---------
    node : dict
        As of ``part_node``.
    kind : str
        How its tag shall begin.

    Returns
    -------
    dict
        The same class and arguments.

    Example
    -------
    >>> tag_of(retagged(tagged("!new:a.B", {}), "!name:"))
    '!name:a.B'
    """
    _, name = tag_of(node).split(":", 1)
    return tagged(f"{kind}{name}", node)
