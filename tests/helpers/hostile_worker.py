"""Enhances hostile files; prints what became of each, and its memory.

python hostile_worker.py MODEL_FOLDER FOLDER COUNT
"""

import json
import logging
import sys
from pathlib import Path

from hostile_files import hostile_file
from stub_enhancers import noise, read, write

from speechbrain_semamba.dataio.audio_headers import read_headers
from speechbrain_semamba.dataio.audio_source import AudioSource
from speechbrain_semamba.inference.enhancement import SEMambaEnhancement

#: Seconds at once, so that most time is not the network's
SMALL = {"batch_seconds": 4}


def peak_mb():
    """Largest memory of this process."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    (line,) = (s for s in status.splitlines() if s.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def reading(path):
    """Reads a file to its end; what is wrong with it."""
    read_headers([path])
    try:
        for _ in AudioSource(path).blocks():
            pass
    except (OSError, ValueError) as error:
        return str(error)


def outcome(job, unread):
    """What the test wants to know of a file."""
    result = {"error": job.error, "unread": unread, "finite": None}
    if job.error is None:
        wav, _ = read(job.target)
        result["finite"] = bool(wav.isfinite().all())
    return result


def main(model_folder, folder, count):
    """See the top of this file."""
    logging.disable(logging.WARNING)
    folder = Path(folder)
    enhancer = SEMambaEnhancement.from_hparams(source=model_folder)
    whole = write(folder / "whole.wav", noise(1, 16_000 * 2))
    list(enhancer.enhance_files([(whole, folder / "out.wav")]))
    before = peak_mb()
    pairs, unread = [], {}
    for seed in range(int(count)):
        ending, content = hostile_file(seed)
        path = folder / f"{seed}.{ending}"
        path.write_bytes(content)
        unread[path] = reading(path)
        pairs.append((path, folder / f"out-{seed}.wav"))
    jobs = {job.source: job for job in enhancer.enhance_files(pairs, **SMALL)}
    answers = [outcome(jobs[path], unread[path]) for path, _ in pairs]
    print(json.dumps({"answers": answers, "mb": peak_mb() - before}))


if __name__ == "__main__":
    main(*sys.argv[1:])
