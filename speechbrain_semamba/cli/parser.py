"""The parser of the command line: a mistake is one line, with the way out."""

import argparse
import sys

from speechbrain_semamba.utils.messages import nearest


class OneLineParser(argparse.ArgumentParser):
    """An ``ArgumentParser`` that answers a mistake in one line, not with its
    usage, and knows what a mistyped option was meant to be.

    Arguments
    ---------
    **kwargs
        As for ``argparse.ArgumentParser``.

    Example
    -------
    >>> parser = OneLineParser(prog="semamba")
    >>> _ = parser.add_argument("--model", required=True)
    >>> parser.parse_args(["--model", "folder"]).model
    'folder'
    """

    def __init__(self, **kwargs):
        self._options = []
        # an abbreviation would mean something else once there are more options
        super().__init__(allow_abbrev=False, **kwargs)

    def add_argument(self, *args, **kwargs):
        """As ``argparse`` does; remembers the options' names."""
        action = super().add_argument(*args, **kwargs)
        self._options += action.option_strings
        return action

    def parse_known_args(self, args=None, namespace=None):
        """As ``argparse`` does, but names a mistyped option first.

        Else ``--modle folder`` would be told that ``--model`` is missing.
        """
        for word in sys.argv[1:] if args is None else args:
            name = word.split("=")[0]
            # what follows a command is for its own parser to judge
            if name == "--" or (self._subparsers and name[:1] != "-"):
                break
            if name.startswith("--") and name not in self._options:
                self.error(
                    f"there is no option {name}{nearest(name, self._options)}"
                )
        return super().parse_known_args(args, namespace)

    def error(self, message):
        """Ends the process with status 2."""
        self.exit(
            2, f"semamba: error: {message}; '{self.prog} --help' lists all\n"
        )


def whole_number(text):
    """A type of an argument: a count of something.

    Arguments
    ---------
    text : str
        The word of the command line.

    Returns
    -------
    int
        At least 1.

    Raises
    ------
    argparse.ArgumentTypeError
        If it is none.

    Example
    -------
    >>> whole_number("2")
    2
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(
            f"must be a whole number from 1 on, found {text!r}"
        )
    return int(text)


def add_overwrite(parser):
    """The option of those commands that make a model folder.

    Arguments
    ---------
    parser : OneLineParser
        Of the command.

    Example
    -------
    >>> parser = OneLineParser(prog="semamba export")
    >>> add_overwrite(parser)
    >>> parser.parse_args([]).overwrite
    False
    """
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace a model folder that is there already",
    )
