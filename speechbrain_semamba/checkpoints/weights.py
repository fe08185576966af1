"""Weights from files, which must fit to be loaded."""

import logging
import warnings
from pathlib import Path

import torch

from speechbrain_semamba.utils.messages import why_not_loaded, why_not_written
from speechbrain_semamba.utils.whole_files import whole_file

logger = logging.getLogger(__name__)


def read_weights(path, key=None):
    """Reads a state dict; never runs code that the file may carry.

    Arguments
    ---------
    path : str
        A file that ``torch.save`` wrote.
    key : str
        Where the file may hold the state dict, as the official training
        script saves it; a plain state dict is taken as it is.

    Returns
    -------
    dict
        Tensors by name, on the CPU, without the prefix of DataParallel.

    Raises
    ------
    ValueError
        If the file is not readable as weights.

    Example
    -------
    >>> folder = getfixture("tmp_path")
    >>> torch.save({"module.weight": torch.ones(1)}, folder / "a.pt")
    >>> read_weights(folder / "a.pt")
    {'weight': tensor([1.])}
    """
    try:
        with warnings.catch_warnings():
            # what matters of them is in the error
            warnings.simplefilter("ignore", UserWarning)
            weights = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise
    except Exception as error:  # torch.load raises whatever the bytes provoke
        raise ValueError(
            f"{path} holds no readable weights: {why_not_loaded(error)}"
        ) from error
    if isinstance(weights, dict) and isinstance(weights.get(key), dict):
        weights = weights[key]
    if not _is_state_dict(weights):
        raise ValueError(
            f"{path} holds no state dict of tensors{_what_else(weights, key)}"
        )
    return {k.removeprefix("module."): v for k, v in weights.items()}


def _is_state_dict(weights):
    return isinstance(weights, dict) and all(
        isinstance(k, str) and torch.is_tensor(v) for k, v in weights.items()
    )


def _what_else(weights, key):
    """Ends the sentence about a file that has other things inside."""
    if key is None or not isinstance(weights, dict):
        return ""
    inside = ", ".join(repr(k) for k in list(weights)[:5])
    return (
        f", nor one under {key!r}, but {inside or 'nothing'}; the official "
        "training has the generator in its g_ files, the discriminator in its "
        "do_ files"
    )


def save_weights(state, path):
    """Writes what ``torch.save`` can write, whole or not at all.

    Arguments
    ---------
    state : dict
        Tensors by name, or such a dict at a key.
    path : pathlib.Path
        The file; its folder exists.

    Raises
    ------
    OSError
        If it cannot be written; PyTorch itself gives no error number then.

    Example
    -------
    >>> path = getfixture("tmp_path") / "a.ckpt"
    >>> save_weights({"a": torch.ones(1)}, path)
    >>> read_weights(path)
    {'a': tensor([1.])}
    """
    try:
        with whole_file(path) as partial:
            torch.save(state, partial)
    except RuntimeError as error:
        reason = why_not_written(error)
        if reason is None:
            raise
        raise OSError(f"{path.name} could not be written: {reason}") from error


def find_weights(path):
    """Returns the path of a file that must be there, for a ``Pretrainer``.

    For what lies in no folder, SpeechBrain's own search asks the network, and
    does so after the data are prepared.

    Arguments
    ---------
    path : str
        Where the file should be.

    Returns
    -------
    str
        The same.

    Raises
    ------
    FileNotFoundError
        If there is no such file.

    Example
    -------
    >>> path = getfixture("tmp_path") / "generator.ckpt"
    >>> torch.save({}, path)
    >>> find_weights(path).endswith("generator.ckpt")
    True
    """
    path = str(path)
    if not Path(path).is_file():
        raise FileNotFoundError(
            f"Pretrained weights must be a local file, but {path} is none: "
            "mend the path."
        )
    return path


def load_strictly(module, path, key=None, optional=False):
    """Loads weights that must fit, name by name and shape by shape.

    SpeechBrain's own loading of pretrained weights passes over a wrong
    checkpoint in silence; exported model folders name this function instead.

    Arguments
    ---------
    module : torch.nn.Module
        What the weights are for.
    path : str
        A file that holds a state dict.
    key : str
        Where the file may hold it, as for ``read_weights``.
    optional : bool
        Whether the file may be missing; the module stays as it is then.

    Raises
    ------
    ValueError
        If a name is missing or left over, or a shape differs.

    Example
    -------
    >>> path = getfixture("tmp_path") / "a.ckpt"
    >>> torch.save({"weight": torch.ones(2)}, path)
    >>> try:
    ...     load_strictly(torch.nn.PReLU(), path)
    ... except ValueError as error:
    ...     print("does not fit PReLU" in str(error))
    True
    """
    if optional and not Path(path).exists():
        name = type(module).__name__
        logger.info("No %s: %s keeps the weights it has.", path, name)
        return
    load_weights(module, read_weights(path, key), path)


def load_weights(module, weights, source):
    """Loads a state dict as strictly as ``load_strictly`` does a file.

    Arguments
    ---------
    module : torch.nn.Module
        What the weights are for.
    weights : dict
        Tensors by name.
    source : str
        What to call the weights in an error.

    Raises
    ------
    ValueError
        As ``load_strictly``.

    Example
    -------
    >>> module = torch.nn.PReLU()
    >>> load_weights(module, {"weight": torch.ones(1)}, "these weights")
    >>> module.weight.item()
    1.0
    """
    wanted = module.state_dict()
    faults = [f"lacks {k!r}" for k in wanted if k not in weights]
    faults += [f"has an extra {k!r}" for k in weights if k not in wanted]
    faults += [
        f"has {k!r} of shape {list(weights[k].shape)}, not {list(x.shape)}"
        for k, x in wanted.items()
        if k in weights and weights[k].shape != x.shape
    ]
    if faults:
        more = f" and {len(faults) - 1} more" if len(faults) > 1 else ""
        raise ValueError(
            f"{source} does not fit {type(module).__name__}: "
            f"it {faults[0]}{more}"
        )
    module.load_state_dict(weights)
