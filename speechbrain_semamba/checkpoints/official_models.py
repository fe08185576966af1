"""Makes model folders of official weights, and official weights of them."""

import inspect
from pathlib import Path

from speechbrain_semamba.checkpoints.model_folder import (
    check_replaceable,
    write_model_folder,
)
from speechbrain_semamba.checkpoints.official_config import (
    official_config,
    read_official_config,
)
from speechbrain_semamba.checkpoints.official_weights import (
    OFFICIAL_STFT,
    from_official_generator,
    generator_sizes,
    to_official_generator,
)
from speechbrain_semamba.checkpoints.parts import CLASSES, part_node, read_part
from speechbrain_semamba.checkpoints.weights import (
    load_weights,
    read_weights,
    save_weights,
)
from speechbrain_semamba.lobes.models.metric_discriminator import (
    MetricDiscriminator,
)
from speechbrain_semamba.lobes.models.semamba import SEMamba
from speechbrain_semamba.utils.messages import first_line
from speechbrain_semamba.utils.settings import flatten, tag_of
from speechbrain_semamba.utils.whole_files import check_new_file, write_text

#: What the official transform has built in, as a yaml would say it
BUILT_IN = {"window_fn": "!name:torch.hann_window", "pad_mode": "reflect"}


def convert_official(
    generator_path,
    out_folder,
    discriminator_path=None,
    config_path=None,
    overwrite=False,
):
    """Makes a model folder of the official implementation's weights.

    Arguments
    ---------
    generator_path : str
        The official checkpoint; its sizes are read off the tensors.
    out_folder : str
        The folder to make.
    discriminator_path : str
        The official discriminator, kept beside it for fine-tuning.
    config_path : str
        The official config.yaml, for what leaves no trace in the weights:
        beta, the transform and the sampling rate. That of the official
        recipes if None.
    overwrite : bool
        Whether a folder that is there already may be replaced.

    Returns
    -------
    dict
        The arguments of ``SEMamba`` that were found.

    Raises
    ------
    ValueError
        If a file does not hold what it should.
    FileExistsError
        If ``out_folder`` holds something and may not be replaced.
    """
    check_replaceable(Path(out_folder), overwrite)
    weights = read_weights(generator_path, "generator")
    try:
        weights = from_official_generator(weights)
        sizes = generator_sizes(weights)
        model = SEMamba(**sizes)
    except ValueError as error:
        raise ValueError(f"{generator_path}: {error}") from error
    load_weights(model, weights, generator_path)
    if config_path is not None:
        parts = read_official_config(config_path, sizes)
    elif sizes["n_fft"] == OFFICIAL_STFT["n_fft"]:
        parts = {"generator": sizes, "stft": None, "sample_rate": 16000}
    else:
        raise ValueError(
            f"{generator_path} is for a transform of {sizes['n_fft']} points, "
            f"the official recipes' has {OFFICIAL_STFT['n_fft']}; give its "
            "config.yaml with --config"
        )
    discriminator = None
    if discriminator_path is not None:
        discriminator = read_weights(discriminator_path, "discriminator")
        load_weights(MetricDiscriminator(), discriminator, discriminator_path)
    write_model_folder(
        out_folder,
        weights,
        parts["generator"],
        parts["stft"],
        parts["sample_rate"],
        origin="official weights",
        discriminator=discriminator,
        overwrite=overwrite,
    )
    return parts["generator"]


def write_official(
    folder,
    generator_path,
    discriminator_path=None,
    config_path=None,
    overwrite=False,
):
    """Writes a model folder's weights as the official code reads them.

    Arguments
    ---------
    folder : str
        The model folder.
    generator_path : str
        The file to write, ``{"generator": ...}`` like the official g_ files.
    discriminator_path : str
        A file to write with the discriminator, a plain state dict like the
        official ``pretrained_discriminator.pth``.
    config_path : str
        A config.yaml to write, of the sections that are about the model.
    overwrite : bool
        Whether files that are there already may be replaced.

    Raises
    ------
    ValueError
        If the official code has no such model.
    FileExistsError
        If a file exists and may not be replaced.
    OSError
        If one is missing or cannot be written.
    """
    folder = Path(folder)
    paths = generator_path, discriminator_path, config_path
    paths = [None if path is None else Path(path) for path in paths]
    generator_path, discriminator_path, config_path = paths
    _check_places(folder, list(filter(None, paths)), overwrite)
    # whatever is wrong with the folder is found before anything is written
    parts, model = _official_parts(folder)
    generator = _read_fitting(model, folder / "generator.ckpt")
    if discriminator_path:
        path = folder / "discriminator.ckpt"
        discriminator = _read_fitting(MetricDiscriminator(), path)
    if config_path:
        write_text(config_path, official_config(parts, folder))
    if discriminator_path:
        save_weights(discriminator, discriminator_path)
    save_weights(
        {"generator": to_official_generator(generator)}, generator_path
    )


def _check_places(folder, paths, overwrite):
    """Refuses to write where something would be lost."""
    for path in paths:
        check_new_file(path, overwrite)
        if path.parent.resolve() == folder.resolve():
            raise ValueError(
                f"{path} would lie in the model folder itself; name a file "
                "elsewhere"
            )
    if len({path.resolve() for path in paths}) < len(paths):
        names = ", ".join(map(str, paths))
        raise ValueError(f"each file needs a name of its own, found {names}")


def _official_parts(folder):
    """All arguments of a model that the official code has too, and it."""
    parts = {"sample_rate": read_part(folder, "sample_rate")}
    made = {}
    for part in ("generator", "stft"):
        node, cls = read_part(folder, part), CLASSES[part]
        if tag_of(node) != tag_of(part_node(part, {})):
            raise ValueError(
                f"the official code's {part} is {cls.__name__}, but "
                f"{folder} has {tag_of(node)}; only the former can be converted"
            )
        _check_built_in(node, folder)
        arguments = {k: v for k, v in node.items() if k not in BUILT_IN}
        try:
            made[part] = cls(**arguments)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{folder}/hyperparams.yaml makes no {cls.__name__}: "
                f"{first_line(error)}; mend it, or make the folder anew"
            ) from error
        defaults = inspect.signature(cls).parameters.items()
        parts[part] = {k: v.default for k, v in defaults} | arguments
    return parts, made["generator"]


def _check_built_in(node, folder):
    """Refuses what the official transform could not be told."""
    for key, value in flatten(node).items():
        name = key.split(".")[0]
        if name in BUILT_IN and (key, value) not in BUILT_IN.items():
            raise ValueError(
                f"the official transform has {name} {BUILT_IN[name]}, but "
                f"{folder} has {key} {value}; it cannot be converted"
            )


def _read_fitting(model, path):
    """The weights of a model's file, proved to be its own."""
    if not path.is_file():
        raise FileNotFoundError(
            f"{path.parent} holds no {path.name}; name a model folder that "
            "has one, or leave this file out"
        )
    weights = read_weights(path)
    load_weights(model, weights, path)
    return weights
