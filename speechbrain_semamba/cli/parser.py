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
        self._words = None
        # an abbreviation would mean something else once there are more options
        super().__init__(allow_abbrev=False, **kwargs)

    def add_words(self, name, **kwargs):
        """An argument of any number of words, before, between and after the
        options; ``argparse`` alone takes none after the first options.

        Arguments
        ---------
        name : str
            What the words are called.
        **kwargs
            As for ``add_argument``.

        Example
        -------
        >>> parser = OneLineParser(prog="semamba")
        >>> parser.add_words("names")
        >>> _ = parser.add_argument("--model")
        >>> parser.parse_args(["a", "--model", "m", "b", "--", "-c"]).names
        ['a', 'b', '-c']
        """
        self.add_argument(name, nargs="*", **kwargs)
        self._words = name

    def parse_known_args(self, args=None, namespace=None):
        """As ``argparse`` does, but names a mistyped option first.

        Else ``--modle folder`` would be told that ``--model`` is missing.
        """
        args = list(sys.argv[1:] if args is None else args)
        known = self._option_string_actions
        for word in args:
            name = word.split("=")[0]
            # what follows a command is for its own parser to judge
            if name == "--" or (self._subparsers and name[:1] != "-"):
                break
            if name.startswith("--") and name not in known:
                self.error(f"there is no option {name}{nearest(name, known)}")
        if self._words is None:
            return super().parse_known_args(args, namespace)
        at = args.index("--") if "--" in args else len(args)
        options, rest = super().parse_known_args(args[:at], namespace)
        words = [word for word in rest if word == "-" or word[:1] != "-"]
        words = getattr(options, self._words) + words + args[at + 1 :]
        setattr(options, self._words, words)
        return options, [word for word in rest if word not in words]

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
