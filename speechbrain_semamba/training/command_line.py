"""The command line of a recipe: what it says, and what is wrong with it."""

import contextlib
import io
import json
from dataclasses import dataclass, fields

from hyperpyyaml import load_hyperpyyaml
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from speechbrain.utils.run_opts import RunOptions

from speechbrain_semamba.utils.devices import check_device
from speechbrain_semamba.utils.distributed import rank_and_size
from speechbrain_semamba.utils.messages import nearest
from speechbrain_semamba.utils.settings import flatten, read_settings, tag_of

#: Stands for the output folder, so that settings survive its moving
OUTPUT_FOLDER = "OUTPUT_FOLDER"
#: What a value may have to be; in this order, as a bool is an int
KINDS = (
    (bool, "True or False"),
    ((int, float), "a number"),
    (dict, "such as {key: value}"),
)


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
                return load_hyperpyyaml(file, self.overrides)
        except TypeError as error:
            # HyperPyYAML puts before it which class or function it is of
            if "keyword argument" not in str(error.args[-1]):
                raise
            raise ValueError(": ".join(map(str, error.args))) from error

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
    parser, said = RunOptions._create_parser(), io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            _, rest = parser.parse_known_args(arguments)
    except SystemExit as end:
        if not end.code:  # --help
            raise
        raise ValueError(said.getvalue().split("error: ")[-1].strip()) from end
    hparams_file, run_opts, _ = RunOptions.from_command_line_args(arguments)
    preview = read_settings(hparams_file, resolve=False)
    options = [o for a in parser._actions for o in a.option_strings]
    _check_names(arguments, [*options, *(f"--{key}" for key in preview)])
    values = _pair_up(rest)
    for key, text in values.items():
        if _is_text(preview[key]):
            values[key] = _as_text(text)
        else:
            _check_value(key, _parse(key, text), preview[key])
    for key, node in preview.items():
        if tag_of(node) == "!PLACEHOLDER" and key not in values:
            raise ValueError(f"{key} must be given: --{key}=...")
    check_device(run_opts.device or preview.get("device") or "cpu")
    return Command(hparams_file, run_opts, values)


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


def _is_text(default):
    """Whether a key's values are names of files and the like."""
    if tag_of(default) in ("!ref", "!PLACEHOLDER"):
        return True
    return isinstance(default, str) and tag_of(default) is None


def _as_text(text):
    """A name as yaml, whatever is in it; a tag, such as !ref, stays one."""
    if text.startswith("!"):
        return text
    quoted = text[:1] == text[-1:] and text[:1] in ("'", '"') and text[1:]
    return json.dumps(text[1:-1] if quoted else text)


def _parse(key, text):
    """What a value's text says."""
    try:
        return YAML(typ="rt").load(f"{key}: {text}")[key]
    except (YAMLError, TypeError, KeyError) as error:
        raise ValueError(f"--{key}={text} is not readable as yaml") from error


def _check_value(key, given, default):
    """Refuses a value of another kind than the yaml's own."""
    for kind, words in KINDS:
        if isinstance(default, kind):
            is_bool = isinstance(given, bool)
            if tag_of(given) is None and (
                not isinstance(given, kind) or is_bool != (kind is bool)
            ):
                raise ValueError(f"{key} must be {words}, not {given!r}")
            break
    if isinstance(default, dict):
        for name in default.keys() & given.keys():
            _check_value(f"{key}.{name}", given[name], default[name])


def _as_yaml(values):
    return "\n".join(f"{key}: {text}" for key, text in values.items())
