"""Ctrl-C at work, amid an import, and where another rule holds."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from speechbrain_semamba.utils.interrupts import heeding_interrupts


def test_at_work_it_is_an_exception_and_the_old_rule_returns():
    with pytest.raises(KeyboardInterrupt):
        with heeding_interrupts("no word of this"):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_import_that_swallows_it_is_ended(tmp_path):
    (tmp_path / "swallow.py").write_text(
        "import os, signal, time\n"
        "try:\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    time.sleep(5)\n"
        "except KeyboardInterrupt:\n"
        "    pass\n"
    )
    code = (
        "import sys\n"
        "from speechbrain_semamba.utils.interrupts import heeding_interrupts\n"
        f"sys.path.append({str(tmp_path)!r})\n"
        "with heeding_interrupts('ended'):\n"
        "    import swallow\n"
        "print('went on')\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    assert (run.returncode, run.stdout, run.stderr) == (130, "", "ended\n")


def test_who_ignores_it_goes_on_ignoring_it():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with heeding_interrupts("no word of this"):
            os.kill(os.getpid(), signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_thread_changes_nothing():
    seen = []

    def work():
        with heeding_interrupts("no word of this"):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]
