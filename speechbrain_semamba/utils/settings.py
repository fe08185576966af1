"""HyperPyYAML read as text: references resolved, nothing constructed."""

import io
import warnings

from hyperpyyaml import resolve_references
from ruamel.yaml import YAML, Tag
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import ReusedAnchorWarning, YAMLError


def read_settings(path, overrides=None, resolve=True):
    """Reads a yaml and constructs nothing.

    Arguments
    ---------
    path : str
        A file in HyperPyYAML.
    overrides : str or dict
        What replaces its values, as for ``load_hyperpyyaml``.
    resolve : bool
        Whether references are replaced by what they refer to.

    Returns
    -------
    dict
        Plain values, and nodes that carry their tags.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not readable as yaml; names the place.

    Example
    -------
    >>> path = getfixture("tmp_path") / "a.yaml"
    >>> _ = path.write_text("a: 1\\nb: !new:collections.Counter {n: !ref <a>}")
    >>> settings = read_settings(path, {"a": 2})
    >>> tag_of(settings["b"]), dict(settings["b"])
    ('!new:collections.Counter', {'n': 2})
    """
    try:
        with open(path, encoding="utf-8") as file, warnings.catch_warnings():
            # SpeechBrain's copy of a run's yaml names some anchors twice
            warnings.simplefilter("ignore", ReusedAnchorWarning)
            settings = YAML(typ="rt").load(file)
            if resolve and isinstance(settings, dict):
                file.seek(0)
                resolved = resolve_references(file, overrides).getvalue()
                settings = YAML(typ="rt").load(resolved)
    except (YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is damaged: {_place(error)}") from error
    if not isinstance(settings, dict):
        raise ValueError(f"{path} is damaged: it holds no keys")
    return settings


def _place(error):
    """What is wrong, and in which line."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or type(error).__name__
    return f"{problem} in line {mark.line + 1}" if mark else problem


def tag_of(node):
    """The tag of a node, such as ``!new:package.Class``.

    Arguments
    ---------
    node : object
        What ``read_settings`` found at a key.

    Returns
    -------
    str
        None if it has none.

    Example
    -------
    >>> tag_of(tagged("!new:a.B", {})), tag_of({})
    ('!new:a.B', None)
    """
    tag = getattr(node, "tag", None)
    value = getattr(tag, "value", None)
    # yaml's own tags say no more than the value's type
    return None if value is None or value.startswith("tag:") else value


def tagged(tag, arguments):
    """A node that makes an object, to be dumped.

    Arguments
    ---------
    tag : str
        Such as ``!new:package.Class``.
    arguments : dict
        Keyword arguments.

    Returns
    -------
    dict
        The arguments, with the tag.

    Example
    -------
    >>> dict(tagged("!new:a.B", {"n": 2}))
    {'n': 2}
    """
    node = CommentedMap(arguments)
    node.yaml_set_ctag(Tag(suffix=tag))
    return node


def dump_settings(settings):
    """Settings as the text of a yaml, without the comments of their source.

    Arguments
    ---------
    settings : dict
        Plain values, and nodes as of ``read_settings`` or ``tagged``.

    Returns
    -------
    str
        Block style, four spaces an indent.

    Example
    -------
    >>> print(dump_settings({"a": tagged("!new:collections.Counter", {"n": 2})}))
    a: !new:collections.Counter
        n: 2
    <BLANKLINE>
    """
    yaml, stream = YAML(typ="rt"), io.StringIO()
    yaml.indent(mapping=4, sequence=6, offset=4)
    yaml.dump(_without_comments(settings, {}), stream)
    return stream.getvalue()


def _without_comments(node, copies):
    """A copy in which what was one node stays one."""
    if not isinstance(node, (dict, list)):
        return node
    if id(node) not in copies:
        copy = CommentedMap() if isinstance(node, dict) else CommentedSeq()
        copies[id(node)] = copy
        if tag := tag_of(node):
            copy.yaml_set_ctag(Tag(suffix=tag))
        if isinstance(node, dict):
            for key, value in node.items():
                copy[key] = _without_comments(value, copies)
        else:
            copy.extend(_without_comments(value, copies) for value in node)
    return copies[id(node)]


def flatten(settings):
    """Settings as plain values by dotted keys, in the order of the yaml.

    Arguments
    ---------
    settings : dict
        As of ``read_settings``.

    Returns
    -------
    dict
        Numbers, text, booleans or None. The tag of a node is the value at its
        key; a node that was there before has its first key in brackets.

    Example
    -------
    >>> settings = {"a": {"b": 1, "c": [2.5]}, "__seed": 3}
    >>> settings["again"] = settings["a"]
    >>> flatten(settings)
    {'a.b': 1, 'a.c.0': 2.5, 'again': '<a>'}
    """
    flat, seen = {}, {}
    for key, node in settings.items():
        name = str(key)  # a yaml may have a number there
        if not name.startswith("__"):  # only done, as in load_hyperpyyaml
            _flatten(name, node, flat, seen)
    return flat


def _flatten(key, node, flat, seen):
    if isinstance(node, (dict, list)):
        first = seen.setdefault(id(node), key)
        if first != key:
            flat[key] = f"<{first}>"
            return
        if tag := tag_of(node):
            flat[key] = tag
        inner = node.items() if isinstance(node, dict) else enumerate(node)
        for name, value in inner:
            _flatten(f"{key}.{name}", value, flat, seen)
    elif tag := tag_of(node):
        flat[key] = f"{tag} {node.value}".strip()
    elif node is None or isinstance(node, (bool, int, float, str)):
        flat[key] = node
    else:
        flat[key] = str(node)
