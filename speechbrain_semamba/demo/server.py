"""Who serves the demo page, and what is left on the disk: nothing."""

import contextlib
import os
import signal
import socket
import sys
import tempfile
import threading

from speechbrain_semamba.demo.page import make_page
from speechbrain_semamba.demo.uploads import UploadEnhancer
from speechbrain_semamba.utils.extras import import_extra


@contextlib.contextmanager
def upload_folder():
    """A folder for uploads and results that is gone in the end.

    Yields
    ------
    str
        The folder; gradio uses it too.

    Example
    -------
    >>> with upload_folder() as folder:
    ...     os.path.isdir(folder)
    True
    >>> os.path.exists(folder)
    False
    """
    with tempfile.TemporaryDirectory(prefix="semamba-demo-") as folder:
        before = os.environ.get("GRADIO_TEMP_DIR")
        os.environ["GRADIO_TEMP_DIR"] = folder
        try:
            yield folder
        finally:
            del os.environ["GRADIO_TEMP_DIR"]
            if before is not None:
                os.environ["GRADIO_TEMP_DIR"] = before


def check_address(host, port=None):
    """Whether a server can listen there; gradio would tell it at length.

    Arguments
    ---------
    host : str
        Name or address of this machine.
    port : int
        None for any.

    Raises
    ------
    OSError
        If it cannot; says why, and the way out.

    Example
    -------
    >>> check_address("127.0.0.1")
    >>> check_address("192.0.2.1", 7860)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    OSError: a server listens at a free port of this machine, 192.0.2.1:7860 is none (...); give another --host or --port
    """
    try:
        socket.create_server((host, port or 0)).close()
    except OSError as error:
        place = host if port is None else f"{host}:{port}"
        reason = os.strerror(error.errno) if error.errno > 0 else error.strerror
        raise OSError(
            "a server listens at a free port of this machine, "
            f"{place} is none ({reason}); give another --host or --port"
        ) from error


@contextlib.contextmanager
def serving(
    models,
    host="127.0.0.1",
    port=None,
    share=False,
    max_megabytes=50.0,
    max_seconds=300.0,
    device="cpu",
    precision="auto",
):
    """Serves the page while the context lasts.

    Arguments
    ---------
    models : list of str
        See ``UploadEnhancer``.
    host : str
        Address to listen at; 127.0.0.1 is reached from this machine alone.
    port : int
        None for the first free one from 7860 on.
    share : bool
        Whether gradio's tunnel makes it public for a week.
    max_megabytes, max_seconds : float
        Largest upload, and longest.
    device, precision : str
        As for ``load_model``.

    Yields
    ------
    str
        The page's address.

    Raises
    ------
    ImportError
        If gradio or matplotlib is missing; names the extra.
    OSError
        If the host is not this machine's, or the port is taken.
    ValueError
        If a model is damaged.
    """
    check_address(host, port)
    import_extra("matplotlib", "Demo pages", "demo")
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    with upload_folder() as folder:
        enhance = UploadEnhancer(models, folder, max_seconds, device, precision)
        note = (
            "Upload or record noisy speech, at most "
            f"{max_megabytes:g} MB and {max_seconds:g} s. Files are deleted "
            "after half an hour."
        )
        page = make_page(enhance, note)
        try:
            _, here, public = page.launch(
                server_name=host,
                server_port=port,
                share=share,
                max_file_size=round(max_megabytes * 1e6),
                prevent_thread_lock=True,
                quiet=True,
                ssr_mode=False,
                footer_links=["gradio"],
            )
            yield public or here
        finally:
            page.close(verbose=False)


def wait_for_the_end():
    """Waits until the process is interrupted or told to end."""
    threading.Event().wait()


def end_at_sigterm():
    """Has SIGTERM end the process as ``sys.exit`` does: nothing is left."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
