#!/usr/bin/env python3
"""Makes the API reference, a page a file: what ``make docs`` runs.

> python docs/make.py
"""

import argparse
import sys
import warnings
from pathlib import Path

import pdoc
from pdoc import docstrings, render

ROOT = Path(__file__).resolve().parents[1]
#: The compiled library is none of Python's
MODULES = "speechbrain_semamba", "!speechbrain_semamba.ops._kernels"


def as_numpy_has_it(text):
    """SpeechBrain's docstrings are NumPy's, but for the name of a section."""
    arguments, parameters = (
        f"{name}\n{'-' * len(name)}\n" for name in ("Arguments", "Parameters")
    )
    return of_numpy(text.replace(arguments, parameters))


of_numpy, docstrings.numpy = docstrings.numpy, as_numpy_has_it


def main(arguments=None):
    """Writes the pages; what pdoc warns of is an error."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "html")
    out = parser.parse_args(arguments).out
    render.configure(
        docformat="numpy", include_undocumented=False, show_source=False
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("error", module="pdoc")
        pdoc.pdoc(*MODULES, output_directory=out)
    print(out / "index.html")


if __name__ == "__main__":
    sys.exit(main())
