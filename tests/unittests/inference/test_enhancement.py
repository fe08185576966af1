"""The pretrained interface, and audio files in and out."""

import pytest
import soundfile
import torch
from speechbrain.inference.enhancement import WaveformEnhancement

from speechbrain_semamba.dataio.audio_files import write_audio_file
from speechbrain_semamba.inference.enhancement import SEMambaEnhancement
from speechbrain_semamba.processing import precision


@pytest.fixture(scope="module")
def enhancer(model_folder):
    return SEMambaEnhancement.from_hparams(source=str(model_folder))


def wav(path, samples, channels=1, rate=16000, subtype="FLOAT"):
    """Writes reproducible noise and returns it [channels, samples]."""
    generator = torch.Generator().manual_seed(samples)
    noise = 0.1 * torch.randn(channels, samples, generator=generator)
    soundfile.write(path, noise.T.numpy(), rate, subtype=subtype)
    return noise


def test_same_as_speechbrains_own_interface(enhancer, model_folder, tmp_path):
    wav(tmp_path / "in.wav", 16123)
    theirs = WaveformEnhancement.from_hparams(source=str(model_folder))
    expected = theirs.enhance_file(str(tmp_path / "in.wav"))
    ours = enhancer.enhance_file(tmp_path / "in.wav")
    # theirs leaves gradients on, but the same operators run
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-6)


def test_bfloat16_is_close_and_is_used(enhancer, model_folder, monkeypatch):
    monkeypatch.setattr(precision, "why_not_bf16", lambda device: None)
    noisy = 0.1 * torch.randn(2, 8000, generator=torch.Generator())
    half = SEMambaEnhancement.from_hparams(
        source=str(model_folder), run_opts={"precision": "bf16"}
    )
    expected = enhancer.enhance_batch(noisy)
    enhanced = half.enhance_batch(noisy)
    assert enhanced.dtype == torch.float32
    error = (enhanced - expected).norm() / expected.norm()
    assert 1e-6 < error < 0.1


def test_precision_is_float32_unless_asked_for(enhancer, model_folder):
    assert enhancer.precision == "fp32"
    options = {"precision": "auto", "device": "cpu"}
    again = SEMambaEnhancement.from_hparams(
        source=str(model_folder), run_opts=options
    )
    assert again.precision == "fp32"
    assert options == {"precision": "auto", "device": "cpu"}


@pytest.mark.parametrize("samples", [1, 150, 201, 16000, 16123])
def test_length_is_kept(enhancer, tmp_path, samples):
    wav(tmp_path / "in.wav", samples)
    enhanced = enhancer.enhance_file(tmp_path / "in.wav", tmp_path / "out.wav")
    assert enhanced.shape == (samples,)
    written, rate = soundfile.read(tmp_path / "out.wav", dtype="float32")
    assert rate == 16000
    assert torch.equal(torch.from_numpy(written), enhanced)


@pytest.mark.parametrize("rate", [8000, 44100, 48000])
def test_rate_and_length_of_the_file_are_kept(enhancer, tmp_path, rate):
    wav(tmp_path / "in.flac", 12345, rate=rate, subtype="PCM_16")
    enhancer.enhance_file(tmp_path / "in.flac", tmp_path / "out.flac")
    info = soundfile.info(tmp_path / "out.flac")
    assert (info.frames, info.samplerate) == (12345, rate)
    assert info.subtype == "PCM_16"


def test_channels_are_enhanced_one_by_one(enhancer, tmp_path):
    noise = wav(tmp_path / "in.wav", 4000, channels=2)
    enhanced = enhancer.enhance_file(tmp_path / "in.wav", tmp_path / "out.wav")
    assert enhanced.shape == (2, 4000)
    assert soundfile.info(tmp_path / "out.wav").channels == 2
    for channel, expected in zip(noise, enhanced):
        alone = enhancer.enhance_batch(channel[None])[0]
        torch.testing.assert_close(alone, expected, rtol=1e-4, atol=1e-4)


def test_silence_stays_silence(enhancer, tmp_path):
    soundfile.write(tmp_path / "in.wav", torch.zeros(8000).numpy(), 16000)
    enhanced = enhancer.enhance_file(tmp_path / "in.wav", tmp_path / "out.wav")
    assert torch.equal(enhanced, torch.zeros(8000))


def test_nan_is_named_and_nothing_is_written(enhancer, tmp_path):
    noise = torch.randn(1000)
    noise[::10] = torch.nan
    soundfile.write(tmp_path / "in.wav", noise.numpy(), 16000, "FLOAT")
    with pytest.raises(ValueError, match=r"in\.wav: .* but 100 are NaN"):
        enhancer.enhance_file(tmp_path / "in.wav", tmp_path / "out.wav")
    assert [p.name for p in tmp_path.iterdir()] == ["in.wav"]


@pytest.mark.parametrize("rate", [16000, 48000])
def test_empty_file(enhancer, tmp_path, rate):
    wav(tmp_path / "in.wav", 0, rate=rate)
    with pytest.raises(ValueError, match=r"in\.wav is empty: .* 0 samples"):
        enhancer.enhance_file(tmp_path / "in.wav")


def test_not_audio(enhancer, tmp_path):
    (tmp_path / "in.wav").write_text("words")
    with pytest.raises(ValueError, match="not readable as audio") as info:
        enhancer.enhance_file(tmp_path / "in.wav")
    assert "\n" not in str(info.value)


def test_no_such_file(enhancer, tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        enhancer.enhance_file(tmp_path / "in.wav")


def test_ending_that_names_no_format(tmp_path):
    with pytest.raises(ValueError, match=r"ends in '\.xyz'"):
        write_audio_file(tmp_path / "out.xyz", torch.zeros(1, 9), 16000)


def test_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        write_audio_file(tmp_path / "no" / "o.wav", torch.zeros(1, 9), 16000)


def test_name_is_checked_before_the_work(enhancer, tmp_path, monkeypatch):
    wav(tmp_path / "in.wav", 1000)
    monkeypatch.setattr(
        enhancer, "enhance_batch", lambda *args: pytest.fail("worked already")
    )
    with pytest.raises(ValueError, match="ends in '.xyz'"):
        enhancer.enhance_file(tmp_path / "in.wav", tmp_path / "out.xyz")


@pytest.mark.parametrize(
    "subtype, ending, hint",
    [
        ("PCM_16", "wav", "clipped\n"),
        ("FLOAT", "flac", "clipped; a .wav keeps floats\n"),
    ],
)
def test_clipping_is_said(tmp_path, caplog, subtype, ending, hint):
    like = tmp_path / "in.wav"
    wav(like, 9, subtype=subtype)
    path = tmp_path / f"loud.{ending}"
    write_audio_file(path, torch.full((1, 9), 1.5), 16000, like)
    assert "peak 1.50 is above full scale" in caplog.text
    assert caplog.text.endswith(hint)
    assert soundfile.read(path)[0].max() <= 1


def test_floats_are_not_clipped(tmp_path, caplog):
    like = tmp_path / "in.wav"
    wav(like, 9, subtype="FLOAT")
    path = tmp_path / "loud.wav"
    write_audio_file(path, torch.full((1, 9), 1.5), 16000, like)
    assert caplog.text == ""
    assert soundfile.read(path)[0].max() == 1.5


def test_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "out.wav"
    path.write_bytes(b"old")

    def full_disk(*args, **kwargs):
        raise RuntimeError("No space left on device")

    monkeypatch.setattr(soundfile, "write", full_disk)
    with pytest.raises(OSError, match="could not be written: No space left"):
        write_audio_file(path, torch.zeros(1, 9), 16000)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_padded_batch(enhancer):
    long, short = torch.randn(1, 6000), torch.randn(1, 2500)
    batch = torch.cat([long, torch.nn.functional.pad(short, (0, 3500))])
    lengths = torch.tensor([1.0, 2500 / 6000])
    enhanced = enhancer.enhance_batch(batch, lengths)
    expected = enhancer.enhance_batch(short)
    torch.testing.assert_close(
        enhanced[1:, :2500], expected, rtol=1e-4, atol=1e-4
    )
    assert enhanced[1, 2500:].abs().max() == 0
