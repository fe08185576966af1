"""What ends a run: SIGTERM, Ctrl-C, heeded where it can be left; an error."""

import logging
import signal
import time

logger = logging.getLogger(__name__)
SAME_SIGNAL_SECONDS = 3


class TrainingStopped(RuntimeError):
    """Training cannot go on; the message says why and what can be done."""


class StopSignal:
    """Notes SIGTERM (a cluster's pre-emption) and Ctrl-C until they can be
    heeded; one more, some seconds later, ends the process where it stands.

    Example
    -------
    >>> with StopSignal() as stop:
    ...     stop.received is None
    True
    """

    def __init__(self):
        self.received, self._since = None, 0.0

    def __enter__(self):
        self._before = {
            number: signal.signal(number, self._note)
            for number in (signal.SIGTERM, signal.SIGINT)
        }
        return self

    def __exit__(self, *exception):
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number, frame):
        if self.received is not None:
            # a cluster and torchrun may pass on one and the same
            if time.monotonic() - self._since > SAME_SIGNAL_SECONDS:
                self.leave()
            return
        self.received, self._since = number, time.monotonic()
        name = signal.Signals(number).name
        logger.warning("%s: the run stops after this step", name)

    def leave(self):
        """Ends the process with the status that shells give to the signal.

        Raises
        ------
        SystemExit
            Always.
        """
        number = self.received or signal.SIGTERM
        logger.warning(
            "stopped by %s; the same command goes on from the last checkpoint",
            signal.Signals(number).name,
        )
        raise SystemExit(128 + number)

    def check(self):
        """Leaves if a signal has come; for places where nothing is lost.

        Raises
        ------
        SystemExit
            If a signal has come.
        """
        if self.received is not None:
            self.leave()
