"""An item of a padded batch gets what it gets alone."""

import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from places import ROOT
from stub_enhancers import noise, read, write
from torch.nn.utils.rnn import pad_sequence

from speechbrain_semamba.inference.enhancement import SEMambaEnhancement
from speechbrain_semamba.processing import precision

CORPUS = ROOT / "samples" / "voicebank_mini" / "noisy_testset_wav"


@pytest.fixture(scope="module")
def enhancer(model_folder):
    return SEMambaEnhancement.from_hparams(source=str(model_folder))


@pytest.fixture(scope="module")
def speech():
    """Real speech, of a second and a half."""
    path = sorted(CORPUS.glob("*.wav"))[0]
    return read(path)[0][0, 8000:32_000]


def rms(wav):
    return wav.double().square().mean().sqrt()


def in_a_batch(enhancer, wavs):
    """Each wave [samples], out of one padded batch."""
    sizes = torch.tensor([len(wav) for wav in wavs])
    batch = pad_sequence(wavs, batch_first=True)
    enhanced = enhancer.enhance_batch(batch, sizes / sizes.max())
    for wav, size in zip(enhanced, sizes):
        assert not wav[size:].any()
    return [wav[:size] for wav, size in zip(enhanced, sizes)]


# a wave shorter than a frame is padded with zeros, in a batch as alone
lengths = st.lists(
    st.one_of(
        st.integers(1, 450),
        st.integers(1, 40).map(lambda n: 100 * n),
        st.integers(1, 4000),
    ),
    min_size=2,
    max_size=3,
)


@pytest.fixture(scope="module")
def exact(model_folder):
    """In float64."""
    enhancer = SEMambaEnhancement.from_hparams(source=str(model_folder))
    enhancer.mods.double()
    return enhancer


@pytest.fixture(scope="module")
def half(model_folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(precision, "why_not_bf16", lambda device: None)
        return SEMambaEnhancement.from_hparams(
            source=str(model_folder), run_opts={"precision": "bf16"}
        )


@examples(max_examples=15, deadline=None)
@given(lengths, st.integers(0, 12_000))
def test_any_mix_of_lengths(exact, speech, lengths, start):
    wavs = [speech[start : start + length].double() for length in lengths]
    for wav, together in zip(wavs, in_a_batch(exact, wavs)):
        alone = exact.enhance_batch(wav)
        assert together.shape == alone.shape
        assert (together - alone).abs().max() <= 1e-10 * rms(alone)


@pytest.mark.parametrize("name", ["enhancer", "half"])
@examples(max_examples=8, deadline=None)
@given(
    st.lists(st.integers(500, 4000), min_size=2, max_size=3),
    st.integers(0, 12_000),
)
def test_any_mix_of_lengths_in(exact, request, speech, name, lengths, start):
    """In float32 and bfloat16, as far as these tell a wave at all.

    Single samples of two batches of one length differ as much; a mistake in
    the padding would be far above it.
    """
    network = request.getfixturevalue(name)
    assert network.precision == {"enhancer": "fp32", "half": "bf16"}[name]
    wavs = [speech[start : start + length] for length in lengths]
    for wav, together in zip(wavs, in_a_batch(network, wavs)):
        alone, truth = (e.enhance_batch(wav) for e in (network, exact))
        rounding = rms(alone - truth) / rms(truth)
        assert rms(together - alone) <= (2 * rounding + 2e-6) * rms(truth)


@pytest.mark.parametrize("batch_seconds", [0.5, 20])
def test_files_together_are_files_alone(
    enhancer, speech, tmp_path, batch_seconds
):
    """Of several rates, channels and lengths."""
    sizes = (1, 150, 201, 4000, 4001, 7990, 8000, 12_000)
    pairs = []
    for i, size in enumerate(sizes):
        wav = torch.stack([speech[k : k + size] for k in range(1 + i % 3)])
        path = tmp_path / f"{i}.wav"
        write(path, wav, rate=(16000, 48000, 8000)[i % 3])
        pairs.append((path, tmp_path / f"out-{i}.wav"))
    jobs = list(enhancer.enhance_files(pairs, batch_seconds=batch_seconds))
    assert [job.error for job in jobs] == [None] * len(sizes)
    seconds = [job.seconds for job in jobs]
    assert seconds == sorted(seconds, reverse=True)
    for source, target in pairs:
        alone = enhancer.enhance_file(source)
        together, rate = read(target)
        assert rate == soundfile.info(source).samplerate
        alone = alone.view(together.shape)
        for one, other in zip(together, alone):
            assert rms(one - other) <= 1e-5 * rms(other)


def test_batches_hold_what_they_may(enhancer, tmp_path, monkeypatch):
    shapes = []
    whole = enhancer.enhance_batch

    def spy(batch, lengths):
        shapes.append(tuple(batch.shape))
        return whole(batch, lengths)

    monkeypatch.setattr(enhancer, "enhance_batch", spy)
    pairs = []
    for size in (4000, 3900, 3800, 2000, 1900, 1000):
        write(tmp_path / f"{size}.wav", noise(1, size))
        pairs.append((tmp_path / f"{size}.wav", tmp_path / "out.wav"))
    list(enhancer.enhance_files(pairs, batch_seconds=0.5))
    assert shapes == [(2, 4000), (2, 3800), (2, 1900)]
