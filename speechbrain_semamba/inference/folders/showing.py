"""How far the enhancement of many files is."""

import contextlib
import os
import sys
import time

from tqdm import tqdm

from speechbrain_semamba.utils.progress import progress_bar

#: On a terminal; the default counts whole items
LOOK = (
    "{desc}: {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} "
    "[{elapsed}<{remaining}{postfix}]"
)
#: Between two changes of what is shown beside the bar
SECONDS = 0.2


class FileProgress:
    """A bar of the audio that is done; a long file moves it as it goes.

    Arguments
    ---------
    jobs : list of Job
        The files, looked at; each will tell this how far it is.

    Example
    -------
    >>> from speechbrain_semamba.inference.jobs import Job
    >>> jobs = [Job("a.wav", "out.wav", seconds=2.0)]
    >>> with FileProgress(jobs) as progress:
    ...     jobs[0].tell(1.5)
    ...     progress.finish(jobs[0])
    >>> progress.told, progress.files
    (2.0, 1)
    """

    def __init__(self, jobs):
        self.count, self.files = len(jobs), 0
        #: Seconds of audio: shown, and of the files that are done
        self.told = self.finished = 0.0
        self.began = self.shown = time.monotonic()
        for job in jobs:
            job.tell = self._tell
        self._bar = progress_bar(
            desc="Enhancing, seconds of audio",
            total=sum(job.seconds for job in jobs),
            bar_format=LOOK,
            smoothing=0,  # durations differ
        )

    def __enter__(self):
        self._bar.__enter__()
        return self

    def __exit__(self, *error):
        # of one file stdout has a line, and a log file needs no other
        if self.count > 1 or sys.stderr.isatty():
            self._bar.__exit__(*error)

    def _tell(self, seconds):
        self.told += seconds
        now = time.monotonic()
        if now - self.shown > SECONDS:
            self._show(now)
        self._bar.update(seconds)

    def finish(self, job):
        """Counts a file, whether it failed or not.

        Arguments
        ---------
        job : Job
            The file.
        """
        self.files += 1
        self.finished += job.seconds
        self._show(time.monotonic())
        if self.finished > self.told:  # it failed, or its header was wrong
            rest, self.told = self.finished - self.told, self.finished
            self._bar.update(rest)

    def _show(self, now):
        self.shown = now
        factor = (now - self.began) / self.told if self.told else 0.0
        self._bar.set_postfix(
            files=f"{self.files}/{self.count}", real_time_factor=factor
        )


def say(text, file=None):
    """Prints a line, past a bar if there is one.

    The work goes on where nobody reads it any more.

    Arguments
    ---------
    text : str
        The line; of names that are no text, the bytes are printed.
    file : file
        Where to; None stands for stdout.

    Example
    -------
    >>> say("out.wav")
    out.wav
    """
    file = file or sys.stdout
    if file is None:  # closed by whoever started the process
        return
    with contextlib.suppress(BrokenPipeError):
        try:
            tqdm.write(text, file=file)
        except UnicodeEncodeError:
            file.buffer.write(os.fsencode(f"{text}\n"))
        file.flush()
