"""The official code's config.yaml: its keys and our arguments."""

import math
from decimal import Decimal

from speechbrain_semamba.processing.spectral import MagPhaseSTFT
from speechbrain_semamba.utils.messages import nearest
from speechbrain_semamba.utils.settings import flatten, read_settings

#: Official key -> ours, or the number that our model has built in
KEYS = {
    "stft_cfg.sampling_rate": "sample_rate",
    "stft_cfg.n_fft": "stft.n_fft",
    "stft_cfg.hop_size": "stft.hop_length",
    "stft_cfg.win_size": "stft.win_length",
    "model_cfg.hid_feature": "generator.channels",
    "model_cfg.compress_factor": "stft.compression",
    "model_cfg.num_tfmamba": "generator.num_blocks",
    "model_cfg.d_state": "generator.d_state",
    "model_cfg.d_conv": "generator.d_conv",
    "model_cfg.expand": "generator.expand",
    "model_cfg.norm_epsilon": 1e-5,
    "model_cfg.beta": "generator.beta",
    "model_cfg.input_channel": 2,
    "model_cfg.output_channel": 1,
}
#: Those of ours that are not counts
REAL = {"stft.compression", "generator.beta"}
#: Sections that say how a model is trained, not what it is
OF_A_RUN = {"env_setting", "data_cfg", "training_cfg"}
HEAD = """\
# The sections of the official SEMamba's config.yaml that say what a model is.
# Its training needs env_setting, data_cfg and training_cfg as well.
"""


def read_official_config(path, sizes):
    """What the official config.yaml says of a model.

    Arguments
    ---------
    path : str
        The file.
    sizes : dict
        What the weights say, as of ``generator_sizes``.

    Returns
    -------
    dict
        "sample_rate" in Hz, and the keyword arguments of "stft" and
        "generator".

    Raises
    ------
    ValueError
        If the file is no yaml, lacks a key, has an unknown one, or says
        another thing than the weights; lists them all.
    FileNotFoundError
        If there is no such file.

    Example
    -------
    >>> path = getfixture("tmp_path") / "config.yaml"
    >>> sizes = dict(channels=8, num_blocks=1, d_state=16, d_conv=4, expand=4, n_fft=400)
    >>> stft = dict(n_fft=400, hop_length=100, win_length=400, compression=0.3)
    >>> parts = {"sample_rate": 16000, "stft": stft, "generator": {**sizes, "beta": 2.0}}
    >>> _ = path.write_text(official_config(parts))
    >>> read_official_config(path, sizes) == parts
    True
    """
    config = flatten(read_settings(path, resolve=False))
    if faults := _faults(config, sizes):
        raise ValueError(
            f"{path} does not describe these weights: {faults}; give the "
            "config.yaml that they were trained with"
        )
    parts = _parts(config)
    # n_fft, which the official config says once, is of both
    parts["generator"] = {**sizes, **parts["generator"]}
    return parts


def official_config(parts, source="the model"):
    """The text of an official config.yaml.

    Arguments
    ---------
    parts : dict
        As of ``read_official_config``, nothing left to a default.
    source : str
        What to call the model in an error.

    Returns
    -------
    str
        The sections about the model and its transform.

    Raises
    ------
    ValueError
        If the official code could not be told so.
    """
    ours = flatten(parts)
    config = {
        key: ours.get(name) if isinstance(name, str) else name
        for key, name in KEYS.items()
    }
    if faults := _faults(config, parts["generator"]):
        raise ValueError(
            f"the official code knows no model such as {source}: {faults}; "
            "leave its config.yaml out"
        )
    lines, section = [HEAD.rstrip()], None
    for key, value in config.items():
        if key.split(".")[0] != section:
            section = key.split(".")[0]
            lines.append(f"{section}:")
        # PyYAML, which the official code reads with, takes 1e-05 for text
        number = format(Decimal(repr(value)), "f")
        lines.append(f"  {key.split('.')[1]}: {number}")
    return "\n".join(lines) + "\n"


def _faults(config, sizes):
    """All that is wrong with a config, in a line."""
    wanted = {f"generator.{k}": v for k, v in sizes.items() if k != "beta"}
    wanted["stft.n_fft"] = sizes["n_fft"]
    names = [key.split(".")[1] for key in KEYS]
    faults = [
        f"{key} is unknown{nearest(key.split('.')[-1], names)}"
        for key in config
        if key not in KEYS and key.split(".")[0] not in OF_A_RUN
    ]
    for key, name in KEYS.items():
        rule = _broken_rule(name, config.get(key), wanted)
        if key in config and rule:
            faults.append(f"{key} must be {rule}, found {config[key]!r}")
    if missing := [key for key in KEYS if key not in config]:
        faults.append(f"it lacks {', '.join(missing)}")
    if not faults:
        try:
            MagPhaseSTFT(**_parts(config)["stft"])
        except ValueError as error:
            faults.append(_in_official_words(str(error)))
    return "; ".join(faults)


def _in_official_words(reason):
    for key, name in KEYS.items():
        if str(name).startswith("stft."):
            reason = reason.replace(name.split(".")[1], key.split(".")[1])
    return reason


def _broken_rule(name, value, wanted):
    """What a value should be, or None if it is that."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not isinstance(name, str):
        return None if is_number and value == name else f"{name}"
    if name in wanted:
        same = is_number and value == wanted[name]
        return None if same else f"{wanted[name]} as in the weights"
    if name in REAL:
        above = is_number and 0 < value and math.isfinite(value)
        return None if above else "a number above 0"
    count = is_number and isinstance(value, int) and value > 0
    return None if count else "a whole number from 1 on"


def _parts(config):
    """A checked config as arguments of ours."""
    parts = {"sample_rate": None, "generator": {}, "stft": {}}
    for key, name in KEYS.items():
        if not isinstance(name, str):
            continue
        # plain numbers, without the yaml's way of writing them
        value = (float if name in REAL else int)(config[key])
        part, _, argument = name.partition(".")
        if argument:
            parts[part][argument] = value
        else:
            parts[part] = value
    return parts
