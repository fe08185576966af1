"""The demo page in a browser, and the command that serves it."""

import importlib.util
import os
import re
import signal
import subprocess
import sys

import pytest
import soundfile
from browser import find_browser
from places import ROOT

from speechbrain_semamba.evaluation.distortion import si_sdr

if importlib.util.find_spec("gradio") is None:
    pytest.skip("gradio is not installed", allow_module_level=True)

CORPUS = ROOT / "samples" / "voicebank_mini"
NAME = "p232_001.wav"
COMMAND = [sys.executable, "-m", "speechbrain_semamba", "demo"]
in_browser = pytest.mark.skipif(
    find_browser() is None or not importlib.util.find_spec("playwright"),
    reason="no Chromium or no playwright is installed",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Takes all that the server writes."""
    return tmp_path_factory.mktemp("server")


def start(folder, *options):
    """A server of its own process, and its address."""
    server = subprocess.Popen(
        [*COMMAND, *options],
        env={**os.environ, "TMPDIR": str(folder), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    line = server.stdout.readline()
    if not line:
        pytest.fail(server.stderr.read())
    return server, line.split()[0]


def left_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(scope="module")
def address(folder):
    server, address = start(
        folder, "--max-megabytes", "1", "--max-seconds", "5"
    )
    yield address
    server.send_signal(signal.SIGTERM)
    server.communicate(timeout=60)
    assert server.returncode == 0
    assert left_in(folder) == []


@pytest.fixture
def visit(address):
    from visitor import visiting

    with visiting(address) as (page, hosts):
        yield page
        # no fonts, scripts or counters from elsewhere
        assert hosts == {"127.0.0.1"}


def send(page, path):
    """Uploads a file and asks for it to be enhanced."""
    page.set_input_files("#noisy input[type=file]", path)
    page.wait_for_selector("#noisy a[download]", state="attached")
    page.get_by_role("button", name="Enhance").click()


def told(page, text):
    """The message on the page that has this text; waits for it."""
    message = page.get_by_text(text).first
    message.wait_for()
    return message.inner_text()


def test_it_listens_to_this_machine_alone(address):
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", address)


@in_browser
def test_a_file_comes_out_better(visit, tmp_path):
    send(visit, CORPUS / "noisy_testset_wav" / NAME)
    visit.wait_for_selector("#took:has-text('real-time factor')")
    visit.wait_for_selector("#picture img")
    with visit.expect_download() as download:
        visit.click("#enhanced a[download]")
    download.value.save_as(tmp_path / NAME)
    clean, noisy = (
        soundfile.read(CORPUS / f"{kind}_testset_wav" / NAME)[0]
        for kind in ("clean", "noisy")
    )
    enhanced, rate = soundfile.read(tmp_path / NAME)
    assert (rate, enhanced.shape) == (16000, noisy.shape)
    before, after = (si_sdr(clean, x, rate) for x in (noisy, enhanced))
    assert after > before + 1


@in_browser
def test_nothing_sent(visit):
    visit.get_by_role("button", name="Enhance").click()
    message = "upload or record something first"
    assert told(visit, message) == message


@in_browser
def test_hostile_uploads_get_a_message_and_the_next_visitor_a_file(
    visit, tmp_path
):
    text = tmp_path / "text.wav"
    text.write_text("no audio")
    send(visit, text)
    message = told(visit, "text.wav is not readable as audio")
    assert message.startswith("text.wav ")  # and not the server's folder
    large = tmp_path / "large.wav"
    large.write_bytes(bytes(2_000_000))
    visit.reload()
    visit.set_input_files("#noisy input[type=file]", large)
    assert "exceed" in told(visit, re.compile("exceed", re.I)).lower()
    long = tmp_path / "long.wav"
    soundfile.write(long, [0.0] * 48000, 8000, subtype="PCM_U8")
    visit.reload()
    send(visit, long)
    assert "long.wav has 6 s; cut it" in told(visit, "upload has at most 5 s")
    visit.reload()
    send(visit, CORPUS / "noisy_testset_wav" / NAME)
    assert told(visit, "real-time factor")


def test_ctrl_c_leaves_nothing(tmp_path):
    server, _ = start(tmp_path)
    assert left_in(tmp_path)
    server.send_signal(signal.SIGINT)
    _, errors = server.communicate(timeout=60)
    assert (server.returncode, errors) == (130, "semamba: interrupted\n")
    assert left_in(tmp_path) == []
