"""A run over many files: looked at, dealt out, enhanced, accounted for."""

import os
import time
from dataclasses import asdict

from speechbrain_semamba.inference.files import enhance_jobs
from speechbrain_semamba.inference.folders.dealing import deal, forget, hand_in
from speechbrain_semamba.inference.folders.obstacles import check_free
from speechbrain_semamba.inference.folders.pipes import spool_in
from speechbrain_semamba.inference.folders.showing import FileProgress
from speechbrain_semamba.inference.folders.summary import Outcome, summarize
from speechbrain_semamba.inference.jobs import Job
from speechbrain_semamba.utils.whole_files import (
    remove_leftovers,
    write_json,
)


class Run:
    """One process's part of a run over files.

    Arguments
    ---------
    plan : Plan
        All files of the run, those of other processes among them.
    subtype : str
        Encoding of the outputs, None for those of the inputs.
    names : dict
        What the user calls the files that go through pipes.
    stack : contextlib.ExitStack
        At whose end what came through pipes is removed; needed if there are
        any.

    Raises
    ------
    OSError, ValueError
        If an output of this process is there and that is refused; if a pipe
        gives nothing.

    Example
    -------
    >>> from speechbrain_semamba.inference.folders.plans import make_plan
    >>> from speechbrain_semamba.inference.settings import EnhancementSettings
    >>> folder = getfixture("tmp_path")
    >>> (folder / "a.wav").touch()
    >>> run = Run(make_plan([f"{folder}/a.wav"], f"{folder}/out"))
    >>> [done.state for done in run.enhance(None, EnhancementSettings())]
    ['failed']
    >>> run.account()[0]["failed"]
    1
    """

    def __init__(self, plan, subtype=None, names=None, stack=None):
        self.place, self.folder = plan.place, plan.folder
        self.names = dict(names or {})
        self.jobs = list(self._jobs(plan, subtype, stack))
        #: Of this process: all, and what is to do
        self.own = self.jobs
        if self.place.size > 1:
            # all deal out the same list, whatever is written meanwhile
            _look_at(self.jobs)
            seconds = [job.seconds for job in self.jobs]
            share = deal(seconds, self.place.size)[self.place.rank]
            self.own = [self.jobs[i] for i in sorted(share)]
            if plan.existing == "refuse":
                check_free([job.target for job in self.own])
        self.todo = self.own
        if plan.existing == "skip":
            self.todo = [j for j in self.own if not os.path.lexists(j.target)]
        if self.place.size == 1:
            _look_at(self.todo)
        self.outcomes, self.elapsed = [], 0.0

    def _jobs(self, plan, subtype, stack):
        for item, target in zip(plan.inputs, plan.targets):
            source = item.path
            if item.is_pipe:
                source = spool_in(item.path, stack)
                self.names[source] = item.path
            yield Job(source, target, subtype)

    def enhance(self, enhancer, settings):
        """Enhances this process's files.

        Arguments
        ---------
        enhancer : SEMambaEnhancement
            The model.
        settings : EnhancementSettings
            What is asked for.

        Yields
        ------
        Outcome
            Of each file, as soon as it is known.
        """
        began = time.monotonic()
        forget(self.folder, self.place)
        _prepare({os.path.dirname(job.target) for job in self.todo})
        is_todo = {job.target for job in self.todo}
        self.outcomes = [
            self._outcome(job, "skipped")
            for job in self.own
            if job.target not in is_todo
        ]
        yield from self.outcomes
        with FileProgress(self.todo) as progress:
            for job in enhance_jobs(enhancer, self.todo, settings):
                progress.finish(job)
                self.elapsed = time.monotonic() - began
                self.outcomes.append(self._outcome(job, "written"))
                yield self.outcomes[-1]

    def _outcome(self, job, state):
        names = [self.names.get(n, n) for n in (job.source, job.target)]
        error = job.error
        if error is not None:
            state = "failed"
            error = error.replace(job.source, names[0])
            error = error.replace(job.target, names[1])
            error = error.replace("\n", "\\n")  # names may hold it
        return Outcome(*names, state, job.seconds, job.limited, error)

    def account(self, report=None, settings=None):
        """Puts together what this process and those before it did.

        Arguments
        ---------
        report : str
            A file of JSON for it, None for none.
        settings : dict
            What was asked for; the report tells it.

        Returns
        -------
        totals : dict
            Those of ``summarize``.
        is_last : bool
            Whether no process is still at work.
        """
        files = [asdict(outcome) for outcome in self.outcomes]
        share = {"files": files, "elapsed": self.elapsed}
        summary = {}

        def use(shares):
            sizes = len(self.jobs), self.place.size
            summary.update(summarize(shares, *sizes, settings))
            if report is not None:
                write_json(report, summary)

        is_last = hand_in(share, self.folder, self.place, use)
        return summary["totals"], is_last


def look_ahead(plan):
    """Looks at the files of a plan.

    Arguments
    ---------
    plan : Plan
        Its pipes are left out: to look at them would be to empty them.

    Yields
    ------
    Job
        With its duration, or what is wrong with it.
    """
    for item, target in zip(plan.inputs, plan.targets):
        if not item.is_pipe:
            job = Job(item.path, target)
            job.look()
            yield job


def _look_at(jobs):
    for job in jobs:
        job.look()


def _prepare(folders):
    """Makes folders, and removes from them what killed runs left there."""
    for folder in folders:
        os.makedirs(folder or os.curdir, exist_ok=True)
        remove_leftovers(folder or os.curdir)
