"""Kills ``semamba enhance`` at random moments of its work, then lets it end.

Forks of a process that has PyTorch already: each would take seconds to
import it.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import torch
from forks import end_of, fork

import speechbrain_semamba.inference.enhancement  # noqa: F401 before forks
from speechbrain_semamba.cli import main


def files_in(folder):
    return {p for p in Path(folder).rglob("*") if p.is_file()}


def kill_one(words, out, number):
    """Starts a run, kills it; whether it was still at work."""
    draw = random.Random(number)
    pid = fork(main, words)
    before = len(files_in(out))
    deadline = time.monotonic() + 15
    more = draw.randrange(3)
    while len(files_in(out)) < before + more and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(draw.random() * (0.5 if more == 0 else 0.05))
    os.kill(pid, signal.SIGKILL)
    return end_of(pid) == -signal.SIGKILL


if __name__ == "__main__":
    torch.set_num_threads(1)
    out, kills, *words = sys.argv[1:]
    words += ["-o", out, "--skip-existing"]
    at_work = [kill_one(words, out, number) for number in range(int(kills))]
    print(json.dumps({"killed": sum(at_work), "ended": main(words)}))
