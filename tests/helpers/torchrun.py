"""Commands that run in two processes."""

import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

from places import ROOT

MARK = "SEMAMBA_TEST_PROCESSES"


def environment_of(pid):
    """The environment that a process was started with, as NAME=VALUE."""
    try:
        # that of a dead one is empty
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


class Torchrun:
    """A command in two processes, of which none may be left behind.

    What it prints goes to a file; its processes are known by a variable of
    their environment, since torchrun starts them in sessions of their own.
    """

    def __init__(self, folder, *words, cwd=ROOT):
        self.log = folder / f"{uuid.uuid4().hex}.log"
        self.mark = f"{MARK}={uuid.uuid4().hex}".encode()
        name, value = self.mark.decode().split("=")
        environment = {**os.environ, name: value, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "torch.distributed.run"]
        # standalone: it finds a free port
        command += ["--standalone", "--nproc_per_node=2", *map(str, words)]
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                command, cwd=cwd, env=environment, stdout=log, stderr=log
            )

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.process.kill()
        for pid in self.running():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait()

    def printed(self):
        """All that it has printed so far."""
        return self.log.read_text(errors="replace")

    def running(self):
        """The numbers of its processes that still run."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            if self.mark in environment_of(folder.name):
                found.append(int(folder.name))
        return found

    def of_rank(self, rank):
        """The numbers of the processes of a rank."""
        mark = f"RANK={rank}".encode()
        return [pid for pid in self.running() if mark in environment_of(pid)]

    def wait_until(self, is_so, seconds=60):
        """Waits for something, as long as the command runs."""
        deadline = time.monotonic() + seconds
        while not is_so():
            assert self.process.poll() is None, self.printed()[-3000:]
            assert time.monotonic() < deadline, self.printed()[-3000:]
            time.sleep(0.02)

    def finish(self, seconds=60):
        """Waits for its end, then for that of its processes."""
        status = self.process.wait(seconds)
        deadline = time.monotonic() + 10
        while self.running() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not self.running()
        return status
