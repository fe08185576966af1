"""How far a long loop is: a bar on a terminal, elsewhere a line now and then.

A bar draws itself anew many times a second; in a log file each of these
drawings stays.
"""

import contextlib
import functools
import sys
import time

from tqdm import tqdm

#: Time between two lines
SECONDS = 30
#: What takes less than this is not worth a word
SHORT_SECONDS = 1


@contextlib.contextmanager
def library_bars(module, more=dict):
    """Has the bars of a library be ours.

    Arguments
    ---------
    module : module
        Whose global ``tqdm`` makes its bars, such as ``speechbrain.core``.
    more : callable
        As for ``progress_bar``.

    Yields
    ------
    None
    """
    before = module.tqdm
    module.tqdm = functools.partial(progress_bar, more=more)
    try:
        yield
    finally:
        module.tqdm = before


def progress_bar(
    iterable=None,
    desc=None,
    total=None,
    initial=0,
    disable=False,
    more=dict,
    **looks,
):
    """Iterates, and shows on stderr how far it is.

    It takes what ``tqdm`` takes and is ``tqdm`` where stderr is a terminal.

    Arguments
    ---------
    iterable : iterable
        What to go through; None if ``update`` says how far it is.
    desc : str
        Title of the bar.
    total : int
        Number of items, if the iterable does not know it; or another measure
        of the whole, of which ``update`` tells parts.
    initial : int
        Items that were done before.
    disable : bool
        Whether to show nothing.
    more : callable
        Gives values by name that are shown beside those of ``set_postfix``.
    **looks
        More of ``tqdm``'s arguments, for a terminal.

    Returns
    -------
    iterable
        The same items. It is a context manager and has ``set_postfix``.

    Example
    -------
    >>> sum(progress_bar([1, 2, 3], "Adding", disable=True))
    6
    """
    if disable or sys.stderr.isatty():
        bar = tqdm(
            iterable, desc, total, initial=initial, disable=disable, **looks
        )
    else:
        bar = ProgressLines(iterable, desc, total, initial)
    set_postfix = bar.set_postfix
    bar.set_postfix = lambda **values: set_postfix(**values, **more())
    return bar


class ProgressLines:
    """In place of a bar: a line every half minute, and the last.

    Arguments
    ---------
    iterable, desc, total, initial
        As for ``progress_bar``.
    file : file
        Where the lines go; None stands for stderr.
    clock : callable
        Gives the time in seconds.

    Example
    -------
    >>> clock = iter([0, 20, 40, 80]).__next__
    >>> file = sys.stdout
    >>> for _ in ProgressLines("abc", "Reading", file=file, clock=clock):
    ...     pass
    Reading: 2/3, 00:40 gone, 00:20 to go
    Reading: 3/3, 01:20 gone
    """

    def __init__(
        self,
        iterable,
        desc=None,
        total=None,
        initial=0,
        file=None,
        clock=time.monotonic,
    ):
        if total is None and hasattr(iterable, "__len__"):
            total = len(iterable)
        self.iterable, self.desc, self.total = iterable, desc, total
        self.initial = self.done = initial
        self.file, self.clock, self.shown = file, clock, ""
        self.began = self.now = self.last_time = clock()
        self.last_done = initial

    def __iter__(self):
        for item in self.iterable:
            yield item
            self.update(1)
        self.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if kind is None:
            self.close()

    def update(self, n):
        """Is further by so much.

        Arguments
        ---------
        n : float
            In the unit of the total.
        """
        self.done += n
        self.now = self.clock()
        if self.now - self.last_time >= SECONDS:
            self._write_line()

    def set_postfix(self, **values):
        """Shows values at the end of the next line.

        Arguments
        ---------
        **values
            Numbers or text, by name.
        """
        self.shown = "".join(
            f", {name}={value if isinstance(value, str) else f'{value:.3g}'}"
            for name, value in values.items()
        )

    def close(self):
        """Writes the last line, unless it is there or all went quickly."""
        if (
            self.done > self.last_done
            and self.now - self.began >= SHORT_SECONDS
        ):
            self._write_line()

    def _write_line(self):
        self.last_done, self.last_time = self.done, self.now
        print(self, file=self.file or sys.stderr, flush=True)

    def __str__(self):
        gone = self.now - self.began
        title = f"{self.desc}: " if self.desc else ""
        text = f"{title}{self.done:.0f}"
        if self.total is not None:
            text += f"/{self.total:.0f}"
        text += f", {tqdm.format_interval(gone)} gone"
        left = (self.total or 0) - self.done
        if left > 0:
            to_go = gone * left / (self.done - self.initial)
            text += f", {tqdm.format_interval(to_go)} to go"
        return text + self.shown
