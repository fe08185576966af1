"""What visitors of the demo page get for what they send."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechbrain_semamba.demo.uploads import UploadEnhancer

RATE = 16000


@pytest.fixture
def enhance(model_folder, tmp_path):
    return UploadEnhancer([str(model_folder)], tmp_path, max_seconds=2)


@pytest.fixture
def upload(tmp_path):
    """Writes what somebody sends; its path."""

    def write(samples, rate=RATE, name="speech.wav", subtype="FLOAT"):
        path = tmp_path / "uploads" / name
        path.parent.mkdir()
        soundfile.write(path, samples, rate, subtype=subtype)
        return str(path)

    return write


@pytest.mark.parametrize(
    "rate, channels, samples",
    [(16000, 1, 5000), (44100, 2, 9999), (8000, 8, 1)],
)
def test_same_rate_length_and_channels(
    enhance, upload, rate, channels, samples
):
    path = upload(np.random.randn(samples, channels) / 9, rate)
    enhanced = enhance(path)
    info = soundfile.info(enhanced.path)
    assert (info.samplerate, info.channels) == (rate, channels)
    assert info.frames == samples
    assert len(enhanced.figure.axes) == 5
    assert f"channels: {channels}" in enhanced.note


def test_contrast_is_stretched_on_demand(enhance, upload):
    path = upload(np.random.randn(5000) / 9)
    plain, stretched = (enhance(path, pcs=pcs).path for pcs in (False, True))
    assert plain != stretched
    plain, stretched = (soundfile.read(p)[0] for p in (plain, stretched))
    assert np.abs(stretched).max() == pytest.approx(1, abs=1e-3)
    assert not np.allclose(plain, stretched, atol=0.01)


def test_models_are_loaded_when_asked_for(model_folder, upload, tmp_path):
    small, own = "semamba-small", str(model_folder)
    enhance = UploadEnhancer([small, own], tmp_path)
    path = upload(np.random.randn(5000) / 9)
    first, default, other = (enhance(path, m) for m in (small, None, own))
    waves = [soundfile.read(x.path)[0] for x in (first, default, other)]
    assert (waves[0] == waves[1]).all()
    assert not np.allclose(waves[0], waves[2])
    assert enhance.models == [small, own]


@pytest.mark.parametrize(
    "samples, rate, message",
    [
        (np.zeros(0), RATE, "speech.wav is empty"),
        (np.full(100, np.nan), RATE, "finite"),
        (np.zeros(2), 1, "sample rate must lie"),
        (np.zeros(2 * RATE + RATE // 10), RATE, "at most 2 s"),
        (np.zeros((RATE, 3)), RATE, "speech.wav has 3 s; cut it"),
    ],
)
def test_what_is_refused_and_why(enhance, upload, samples, rate, message):
    path = upload(samples, rate)
    with pytest.raises(ValueError, match=message) as caught:
        enhance(path)
    assert os.path.dirname(path) not in str(caught.value)


def test_text_that_calls_itself_audio(enhance, tmp_path):
    path = tmp_path / "song.mp3"
    path.write_text("la la la")
    with pytest.raises(ValueError, match="^song.mp3 is not readable as audio"):
        enhance(str(path))


def test_a_header_that_promises_hours(enhance, upload):
    """Which counts is what is there."""
    path = Path(upload(np.zeros(RATE), subtype="PCM_16"))
    data = bytearray(path.read_bytes())
    assert data[36:40] == b"data"
    data[40:44] = (10 * 3600 * RATE * 2).to_bytes(4, "little")
    path.write_bytes(data)
    assert soundfile.info(enhance(str(path)).path).frames == RATE


def test_where_the_server_writes_is_not_told(enhance, upload, tmp_path):
    enhance.folder = tmp_path / "gone"
    with pytest.raises(ValueError, match="No such file") as caught:
        enhance(upload(np.zeros(100)))
    assert str(tmp_path) not in str(caught.value)
