"""Worker processes: how many, how they end, and doing without them."""

import copy
import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import Executor, Future

#: Environment of a worker: there is one for each core, and the threads of
#: NumPy and PyTorch wait for one another where cores are short
ONE_THREAD = {"OMP_NUM_THREADS": "1"}


def heed_parent_alone(worker=None, parent=None):
    """Has a worker heed its parent's signals alone, and live no longer.

    A cluster or a shell may signal all processes of a run; the parent then
    wants its workers until it has come to a place where it can stop. And a
    parent that is killed can tell its workers nothing.

    Arguments
    ---------
    worker : int
        The worker's number, as ``worker_init_fn`` of a DataLoader gets it.
    parent : int
        The parent's process id, if ``multiprocessing`` does not know it: it
        may be dead already when a worker asks the system.
    """
    del worker
    keeper = os.getppid()  # which may be a server that forks for the parent
    if parent is None:
        parent = multiprocessing.parent_process().pid
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tells_sender = hasattr(signal, "sigtimedwait")  # not on macOS
    if tells_sender:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def watch():
        while os.getppid() == keeper and _is_running(parent):
            if not tells_sender:
                time.sleep(1)
            elif info := signal.sigtimedwait({signal.SIGTERM}, 1):
                if info.si_pid == parent:
                    break
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


def sheltered_context():
    """How to start workers that no signal reaches before they can heed it.

    A process is forked with SIGTERM and SIGINT blocked, and it is for
    ``heed_parent_alone`` to go on from there: what is signalled to all processes
    of a run at once would else end a worker that has not come so far, and by
    its end the run.

    Returns
    -------
    multiprocessing.context.BaseContext
        For a DataLoader's ``multiprocessing_context``; None where processes are
        not forked.

    Example
    -------
    >>> context = sheltered_context()
    """
    if multiprocessing.get_start_method() != "fork":
        return None
    context = copy.copy(multiprocessing.get_context())
    context.Process = type("Sheltered", (_Sheltered, context.Process), {})
    return context


class _Sheltered:
    """Of a process: its start, with signals blocked."""

    def start(self):
        stopping = {signal.SIGTERM, signal.SIGINT}
        before = signal.pthread_sigmask(signal.SIG_BLOCK, stopping)
        try:
            super().start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _is_running(pid):
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):  # the number may be reused
        return False
    return True


class InlineExecutor(Executor):
    """Does at once, in this process, what it is handed.

    Example
    -------
    >>> InlineExecutor().submit(max, 1, 2).result()
    2
    """

    def submit(self, function, *args, **kwargs):
        """Calls a function and keeps what it returns.

        Arguments
        ---------
        function : callable
            What to call.
        *args, **kwargs
            Its arguments.

        Returns
        -------
        concurrent.futures.Future
            Holds the result already.
        """
        future = Future()
        future.set_result(function(*args, **kwargs))
        return future


def cores_per_process():
    """Cores of this machine for each process that torchrun started on it.

    Returns
    -------
    int
        At least 1.

    Example
    -------
    >>> cores_per_process() >= 1
    True
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:  # macOS
        cores = os.cpu_count() or 1
    return max(1, cores // int(os.environ.get("LOCAL_WORLD_SIZE", 1)))


def use_threads(count=None):
    """Has PyTorch compute with so many threads in this process.

    Arguments
    ---------
    count : int
        How many. None leaves it to PyTorch, which takes a thread for each
        core, or as many as OMP_NUM_THREADS says; of several processes that
        torchrun started each takes its share of the cores.

    Example
    -------
    >>> use_threads()
    """
    import torch

    is_shared = int(os.environ.get("LOCAL_WORLD_SIZE", 1)) > 1
    # torchrun sets it to 1 where a user said nothing
    if count is None and is_shared and os.environ.get("OMP_NUM_THREADS") == "1":
        count = cores_per_process()
    if count is not None:
        torch.set_num_threads(count)
