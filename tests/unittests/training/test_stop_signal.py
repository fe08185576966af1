"""Signals, noted until they can be heeded."""

import os
import signal

import pytest

from speechbrain_semamba.training import stop_signal
from speechbrain_semamba.training.stop_signal import StopSignal


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_is_noted_and_heeded_when_asked(number, caplog):
    with StopSignal() as stop:
        stop.check()
        os.kill(os.getpid(), number)
        assert stop.received == number
        with pytest.raises(SystemExit) as left:
            stop.check()
    assert left.value.code == 128 + number
    assert f"stopped by {number.name}; the same command goes on" in caplog.text


def test_one_signal_passed_on_twice_is_one(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(stop_signal.time, "monotonic", lambda: clock[0])
    with StopSignal() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        clock[0] += 2
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.received == signal.SIGTERM
        clock[0] += 2
        with pytest.raises(SystemExit):
            os.kill(os.getpid(), signal.SIGTERM)


def test_handlers_are_put_back():
    before = signal.getsignal(signal.SIGTERM)
    with StopSignal():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before
