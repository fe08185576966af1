"""Text files that are never half-written."""

import json
import os
from pathlib import Path


def write_json(path, content):
    """Writes JSON such that the path never holds half of it.

    Arguments
    ---------
    path : str
        The file; its folder is made if need be.
    content : dict
        What it shall hold.
    """
    write_text(path, json.dumps(content, indent=2) + "\n")


def write_text(path, text):
    """Writes a text file such that the path never holds half of it.

    Arguments
    ---------
    path : str
        The file; its folder is made if need be.
    text : str
        What it shall hold.

    Example
    -------
    >>> path = getfixture("tmp_path") / "new" / "a.txt"
    >>> write_text(path, "whole")
    >>> path.read_text(), len(list(path.parent.iterdir()))
    ('whole', 1)
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        unfinished.write_text(text, encoding="utf-8")
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
