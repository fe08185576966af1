"""Users' mistakes in one line, bugs with their traceback."""

import signal

import pytest
import torch

from speechbrain_semamba.utils.messages import Faults
from speechbrain_semamba.utils.mistakes import mistakes_in_one_line


def run(function, *mistakes):
    with mistakes_in_one_line("train.py", *mistakes, if_short="lower it"):
        function()


def raiser(error):
    def function():
        raise error

    return function


def too_much():
    torch.empty(2**56, dtype=torch.int8)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried\nto allocate"),
        RuntimeError("not enough memory: DefaultCPUAllocator: no"),
        MemoryError(),
    ],
)
def test_out_of_memory(error):
    with pytest.raises(SystemExit) as end:
        run(raiser(error))
    assert "out of memory" in end.value.code and "\n" not in end.value.code
    assert end.value.code.endswith("; lower it")


def test_out_of_memory_for_real():
    with pytest.raises(SystemExit, match="out of memory"):
        run(too_much)


@pytest.mark.parametrize("kind", [KeyError, RuntimeError, TypeError])
def test_bugs_keep_their_traceback(kind):
    with pytest.raises(kind):
        run(raiser(kind("a bug")), OSError, ValueError)


def test_ctrl_c(capsys):
    with pytest.raises(SystemExit) as end:
        run(raiser(KeyboardInterrupt()), OSError)
    assert end.value.code == 130
    assert capsys.readouterr().err == "train.py: interrupted\n"


def test_ctrl_c_that_becomes_an_error(capsys):
    """Libraries with an ``except`` for everything do that."""

    def function():
        try:
            signal.raise_signal(signal.SIGINT)
        except BaseException as error:
            raise KeyError("no constructor") from error

    with pytest.raises(SystemExit) as end:
        run(function)
    assert end.value.code == 130
    assert capsys.readouterr().err == "train.py: interrupted\n"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_last_line_of_what_a_worker_raised():
    text = "Caught ValueError in DataLoader worker process 0.\nTrace\nV: no"
    with pytest.raises(SystemExit) as end:
        run(raiser(ValueError(text)), ValueError)
    assert end.value.code == "train.py: error: V: no"


def test_one_line_is_enough_unless_faults_are_listed():
    for kind, shown in ((ValueError, "a rule"), (Faults, "a rule\na\nb")):
        with pytest.raises(SystemExit) as end:
            run(raiser(kind("a rule\na\nb")), ValueError)
        assert end.value.code == f"train.py: error: {shown}"
