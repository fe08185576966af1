"""Values for the keys of a yaml: of the kind that the yaml has there."""

import math
from fnmatch import fnmatchcase

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from speechbrain_semamba.utils.messages import nearest
from speechbrain_semamba.utils.settings import tag_of

#: What a value may have to be; in this order, as a bool is an int
KINDS = (
    (bool, "True or False"),
    (int, "a whole number"),
    (float, "a number"),
    (dict, "such as {key: value}"),
    (str, "text"),
)
#: Patterns of the keys of numbers that may be negative: decibels
SIGNED = ("*snr_*",)
#: Mappings that may get keys which the yaml does not have: options of a class
OPEN = ("*_opts",)


def is_text(node):
    """Whether a key's values are names of files and the like.

    Arguments
    ---------
    node : object
        What the yaml has there, unresolved.

    Returns
    -------
    bool
        True if they need not be read as yaml.

    Example
    -------
    >>> is_text("results"), is_text(3)
    (True, False)
    """
    if tag_of(node) in ("!ref", "!PLACEHOLDER"):
        return True
    return isinstance(node, str) and tag_of(node) is None


def is_computed(node):
    """Whether a key's value is what a function gives.

    Arguments
    ---------
    node : object
        What the yaml has there, unresolved.

    Returns
    -------
    bool
        True if its tag is ``!apply:`` or ``!applyref:``.

    Example
    -------
    >>> from speechbrain_semamba.utils.settings import tagged
    >>> is_computed(tagged("!applyref:math.sqrt", {})), is_computed(3)
    (True, False)
    """
    return (tag_of(node) or "").startswith("!apply")


def as_text(text):
    """A name as yaml, whatever is in it; a tag, such as !ref, stays one.

    Arguments
    ---------
    text : str
        The name.

    Returns
    -------
    str
        Text of a yaml.

    Example
    -------
    >>> as_text("a: b"), as_text("!ref <a>")
    ('"a: b"', '!ref <a>')
    """
    if text.startswith("!"):
        return text
    quoted = text[:1] == text[-1:] and text[:1] in ("'", '"') and text[1:]
    # unlike those of json, one escape holds any character
    escaped = "".join(
        c if " " <= c <= "~" and c not in '"\\' else f"\\U{ord(c):08x}"
        for c in (text[1:-1] if quoted else text)
    )
    return f'"{escaped}"'


def parse_value(key, text):
    """What a value's text says.

    Arguments
    ---------
    key : str
        Its key.
    text : str
        Text of a yaml.

    Returns
    -------
    object
        Plain values, or nodes that carry their tags.

    Raises
    ------
    ValueError
        If it is not readable as yaml.

    Example
    -------
    >>> parse_value("lr", "1e-3")
    0.001
    """
    try:
        return YAML(typ="rt").load(f"{key}: {text}")[key]
    except (YAMLError, TypeError, KeyError) as error:
        raise ValueError(f"--{key}={text} is not readable as yaml") from error


def check_value(key, given, node, default):
    """Refuses a value of another kind than the yaml's own.

    Arguments
    ---------
    key : str
        Its dotted key.
    given : object
        What the command line says, as of ``parse_value``. What has a tag is
        taken as it is.
    node : object
        What the yaml has there, unresolved.
    default : object
        The same, resolved.

    Raises
    ------
    ValueError
        If it is of another kind, or out of range.

    Example
    -------
    >>> check_value("seed", 1e9, 1234, 1234)
    Traceback (most recent call last):
    ValueError: seed must be a whole number, not 1000000000.0
    """
    if tag_of(given) is not None:
        return
    if is_computed(node) and not isinstance(given, dict):
        raise ValueError(
            f"{key} is computed by {tag_of(node)}, and may not be {given!r}; "
            "leave it out, or give arguments of that: {key: value}"
        )
    is_made = (tag_of(default) or "").startswith("!")
    if isinstance(given, dict) and not isinstance(node, dict):
        raise ValueError(
            f"{key} has no keys of its own in the yaml, and may not be {given}"
        )
    for kind, words in KINDS:
        if isinstance(default, kind):
            _check_kind(key, given, kind, words)
            break
    else:
        # a class without arguments is an empty text that has a tag
        if is_made and not default.value and not isinstance(given, dict):
            raise ValueError(
                f"{key} must be made, such as by {tag_of(default)}, and may "
                f"not be {given!r}"
            )
    if isinstance(default, (int, float)):
        _check_range(key, given)
    if isinstance(given, dict):
        _check_inside(key, given, node, default)


def _check_kind(key, given, kind, words):
    is_one = isinstance(given, (int, float) if kind is float else kind)
    if not is_one or isinstance(given, bool) != (kind is bool):
        raise ValueError(f"{key} must be {words}, not {given!r}")


def _check_range(key, number):
    signed = any(fnmatchcase(key, pattern) for pattern in SIGNED)
    if not math.isfinite(number) or (number < 0 and not signed):
        rule = "finite" if signed else "finite, and not below 0"
        raise ValueError(f"{key} must be {rule}, but is {number!r}")


def _check_inside(key, given, node, default):
    known = [str(name) for name in default]
    is_open = tag_of(default) or any(fnmatchcase(key, p) for p in OPEN)
    for name, value in given.items():
        inner = f"{key}.{name}"
        if name in default:
            check_value(inner, value, node.get(name), default[name])
        elif not is_open:
            raise ValueError(
                f"there is no {inner}{nearest(str(name), known)}; {key} holds "
                f"{', '.join(known)}"
            )
