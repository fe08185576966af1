"""The pretrained interface, and audio files in and out."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest
import soundfile
import torch
from speechbrain.inference.enhancement import WaveformEnhancement

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
    with pytest.raises(
        ValueError, match=r"in\.wav: .* but 100 of 1000 are NaN"
    ):
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


def test_name_is_checked_before_the_work(enhancer, tmp_path, monkeypatch):
    wav(tmp_path / "in.wav", 1000)
    monkeypatch.setattr(
        enhancer, "enhance_batch", lambda *args: pytest.fail("worked already")
    )
    with pytest.raises(ValueError, match="ends in '.xyz'"):
        enhancer.enhance_file(tmp_path / "in.wav", tmp_path / "out.xyz")


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


def test_lengths_in_samples_are_refused(enhancer):
    with pytest.raises(ValueError, match=r"are relative.* found \[800, 400\]"):
        enhancer.enhance_batch(torch.randn(2, 800), torch.tensor([800, 400]))


def test_one_length_for_two_items_is_refused(enhancer):
    with pytest.raises(ValueError, match=r"must be \[2\], .* found \[1\]"):
        enhancer.enhance_batch(torch.randn(2, 800), torch.tensor([1.0]))


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int16"])
def test_waves_as_other_libraries_give_them(enhancer, dtype):
    """One or a batch, as NumPy arrays or tensors."""
    noise = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    wav = (0.1 * noise).clamp(-1, 1)
    given = (wav * 2**15).numpy() if dtype == "int16" else wav.numpy()
    given = given.astype(dtype)
    exact = torch.from_numpy(given).double() / (
        2**15 if dtype == "int16" else 1
    )
    expected = enhancer.enhance_batch(exact[None].float())
    for one in (given, torch.from_numpy(given)):
        enhanced = enhancer.enhance_batch(one)
        assert enhanced.shape == (1000,)
        wide = torch.float64 if dtype == "float64" else torch.float32
        assert enhanced.dtype == wide
        assert torch.equal(enhanced.float(), expected[0])


def test_damaged_model_writes_nothing(model_folder, tmp_path):
    enhancer = SEMambaEnhancement.from_hparams(source=str(model_folder))
    generator = enhancer.mods.enhance_model.generator
    with torch.no_grad():
        generator.mask_decoder.conv_out.bias.fill_(torch.nan)
    wav(tmp_path / "in.wav", 1000)
    with pytest.raises(ValueError, match="infinite; the model may be damaged"):
        enhancer.enhance_file(tmp_path / "in.wav", tmp_path / "out.wav")
    assert [p.name for p in tmp_path.iterdir()] == ["in.wav"]


def test_formats_that_are_read_but_not_written_alike(enhancer, tmp_path):
    """MP3 inside WAV can be read, and is offered but cannot be written."""
    wav(tmp_path / "in.wav", 16000)
    samples, rate = soundfile.read(tmp_path / "in.wav")
    for source in ("in.mp3", "in.ogg", "in.flac"):
        soundfile.write(tmp_path / source, samples, rate)
        for target in ("out.wav", "out.flac", "out.ogg", "out.mp3"):
            enhancer.enhance_file(tmp_path / source, tmp_path / target)
            assert soundfile.info(tmp_path / target).samplerate == rate
    assert soundfile.info(tmp_path / "out.wav").subtype == "PCM_16"


@pytest.mark.parametrize(
    "copy_of", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_copies_enhance_alike(enhancer, copy_of):
    noisy = torch.randn(1, 900)
    expected = enhancer.enhance_batch(noisy)
    assert torch.equal(copy_of(enhancer).enhance_batch(noisy), expected)


def test_two_threads_enhance_at_once(enhancer):
    noisy = torch.randn(1, 900)
    expected = enhancer.enhance_batch(noisy)
    with ThreadPoolExecutor(2) as pool:
        for enhanced in pool.map(enhancer.enhance_batch, [noisy] * 6):
            assert torch.equal(enhanced, expected)


class EnhancedNoise(torch.utils.data.Dataset):
    def __init__(self, enhancer, noisy):
        self.enhancer, self.noisy = enhancer, noisy

    def __len__(self):
        return len(self.noisy)

    def __getitem__(self, index):
        return self.enhancer.enhance_batch(self.noisy[index])


def test_forked_worker_of_a_loader(enhancer):
    noisy = torch.randn(2, 900)
    expected = enhancer.enhance_batch(noisy)
    dataset = EnhancedNoise(enhancer, noisy)
    (enhanced,) = torch.utils.data.DataLoader(dataset, 2, num_workers=1)
    # one thread and one wave at a time round differently
    assert (enhanced - expected).abs().max() < 1e-4 * expected.abs().max()


def test_folder_behind_links_is_only_read(model_folder, tmp_path, monkeypatch):
    """Without a home, from another place; nothing is written anywhere."""
    monkeypatch.setenv("HOME", "/nonexistent")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    place, links = tmp_path / "place", tmp_path / "links"
    place.mkdir()
    links.mkdir()
    for file in model_folder.iterdir():
        (links / file.name).symlink_to(file)
    (tmp_path / "link").symlink_to(links)
    monkeypatch.chdir(place)
    before = sorted(model_folder.iterdir()), sorted(links.iterdir())
    enhancer = SEMambaEnhancement.from_hparams(source=str(tmp_path / "link"))
    assert enhancer.enhance_batch(torch.randn(900)).isfinite().all()
    assert not list(place.iterdir())
    assert before == (sorted(model_folder.iterdir()), sorted(links.iterdir()))


def test_float64_by_default(model_folder):
    torch.set_default_dtype(torch.float64)
    try:
        enhancer = SEMambaEnhancement.from_hparams(source=str(model_folder))
        for dtype in (torch.float32, torch.float64):
            enhanced = enhancer.enhance_batch(torch.randn(900, dtype=dtype))
            assert enhanced.isfinite().all()
    finally:
        torch.set_default_dtype(torch.float32)
