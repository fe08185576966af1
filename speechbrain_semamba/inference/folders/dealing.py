"""Files dealt out to processes, and what each of them made of its share.

The processes need not talk to one another: each deals out the whole list and
takes its own share, and leaves what it did beside the output, in a file that
whoever comes last finds there. So one that dies takes nothing along but the
file that it was at.
"""

import contextlib
import json
import os
import shutil
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

from speechbrain_semamba.utils.folder_lock import folder_lock
from speechbrain_semamba.utils.whole_files import write_json


@dataclass(frozen=True)
class Place:
    """Which of the processes of a run this one is.

    Arguments
    ---------
    rank : int
        From 0.
    size : int
        How many there are.
    local_rank : int
        From 0, among those of this machine.
    run : str
        The same for all processes of a run.
    is_restarted : bool
        Whether torchrun began anew because a process had died.

    Example
    -------
    >>> Place().size
    1
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    run: str = ""
    is_restarted: bool = False

    @classmethod
    def of(cls, environment):
        """What ``torchrun`` or a scheduler says.

        Arguments
        ---------
        environment : dict
            With RANK and WORLD_SIZE, and LOCAL_RANK; without them a process
            is alone.

        Returns
        -------
        Place
            Of this process.

        Raises
        ------
        ValueError
            If what is there makes no sense.

        Example
        -------
        >>> place = Place.of({"RANK": "1", "WORLD_SIZE": "2"})
        >>> place.rank, place.size
        (1, 2)
        """
        if not {"RANK", "WORLD_SIZE"} <= set(environment):
            return cls()
        names = "RANK", "WORLD_SIZE", "LOCAL_RANK"
        found = [environment.get(name, "0") for name in names]
        if not all(word.isdecimal() for word in found) or not (
            int(found[0]) < int(found[1])
        ):
            raise ValueError(
                "RANK counts from 0 and is less than WORLD_SIZE; found "
                + ", ".join(map("{}={}".format, names, found))
            )
        names = "MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_RUN_ID"
        run = "/".join(environment.get(name, "") for name in names)
        restarts = environment.get("TORCHELASTIC_RESTART_COUNT", "0")
        key = f"{zlib.crc32(run.encode()):08x}"
        return cls(*map(int, found), key, restarts != "0")


def deal(seconds, size):
    """Deals files out by their durations: the longest first, each to the
    process that has the least so far.

    Arguments
    ---------
    seconds : list of float
        Durations of the files.
    size : int
        How many processes there are.

    Returns
    -------
    list of list of int
        The files of each process, by their places in the list.

    Example
    -------
    >>> deal([1.0, 5.0, 2.0, 3.0], 2)
    [[1, 0], [3, 2]]
    """
    shares, loads = [[] for _ in range(size)], [0.0] * size
    for index in sorted(range(len(seconds)), key=lambda i: -seconds[i]):
        least = loads.index(min(loads))
        shares[least].append(index)
        # also what has no duration is work
        loads[least] += seconds[index] + 1e-3
    return shares


def hand_in(share, folder, place, use):
    """Leaves what this process did, and uses what all did that are done.

    Arguments
    ---------
    share : dict
        As JSON can hold it.
    folder : str
        Where the outputs go.
    place : Place
        Of this process; alone it leaves nothing behind.
    use : callable
        Called with a list of what those did that are done, in order of their
        ranks; by one process at a time.

    Returns
    -------
    bool
        Whether all are done.

    Example
    -------
    >>> folder = getfixture("tmp_path")
    >>> hand_in({"files": 3}, folder, Place(1, 2), print)
    [{'files': 3}]
    False
    >>> hand_in({"files": 4}, folder, Place(0, 2), print)
    [{'files': 4}, {'files': 3}]
    True
    >>> list(folder.iterdir())
    []
    """
    if place.size == 1:
        use([share])
        return True
    exchange = _exchange(folder, place)
    with _locked(exchange):
        write_json(exchange / f"{place.rank}.json", share)
        shares = []
        for rank in range(place.size):
            with contextlib.suppress(FileNotFoundError):
                path = exchange / f"{rank}.json"
                shares.append(json.loads(path.read_text("utf-8")))
        use(shares)
        is_last = len(shares) == place.size
        if is_last:
            shutil.rmtree(exchange, ignore_errors=True)
    return is_last


def forget(folder, place):
    """Removes what a killed run left of this process's share.

    Arguments
    ---------
    folder, place
        As for ``hand_in``.
    """
    path = _exchange(folder, place) / f"{place.rank}.json"
    path.unlink(missing_ok=True)


def _exchange(folder, place):
    return Path(folder or os.curdir, f".shares-{place.run}")


@contextlib.contextmanager
def _locked(folder):
    """``folder_lock``, for which another process is waited for."""
    with contextlib.ExitStack() as stack:
        while True:
            try:
                stack.enter_context(folder_lock(folder))
                break
            except BlockingIOError:
                time.sleep(0.05)
        yield
