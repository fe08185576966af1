"""What became of many files, in figures and as a file of JSON."""

import platform
from dataclasses import dataclass
from typing import Optional

import soundfile

from speechbrain_semamba import __version__


@dataclass
class Outcome:
    """What became of one file.

    Arguments
    ---------
    input, output : str
        Its names.
    state : str
        "written", "skipped" or "failed".
    seconds : float
        Of audio, by the header.
    limited : int
        Samples that were above full scale and were limited to it.
    error : str
        What went wrong, in one line.

    Example
    -------
    >>> Outcome("a.wav", "out/a.wav", "written", 1.5).error is None
    True
    """

    input: str
    output: str
    state: str
    seconds: float = 0.0
    limited: int = 0
    error: Optional[str] = None


def summarize(shares, count, size, settings):
    """Puts together what the processes of a run did.

    Arguments
    ---------
    shares : list of dict
        Of those that are done: "files", a list of outcomes as dictionaries,
        and "elapsed", the seconds that they took.
    count : int
        How many files there are.
    size : int
        How many processes there are.
    settings : dict
        What was asked for.

    Returns
    -------
    dict
        "files", "totals", "settings" and "versions". In the totals files
        are "missing" if the process that had them is not done, and
        "real_time_factor" is the time that was taken over that of the audio.

    Example
    -------
    >>> from dataclasses import asdict
    >>> done = asdict(Outcome("a.wav", "b.wav", "written", 10.0))
    >>> share = {"files": [done], "elapsed": 2.0}
    >>> totals = summarize([share], count=2, size=2, settings={})["totals"]
    >>> totals["written"], totals["missing"], totals["real_time_factor"]
    (1, 1, 0.2)
    """
    files = [file for share in shares for file in share["files"]]
    audio = sum(f["seconds"] for f in files if f["state"] == "written")
    elapsed = max(share["elapsed"] for share in shares)
    states = [file["state"] for file in files]
    return {
        "settings": settings,
        "versions": _versions(),
        "totals": {
            "files": count,
            **{s: states.count(s) for s in ("written", "skipped", "failed")},
            "missing": count - len(files),
            "processes": size,
            "processes_done": len(shares),
            "audio_seconds": round(audio, 3),
            "elapsed_seconds": round(elapsed, 3),
            "real_time_factor": round(elapsed / audio, 4) if audio else None,
        },
        "files": sorted(files, key=lambda file: file["input"]),
    }


def _versions():
    import speechbrain
    import torch

    return {
        "speechbrain_semamba": __version__,
        "speechbrain": speechbrain.__version__,
        "torch": torch.__version__,
        "libsndfile": soundfile.__libsndfile_version__,
        "python": platform.python_version(),
    }


def in_words(totals):
    """The totals in a line.

    Arguments
    ---------
    totals : dict
        As ``summarize`` gives them.

    Returns
    -------
    str
        What is 0 is left out.

    Example
    -------
    >>> in_words({"files": 3, "written": 2, "skipped": 0, "failed": 1, "missing": 0})
    '3 files: 2 written, 1 failed'
    """
    names = "written", "skipped", "failed", "missing"
    parts = [f"{totals[name]} {name}" for name in names if totals[name]]
    return f"{totals['files']} files: {', '.join(parts) or 'none'}"
