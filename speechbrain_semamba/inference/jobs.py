"""A file to enhance, and what became of it."""

import contextlib
from dataclasses import dataclass
from typing import Callable, Optional

from speechbrain_semamba.dataio.audio_source import AudioSource
from speechbrain_semamba.utils.messages import first_line, is_out_of_memory


@dataclass
class Job:
    """A file to enhance, and what became of it.

    Arguments
    ---------
    source : str
        The noisy file.
    target : str
        The enhanced one.
    subtype : str
        Its encoding; None for that of the noisy file, where the format of
        the target has it.
    seconds : float
        Duration of the noisy file, by its header.
    channels : int
        Of the noisy file.
    limited : int
        Samples that were above full scale and were limited to it.
    error : str
        What went wrong, in one line; None if nothing did.
    tell : callable
        Called with the seconds of audio that were enhanced, again and again.
    """

    source: str
    target: str
    subtype: Optional[str] = None
    seconds: float = 0.0
    channels: int = 1
    limited: int = 0
    error: Optional[str] = None
    tell: Optional[Callable] = None

    def look(self):
        """Reads duration and channels; what is wrong becomes the error."""
        with self.attempt():
            source = AudioSource(self.source)
            self.seconds, self.channels = source.seconds, source.channels

    def telling(self, blocks, rate):
        """Passes blocks [channels, samples] on, and tells how far they are."""
        for block in blocks:
            if self.tell is not None:
                self.tell(block.shape[1] / rate)
            yield block

    @contextlib.contextmanager
    def attempt(self):
        """A context in which what a user can mend becomes the error."""
        try:
            yield
        except (OSError, ValueError) as error:
            self.error = naming(self.source, error)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            self.error = (
                f"{self.source}: out of memory; free some, or enhance in "
                "shorter windows or smaller batches (window_seconds, "
                "batch_seconds)"
            )


def naming(path, error):
    """The message of an error, with the name of a file in it.

    Arguments
    ---------
    path : str
        The file.
    error : Exception
        What was raised.

    Returns
    -------
    str
        In one line.

    Example
    -------
    >>> naming("a.wav", ValueError("too short")), naming("a.wav", ValueError("no a.wav"))
    ('a.wav: too short', 'no a.wav')
    """
    message = first_line(error)
    return message if str(path) in message else f"{path}: {message}"
