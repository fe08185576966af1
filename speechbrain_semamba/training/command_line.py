"""The command line of a recipe: what it says, and what is wrong with it."""

import contextlib
import functools
import io
from dataclasses import dataclass, fields

from hyperpyyaml import load_hyperpyyaml
from speechbrain.utils.distributed import get_local_rank
from speechbrain.utils.run_opts import RunOptions

from speechbrain_semamba.training.option_values import (
    as_text,
    check_value,
    is_text,
    parse_value,
)
from speechbrain_semamba.utils.checks import check_keywords
from speechbrain_semamba.utils.devices import check_device, choose_device
from speechbrain_semamba.utils.distributed import rank_and_size
from speechbrain_semamba.utils.messages import nearest
from speechbrain_semamba.utils.settings import flatten, read_settings, tag_of

#: Stands for the output folder, so that settings survive its moving
OUTPUT_FOLDER = "OUTPUT_FOLDER"


@dataclass(frozen=True)
class Command:
    """What a recipe was started with.

    Arguments
    ---------
    hparams_file : str
        The yaml.
    run_opts : RunOptions
        SpeechBrain's run options.
    values : dict
        What replaces the yaml's values: the text of each, by its key.
    """

    hparams_file: str
    run_opts: RunOptions
    values: dict

    @property
    def overrides(self):
        """What replaces the yaml's values, as text of a yaml."""
        return _as_yaml(self.values)

    @property
    def output_folder(self):
        """Where the run writes."""
        return read_settings(self.hparams_file, self.overrides)["output_folder"]

    def load(self):
        """Constructs what the yaml describes.

        Returns
        -------
        dict
            The hyper-parameters.

        Raises
        ------
        ValueError
            If an argument is none of its class or function.
        """
        try:
            with open(self.hparams_file, encoding="utf-8") as file:
                hparams = load_hyperpyyaml(file, self.overrides)
        except TypeError as error:
            # HyperPyYAML puts before it which class or function it is of
            if "keyword argument" not in str(error.args[-1]):
                raise
            raise ValueError(": ".join(map(str, error.args))) from error
        for key, value in hparams.items():
            if isinstance(value, functools.partial):  # called later
                check_keywords(key, value.func, value.keywords)
        return hparams

    def settings(self):
        """All that was decided before the run, as plain values.

        Returns
        -------
        dict
            Values by dotted key: of the yaml, whose paths in the output
            folder do not say where that is, and of the run options.
        """
        values = {**self.values, "output_folder": OUTPUT_FOLDER}
        found = flatten(read_settings(self.hparams_file, _as_yaml(values)))
        del found["output_folder"]
        given = self.run_opts.overridden_args
        for field in fields(RunOptions):
            key = field.name
            if key in given or key not in found:
                found[key] = self.run_opts[key]
        for key in ("param_file", "overridden_args", "tqdm_barcolor"):
            del found[key]
        _, found["processes"] = rank_and_size()
        return found


def read_command(arguments):
    """Reads a recipe's command line.

    Arguments
    ---------
    arguments : list of str
        The words after the program's name.

    Returns
    -------
    Command
        What they say.

    Raises
    ------
    FileNotFoundError
        If there is no such yaml.
    ValueError
        If an option is unknown or given twice, or its value cannot be.
    """
    parser = RunOptions._create_parser()
    # a key of the yaml may begin as one of its options
    parser.allow_abbrev = False
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            _, rest = parser.parse_known_args(arguments)
    except SystemExit as end:
        if not end.code:  # --help
            raise
        raise ValueError(said.getvalue().split("error: ")[-1].strip()) from end
    hparams_file, run_opts, _ = RunOptions.from_command_line_args(
        _without(arguments, rest)
    )
    preview = read_settings(hparams_file, resolve=False)
    options = [o for a in parser._actions for o in a.option_strings]
    _check_names(arguments, [*options, *(f"--{key}" for key in preview)])
    values = _check_values(hparams_file, preview, _pair_up(rest))
    check_device(run_opts.device or preview.get("device") or "cpu")
    if run_opts.device == "cuda":  # SpeechBrain takes the first for all
        given = {name: run_opts[name] for name in run_opts.overridden_args}
        given["device"] = choose_device("cuda", int(get_local_rank() or 0))
        run_opts = RunOptions.from_dictionary(given)
    return Command(hparams_file, run_opts, values)


def _without(words, others):
    """Words but those others, which come among them in the same order."""
    others = list(others)
    return [
        w for w in words if not (others and w == others[0] and others.pop(0))
    ]


def _check_values(hparams_file, preview, values):
    """What replaces the yaml's values, if it can."""
    values = {
        key: as_text(text) if is_text(preview[key]) else text
        for key, text in values.items()
    }
    given = {key: parse_value(key, text) for key, text in values.items()}
    missing = [
        key
        for key, node in preview.items()
        if tag_of(node) == "!PLACEHOLDER" and key not in values
    ]
    places = {k: t for k, t in values.items() if is_text(preview[k])}
    others = [key for key in given if key not in places]
    for key in others:
        check_value(key, given[key], preview[key], preview[key])
    for key in missing:
        raise ValueError(f"{key} must be given: --{key}=...")
    if others:  # references say what they are when they are resolved
        defaults = read_settings(hparams_file, _as_yaml(places))
        for key in others:
            check_value(key, given[key], preview[key], defaults[key])
    return values


def _check_names(arguments, known):
    """Refuses what is no option; argparse takes the beginning of one for it."""
    names = [word.split("=")[0] for word in arguments if word[:2] == "--"]
    for name in names:
        if name not in known:
            raise ValueError(f"there is no option {name}{nearest(name, known)}")
        if names.count(name) > 1:
            raise ValueError(f"{name} must be given once, not twice")


def _pair_up(words):
    """Texts by key, of ``--key=text`` and ``--key text``."""
    values, words = {}, list(words)
    while words:
        word = words.pop(0)
        if not word.startswith("--"):
            raise ValueError(f"{word!r} belongs to no option: --key=value")
        key, equals, text = word[2:].partition("=")
        if not equals:
            if not words or words[0].startswith("--"):
                raise ValueError(f"--{key} needs a value: --{key}=...")
            text = words.pop(0)
        values[key] = text
    return values


def _as_yaml(values):
    return "\n".join(f"{key}: {text}" for key, text in values.items())
