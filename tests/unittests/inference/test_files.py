"""Files through the whole: lengths, encodings, levels, odd waves, errors."""

import collections
import math
import shutil

import pytest
import soundfile
import torch
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from stub_enhancers import calls_of, noise, read, stub_enhancer, write

from speechbrain_semamba.dataio import audio_source
from speechbrain_semamba.processing.levels import rms_gain
from speechbrain_semamba.processing.pcs import PerceptualContrastStretching
from speechbrain_semamba.processing.resampling import resample

SHORT = {"window_seconds": 0.5, "overlap_seconds": 0.1}
#: Half a step of each encoding
STEPS = {
    "PCM_U8": 2**-8,
    "PCM_16": 2**-16,
    "PCM_24": 2**-24,
    "FLOAT": 0,
    "DOUBLE": 0,
}
one_folder = [HealthCheck.function_scoped_fixture]


def enhance_all(enhancer, folder, names, **settings):
    """The jobs of these files, by the name of each file."""
    pairs = [(folder / name, folder / f"out-{name}") for name in names]
    jobs = list(enhancer.enhance_files(pairs, **settings))
    assert len(jobs) == len(pairs)
    return {job.source.name: job for job in jobs}


@examples(max_examples=40, deadline=None, suppress_health_check=one_folder)
@given(
    rate=st.integers(8000, 48000).map(lambda rate: round(rate, -2)),
    channels=st.integers(1, 6),
    samples=st.one_of(st.integers(1, 500), st.integers(1, 60_000)),
    subtype=st.sampled_from(list(STEPS)),
    window=st.floats(0.1, 1),
    out_rate=st.sampled_from([None, None, 8000, 16000, 48000]),
    pcs=st.sampled_from([None, "peak", "level"]),
    keep_highs=st.booleans(),
)
def test_length_rate_and_channels(
    tmp_path, rate, channels, samples, subtype, window, out_rate, **more
):
    wav = noise(channels, samples, seed=samples)
    path = write(tmp_path / "a.wav", wav, rate, subtype)
    settings = {"window_seconds": window, "overlap_seconds": window / 4}
    settings.update(sample_rate=out_rate, **more)
    enhancer = stub_enhancer()
    result = enhancer.enhance_file(path, tmp_path / "b.wav", **settings)
    job = enhance_all(enhancer, tmp_path, ["a.wav"], **settings)["a.wav"]
    assert job.error is None and job.channels == channels
    length = math.ceil(samples * (out_rate or rate) / rate)
    assert result.view(channels, -1).shape == (channels, length)
    for name in ("b.wav", "out-a.wav"):
        info = soundfile.info(tmp_path / name)
        assert info.samplerate == (out_rate or rate)
        assert (info.frames, info.channels) == (length, channels)
        assert info.subtype == subtype
    # of a float file the header holds the time
    one, other = (read(tmp_path / name)[0] for name in ("b.wav", "out-a.wav"))
    assert torch.equal(one, other)


@pytest.mark.parametrize("subtype", list(STEPS))
@pytest.mark.parametrize("rate", [16000, 44100])
def test_no_strength_gives_the_file_back(tmp_path, rate, subtype):
    wav = noise(2, rate, scale=0.3).clamp(-1, 1)
    path = write(tmp_path / "a.wav", wav, rate, subtype)
    enhancer = stub_enhancer(torch.zeros_like)
    enhancer.enhance_file(path, tmp_path / "b.wav", strength=0, **SHORT)
    assert torch.equal(read(tmp_path / "b.wav")[0], read(path)[0])


def test_pcs_with_a_peak_is_that_of_the_whole(tmp_path):
    wav = noise(1, 30_000)
    path = write(tmp_path / "a.wav", wav)
    enhancer = stub_enhancer(lambda noisy: 0.5 * noisy)
    expected = PerceptualContrastStretching()(0.5 * wav)
    for target in (None, tmp_path / "b.wav"):
        result = enhancer.enhance_file(path, target, pcs="peak", **SHORT)
        torch.testing.assert_close(result[None], expected, rtol=0, atol=1e-6)
    assert torch.equal(read(tmp_path / "b.wav")[0], result[None])
    # one peak for all channels: the balance between them stays
    wav = torch.cat([wav, 0.1 * noise(1, 30_000, seed=1)])
    write(path, wav)
    result = enhancer.enhance_file(path, pcs="peak", **SHORT)
    pcs = PerceptualContrastStretching(scale=None)(0.5 * wav)
    torch.testing.assert_close(result, pcs / pcs.abs().max(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("rate", [16000, 22050])
def test_level_of_a_long_file_is_that_of_the_whole(tmp_path, rate):
    wav = noise(2, 2 * rate) * torch.linspace(0.1, 3, 2 * rate)
    path = write(tmp_path / "a.wav", wav, rate)
    enhancer = stub_enhancer()
    enhancer.enhance_file(path, **SHORT)
    expected = rms_gain(resample(wav, rate, 16000))
    calls = calls_of(enhancer)
    assert len(calls) > 1 or len(calls[0][0]) > 2
    for noisy, _, gain in calls:
        torch.testing.assert_close(gain, expected.repeat(len(noisy) // 2, 1))


def test_file_of_a_windows_length_is_one_window(tmp_path):
    """At another rate it may become a sample longer than the window."""
    path = write(tmp_path / "a.wav", noise(1, 4801), 48000)
    enhancer = stub_enhancer()
    enhancer.enhance_file(path, window_seconds=0.10003, overlap_seconds=0.02)
    assert [noisy.shape for noisy, *_ in calls_of(enhancer)] == [(1, 1601)]


def test_nan_at_the_end_of_a_long_file(tmp_path, monkeypatch):
    """Refused before the network is asked or a file is opened."""
    monkeypatch.setattr(audio_source, "BLOCK", 5000)
    wav = noise(1, 50_000)
    wav[0, -1] = torch.nan
    path = write(tmp_path / "a.wav", wav)
    enhancer = stub_enhancer(lambda noisy: pytest.fail("worked already"))
    with pytest.raises(ValueError, match=r"a\.wav: samples must be finite"):
        enhancer.enhance_file(path, tmp_path / "b.wav", **SHORT)
    job = enhance_all(enhancer, tmp_path, ["a.wav"], **SHORT)["a.wav"]
    assert "a.wav: samples must be finite, but 1 of " in job.error
    assert [p.name for p in tmp_path.iterdir()] == ["a.wav"]


def odd_waves():
    square = torch.ones(1, 20_000)
    square[:, ::2] = -1
    return {
        "shortest": torch.full((1, 1), 0.5),
        "0.1 ms": noise(1, 5),
        "silence": torch.zeros(2, 20_000),
        "DC": torch.full((1, 20_000), 0.9),
        "square": square,
        "clicks": (torch.arange(20_000) % 999 == 0)[None].float(),
        "quiet": noise(1, 20_000, scale=1e-30),
        "loud": noise(1, 20_000, scale=1e10),
    }


@pytest.mark.parametrize("name", list(odd_waves()))
@pytest.mark.parametrize("rate", [16000, 48000])
def test_odd_waves(real_enhancer, tmp_path, name, rate):
    wav = odd_waves()[name]
    path = write(tmp_path / "a.wav", wav, rate)
    for more in ({}, SHORT, {"pcs": "peak", "keep_highs": True, **SHORT}):
        job = enhance_all(real_enhancer, tmp_path, ["a.wav"], **more)["a.wav"]
        assert job.error is None
        result = read(tmp_path / "out-a.wav")[0]
        assert result.shape == wav.shape and result.isfinite().all()
        if name == "silence":
            assert not result.any()
    assert path.exists()


@pytest.fixture(scope="module")
def real_enhancer(model_folder):
    from speechbrain_semamba.inference.enhancement import SEMambaEnhancement

    return SEMambaEnhancement.from_hparams(source=str(model_folder))


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24"])
@pytest.mark.parametrize("together", [False, True])
def test_what_is_too_loud_is_limited_and_counted(tmp_path, subtype, together):
    wav = torch.tensor([[0.25, -0.25, 0.75, -0.75] * 1000])
    names = ["a.wav", "b.wav"] if together else ["a.wav"]
    for name in names:
        write(tmp_path / name, wav, subtype=subtype)
    enhancer = stub_enhancer(lambda noisy: 2 * noisy)
    for name, job in enhance_all(enhancer, tmp_path, names).items():
        assert job.error is None and job.limited == 2000
        result = read(tmp_path / f"out-{name}")[0]
        torch.testing.assert_close(
            result, (2 * wav).clamp(-1, 1), rtol=0, atol=3 * STEPS[subtype]
        )


@pytest.mark.parametrize("seconds", [0.2, 2.0])
def test_short_disk_is_told_before_the_model_runs(
    tmp_path, monkeypatch, seconds
):
    """Alone, and of a batch."""
    usage = collections.namedtuple("usage", "free")(5000)
    wav = noise(1, round(16000 * seconds))
    names = ["a.wav", "b.wav"]
    for name in names:
        write(tmp_path / name, wav)
    enhancer = stub_enhancer(lambda noisy: pytest.fail("worked already"))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    for job in enhance_all(enhancer, tmp_path, names, **SHORT).values():
        assert "but its disk has 0.0 MB left" in job.error
    with pytest.raises(OSError, match="but its disk has"):
        enhancer.enhance_file(tmp_path / "a.wav", tmp_path / "c.wav", **SHORT)
    assert sorted(p.name for p in tmp_path.iterdir()) == names


def test_what_a_format_cannot_hold_is_told_before_the_model_runs(tmp_path):
    path = write(tmp_path / "a.wav", noise(9, 1000))
    enhancer = stub_enhancer(lambda noisy: pytest.fail("worked already"))
    with pytest.raises(OSError, match="out.flac could not be written: "):
        enhancer.enhance_file(path, tmp_path / "out.flac")
    assert [p.name for p in tmp_path.iterdir()] == ["a.wav"]


def test_faults_do_not_disturb_the_others(tmp_path):
    """Of one batch; each is told in one line."""
    good = {f"{i}.wav": noise(1, 900 + i, seed=i) for i in range(3)}
    for name, wav in good.items():
        write(tmp_path / name, wav)
    holed = noise(1, 901)
    holed[0, 7] = torch.inf
    write(tmp_path / "holed.wav", holed)
    write(tmp_path / "slow.wav", noise(1, 50), rate=500)
    write(tmp_path / "empty.wav", torch.zeros(1, 0))
    (tmp_path / "words.wav").write_text("words")
    write(tmp_path / "samples.raw.wav", noise(1, 900))
    (tmp_path / "samples.raw.wav").rename(tmp_path / "samples.raw")
    enhancer = stub_enhancer()
    bad = "holed.wav slow.wav empty.wav words.wav samples.raw absent.wav"
    jobs = enhance_all(enhancer, tmp_path, [*good, *bad.split()])
    for name, wav in good.items():
        assert jobs[name].error is None
        assert torch.equal(read(tmp_path / f"out-{name}")[0], wav)
    for name in bad.split():
        assert name in jobs[name].error and "\n" not in jobs[name].error
        assert not (tmp_path / f"out-{name}").exists()
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_target_that_cannot_be_written(tmp_path):
    for name in "ab":
        write(tmp_path / f"{name}.wav", noise(1, 900))
    pairs = [
        (tmp_path / "a.wav", tmp_path / "absent" / "a.wav"),
        (tmp_path / "b.wav", tmp_path / "c.wav"),
    ]
    jobs = {j.source.name: j for j in stub_enhancer().enhance_files(pairs)}
    assert "there is no folder" in jobs["a.wav"].error
    assert jobs["b.wav"].error is None


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("CUDA out of memory.")]
)
def test_batch_that_does_not_fit_is_split(tmp_path, error):
    """What does not fit even alone is told, and the others go on."""

    def network(noisy):
        if len(noisy) > 1 or noisy.shape[1] == 902:
            raise error
        return noisy

    names = [f"{samples}.wav" for samples in (900, 901, 902)]
    for name in names:
        write(tmp_path / name, noise(1, int(name[:3])))
    jobs = enhance_all(stub_enhancer(network), tmp_path, names)
    assert "902.wav: out of memory; free some" in jobs["902.wav"].error
    assert jobs["900.wav"].error is None and jobs["901.wav"].error is None


def test_mistakes_of_the_model_keep_their_traceback(tmp_path):
    def network(noisy):
        raise RuntimeError("size mismatch")

    write(tmp_path / "a.wav", noise(1, 900))
    with pytest.raises(RuntimeError, match="size mismatch"):
        enhance_all(stub_enhancer(network), tmp_path, ["a.wav"])


def test_unknown_setting():
    with pytest.raises(ValueError, match="the nearest is strength"):
        list(stub_enhancer().enhance_files([], strenght=1))
