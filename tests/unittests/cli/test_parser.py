"""The parser of the command line: what a mistake is told."""

import pytest

from speechbrain_semamba.cli.parser import OneLineParser, whole_number


@pytest.fixture
def parser():
    parser = OneLineParser(prog="tool")
    parser.add_argument("--version", action="store_true")
    command = parser.add_subparsers(required=True, metavar="COMMAND")
    work = command.add_parser("work")
    work.add_argument("file")
    work.add_argument("--model", required=True)
    work.add_argument("--count", type=whole_number)
    work.set_defaults(version=False)
    return parser


@pytest.mark.parametrize(
    "words, message",
    [
        ("", "required: COMMAND; 'tool --help' lists all"),
        ("wrok", "invalid choice: 'wrok'"),
        ("--versoin", "no option --versoin, the nearest is --version;"),
        ("work a --modle=b", "no option --modle, the nearest is --model;"),
        ("work a --modle b", "'tool work --help' lists all"),
        ("work a --zzz b --model c", "no option --zzz; "),
        # an abbreviation today may be ambiguous tomorrow
        ("work a --mod b", "no option --mod, the nearest is --model;"),
        ("work --model b", "required: file"),
        ("work a b --model c", "unrecognized arguments: b"),
        ("work a --model b --count 0", "from 1 on, found '0'"),
        ("work a --model b --count -1", "from 1 on, found '-1'"),
        ("work a --model b --count two", "from 1 on, found 'two'"),
        ("work a --model b --count", "--count: expected one argument"),
    ],
)
def test_mistakes(parser, capsys, words, message):
    with pytest.raises(SystemExit) as exit_:
        parser.parse_args(words.split())
    assert exit_.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("semamba: error: ") and error.count("\n") == 1
    assert message in error


def test_what_is_right(parser):
    options = parser.parse_args("work --model=m --count 2 -- --file".split())
    assert (options.model, options.count, options.file) == ("m", 2, "--file")


def test_words_of_the_process(parser, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["tool", "--vresion"])
    with pytest.raises(SystemExit):
        parser.parse_args()
    assert "the nearest is --version" in capsys.readouterr().err


@pytest.mark.parametrize(
    "line, words, rest",
    [
        ("a b", ["a", "b"], []),
        ("a --model m b", ["a", "b"], []),
        ("--model m a", ["a"], []),
        ("a --model m - -- -b --c", ["a", "-", "-b", "--c"], []),
        ("a --model m -x b", ["a", "b"], ["-x"]),
        ("", [], []),
    ],
)
def test_words_before_between_and_after_options(line, words, rest):
    parser = OneLineParser(prog="semamba")
    parser.add_words("names")
    parser.add_argument("--model")
    options, unknown = parser.parse_known_args(line.split())
    assert options.names == words
    assert unknown == rest
