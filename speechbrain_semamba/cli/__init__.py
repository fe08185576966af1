"""The command ``semamba``, one file a command.

- ``enhance``: noisy files -> enhanced ones
- ``evaluate``: folders of files -> their scores, summary and report
- ``plot``: files -> waveforms and spectrograms; a run -> learning curves
- ``export``: a training run -> a model folder
- ``convert``: official weights -> a model folder, and back
- ``demo``: a page to try models on in a browser
- ``info``: what is installed, and what runs here
- ``parser``: what they share: the parser of the command line
"""

import logging
import sys

from speechbrain_semamba import __version__
from speechbrain_semamba.cli import (
    convert,
    demo,
    enhance,
    evaluate,
    export,
    info,
    plot,
)
from speechbrain_semamba.cli.parser import OneLineParser
from speechbrain_semamba.utils.mistakes import MISTAKES, mistakes_in_one_line

# What a command needs is imported where it runs, so that --help is quick.
COMMANDS = {
    "enhance": enhance,
    "evaluate": evaluate,
    "plot": plot,
    "export": export,
    "convert": convert,
    "demo": demo,
    "info": info,
}


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
    options = _make_parser().parse_args(arguments)
    _show_warnings()
    try:
        # a command says of a MemoryError what was too large
        with mistakes_in_one_line("semamba", *MISTAKES, MemoryError):
            options.run(options)
    except SystemExit as end:
        if not isinstance(end.code, str):
            return end.code
        print(end.code, file=sys.stderr)
        return 1
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
