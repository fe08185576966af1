"""The command ``semamba``, one file a command.

- ``enhance``: noisy files -> enhanced ones
- ``export``: a training run -> a model folder
- ``convert``: official weights -> a model folder
- ``info``: what is installed, and what runs here
- ``parser``: what they share: the parser of the command line
"""

import logging
import sys

from speechbrain_semamba import __version__
from speechbrain_semamba.cli import convert, enhance, export, info
from speechbrain_semamba.cli.parser import OneLineParser
from speechbrain_semamba.utils.interrupts import heeding_interrupts
from speechbrain_semamba.utils.messages import first_line

# What a command needs is imported where it runs, so that --help is quick.
COMMANDS = {
    "enhance": enhance,
    "export": export,
    "convert": convert,
    "info": info,
}
INTERRUPTED = "semamba: interrupted"


def main(arguments=None):
    """Runs the command line.

    Arguments
    ---------
    arguments : list of str
        The words after ``semamba``; those of the process if None.

    Returns
    -------
    int
        Exit status: 0, 1 after a mistake that is named in one line, 130
        after Ctrl-C. A mistyped command line ends the process with 2.

    Example
    -------
    >>> main(["export", "/no/run", "/no/folder"])
    1
    """
    try:
        options = _make_parser().parse_args(arguments)
        _show_warnings()
        with heeding_interrupts(INTERRUPTED):
            options.run(options)
    except (MemoryError, OSError, ValueError) as error:
        print(f"semamba: error: {first_line(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(INTERRUPTED, file=sys.stderr)
        return 130
    return 0


def _show_warnings():
    """On stderr, and no more: SpeechBrain's loggers are set to tell all."""
    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)
    logging.basicConfig(format="semamba: %(message)s", handlers=[handler])


def _make_parser():
    parser = OneLineParser(
        prog="semamba", description="SEMamba speech enhancement"
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, module in COMMANDS.items():
        summary = module.__doc__.split("\n")[0]
        command = commands.add_parser(name, help=summary, description=summary)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser
