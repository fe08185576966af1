"""Lines that a run prints; the bar is tested in ``test_runs``."""

import io
import os

from speechbrain_semamba.inference.folders.showing import say


def test_names_that_are_no_text_are_printed_as_bytes():
    """Also where the locale has stdout refuse them."""
    file = io.TextIOWrapper(io.BytesIO(), "utf-8", errors="strict")
    for name in (b"a \xc3\xbc.wav", b"\xff.wav", b"b.wav"):
        say(os.fsdecode(name), file)
    assert file.buffer.getvalue() == b"a \xc3\xbc.wav\n\xff.wav\nb.wav\n"
