"""Kills a training run again and again, and compares it with one left alone.

Use: python tests/integration/kill_runs.py --kills 50 --processes 2

Every start is a fork of this process, so that it costs no import. The script
fails if weights, optimizers, averages, log or scores differ in a single bit.
"""

import argparse
import filecmp
import os
import random
import shutil
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path

# as torchrun does; PyTorch reads it when it is imported
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch  # noqa: E402

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
from places import RECIPE, ROOT  # noqa: E402

CORPUS = ROOT / "samples" / "voicebank_mini"
sys.path.insert(0, str(RECIPE))

import train  # noqa: E402

from speechbrain_semamba.checkpoints import model_folder  # noqa: E402
from speechbrain_semamba.checkpoints.checkpointer import (  # noqa: E402
    WholeCheckpointer,
)

OPTIONS = [
    "hparams/semamba_mini.yaml",
    "--device=cpu",
    "--distributed_backend=gloo",
    "--number_of_epochs=2",
    "--segment_seconds=0.4",
    "--batch_size=2",
    "--ema_decay=0.9",
    "--pesq_workers=1",
    "--ckpt_interval_minutes=0",
    "--ckpt_interval_steps=1",
    "--noprogressbar",
    "--generator={channels: 4, num_blocks: 1, d_state: 2, expand: 2}",
    "--discriminator={channels: 4, dropout: 0.5}",
]


def make_corpus(folder):
    """A few utterances of each speaker."""
    for half in ("clean", "noisy"):
        sets = {
            "trainset_28spk_wav": "*_00[12].wav",
            "testset_wav": "*_001.wav",
        }
        for name, pattern in sets.items():
            target = folder / f"{half}_{name}"
            target.mkdir(parents=True)
            for file in (CORPUS / target.name).glob(pattern):
                shutil.copy(file, target)


#: In the environment of all that a run starts
MARK = "SEMAMBA_KILL_RUNS"


class Run:
    """Starts ``train.py`` in forks, one for each process of the run."""

    def __init__(self, corpus, folder, processes):
        self.folder = folder
        self.processes = processes
        self.arguments = [
            "train.py",
            *OPTIONS,
            f"--data_folder={corpus}",
            f"--output_folder={folder}",
        ]

    def start(self, sabotage=None):
        """Starts the processes; ``sabotage`` prepares their end."""
        with socket.create_server(("localhost", 0)) as server:
            port = server.getsockname()[1]
        self.pids = []
        for rank in range(self.processes):
            pid = os.fork()
            if pid == 0:
                self._be_process(rank, port, sabotage)
            self.pids.append(pid)

    def _be_process(self, rank, port, sabotage):
        status = 1
        try:
            os.setsid()
            log = os.open(
                f"{self.folder}.log{rank}",
                os.O_WRONLY | os.O_CREAT | os.O_APPEND,
            )
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.chdir(RECIPE)
            sys.argv = self.arguments
            if self.processes > 1:
                os.environ.update(
                    RANK=str(rank),
                    LOCAL_RANK=str(rank),
                    WORLD_SIZE=str(self.processes),
                    LOCAL_WORLD_SIZE=str(self.processes),
                    MASTER_ADDR="localhost",
                    MASTER_PORT=str(port),
                )
            os.environ[MARK] = str(os.getppid())
            if sabotage is not None:
                sabotage()
            train.main()
            status = 0
        except SystemExit as error:
            print(error, file=sys.stderr)
            status = error.code if isinstance(error.code, int) else 1
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def signal_all(self, number):
        """Sends a signal to those that still run."""
        for pid in self.pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue

    def wait(self):
        """The processes' exit statuses; negative for a signal."""
        return [
            os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            for pid in self.pids
        ]

    def finish(self):
        """Runs to the end, which has to be a good one."""
        self.start()
        statuses = self.wait()
        if any(statuses):
            print(Path(f"{self.folder}.log0").read_text()[-5000:])
            sys.exit(f"a run ended with {statuses}")


def kill_me():
    """Ends this process as no cleaning up can follow."""
    os.kill(os.getpid(), signal.SIGKILL)


def at_call(number, owner, name, action=kill_me):
    """Sabotage: the call of this number of a function is the last one."""

    def sabotage():
        function, calls = getattr(owner, name), []

        def counted(*args, **kwargs):
            calls.append(1)
            if len(calls) == number:
                action()
            return function(*args, **kwargs)

        setattr(owner, name, counted)

    return sabotage


def half_written(number):
    """Sabotage: killed when half of a file of a checkpoint is written."""

    def sabotage():
        save, calls = torch.save, []

        def counted(obj, file, *args, **kwargs):
            save(obj, file, *args, **kwargs)
            calls.append(1)
            if len(calls) == number:
                os.truncate(file, os.path.getsize(file) // 2)
                kill_me()

        torch.save = counted

    return sabotage


BRAIN = train.SEMambaBrain
POINTS = {
    "in the first step": at_call(1, BRAIN, "fit_window"),
    "between both networks' steps": at_call(2, BRAIN, "metric_loss"),
    "in a checkpoint": half_written(12),
    "before a checkpoint has its name": at_call(
        2, WholeCheckpointer, "_publish"
    ),
    "in the validation": at_call(2, BRAIN, "evaluate_batch"),
    "between log and checkpoint": at_call(1, BRAIN, "end_epoch"),
    "in the second epoch": at_call(2, BRAIN, "metric_loss"),
    "while old checkpoints are deleted": at_call(
        2, WholeCheckpointer, "_remove"
    ),
    "in the test": at_call(1, BRAIN, "report_test"),
    "in the export": at_call(1, model_folder, "prove"),
}


def kill_at_points(run):
    """Each sabotage in turn; every one must take place."""
    for name, sabotage in POINTS.items():
        run.start(sabotage)
        statuses = run.wait()
        if any(status != -signal.SIGKILL for status in statuses):
            print(Path(f"{run.folder}.log0").read_text()[-5000:])
            sys.exit(f"not killed {name}: {statuses}")
        print(f"killed {name}", flush=True)


def kill_at_random(run, kills, rng, longest, whole):
    """Kills after random times; a run that is done is compared, and begins
    anew."""
    for number in range(kills):
        seconds = rng.uniform(0, longest)
        run.start()
        time.sleep(seconds)
        run.signal_all(signal.SIGKILL)
        statuses = run.wait()
        print(
            f"kill {number + 1} after {seconds:.2f} s: {statuses}", flush=True
        )
        if (run.folder / "model").exists() and number + 1 < kills:
            compare(whole, run)
            shutil.rmtree(run.folder)


def newest(folder):
    """The newest checkpoint's parameter files."""
    return WholeCheckpointer(folder / "save").find_checkpoint()


def differences(one, other):
    """What is not the same, bit for bit, in two finished runs."""
    found = []
    for name in ("train_log.txt", "test_scores.csv", "train.json"):
        if not filecmp.cmp(one / name, other / name, shallow=False):
            found.append(name)
    files, others = newest(one).paramfiles, newest(other).paramfiles
    if files.keys() != others.keys():
        found.append(f"files {files.keys() ^ others.keys()}")
    for name in files.keys() & others.keys():
        if not same(load(files[name]), load(others[name])):
            found.append(name)
    exported = [load(x / "model" / "generator.ckpt") for x in (one, other)]
    if not same(*exported):
        found.append("model/generator.ckpt")
    return found


def load(path):
    """A file's tensors, or its text."""
    try:
        return torch.load(path, weights_only=True)
    except Exception:  # not one of torch.save, such as a counter
        return path.read_text()


def same(one, other):
    """Whether nested tensors and numbers are equal."""
    if torch.is_tensor(one):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(
            same(one[key], other[key]) for key in one
        )
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def compare(whole, killed):
    """Finishes the killed run and ends this script if it is another one."""
    killed.finish()
    found = differences(whole.folder, killed.folder)
    if found:
        print(Path(f"{killed.folder}.log0").read_text()[-3000:])
        for run in (whole, killed):
            print((run.folder / "train_log.txt").read_text())
        sys.exit(f"not the same: {', '.join(found)}")
    print("finished: the same, bit for bit", flush=True)


def left_behind():
    """Processes of the killed runs that live yet, by what they inherit."""
    mark, found = f"{MARK}={os.getpid()}".encode(), []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            inherited = (folder / "environ").read_bytes().split(b"\0")
        except OSError:  # ended, or another user's
            continue
        if mark in inherited:
            found.append(int(folder.name))
    return found


def wait_for_workers(seconds=20):
    """Workers have to see that their parent is gone, and follow it."""
    deadline = time.monotonic() + seconds
    while left_behind() and time.monotonic() < deadline:
        time.sleep(0.5)
    if left_behind():
        sys.exit(f"left behind: processes {left_behind()}")


def main():
    """Compares, and says what was done."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--points", action="store_true")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 10**6)
    parser.add_argument("--accumulation", type=int, default=1)
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    OPTIONS.append(f"--grad_accumulation_factor={options.accumulation}")
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        make_corpus(folder / "corpus")
        runs = [
            Run(folder / "corpus", folder / name, options.processes)
            for name in ("whole", "killed")
        ]
        start = time.monotonic()
        runs[0].finish()
        seconds = time.monotonic() - start
        print(f"left alone: {seconds:.1f} s", flush=True)
        if options.points:
            kill_at_points(runs[1])
        rng = random.Random(options.seed)
        kill_at_random(runs[1], options.kills, rng, 0.6 * seconds, runs[0])
        compare(*runs)
        wait_for_workers()
    print(f"all the same ({time.monotonic() - start:.0f} s)")


if __name__ == "__main__":
    main()
