"""One enhancer in several threads and processes."""

import multiprocessing
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from forks import end_of, fork
from stub_enhancers import noise, read, write

from speechbrain_semamba.inference.enhancement import SEMambaEnhancement

SHORT = {"window_seconds": 0.2, "overlap_seconds": 0.05}


@pytest.fixture(scope="module")
def enhancer(model_folder):
    return SEMambaEnhancement.from_hparams(source=str(model_folder))


def streamed(enhancer, wav):
    blocks = enhancer.enhance_stream(wav.split(1000), **SHORT)
    return torch.cat(list(blocks))


def assert_alike(enhanced, expected):
    """One thread and several round differently."""
    assert (enhanced - expected).abs().max() < 1e-4 * expected.abs().max()


def test_streams_in_turns(enhancer):
    """Two generators of one thread keep their states apart."""
    wavs = noise(9000), noise(9000, seed=1)
    streams = [enhancer.enhance_stream(w.split(1000), **SHORT) for w in wavs]
    pairs = list(zip(*streams))
    for i, wav in enumerate(wavs):
        enhanced = torch.cat([pair[i] for pair in pairs])
        assert torch.equal(enhanced, streamed(enhancer, wav))


def test_threads(enhancer, tmp_path):
    """Streams, files and batches at once, into one folder."""
    wavs = [noise(7000 + i, seed=i) for i in range(4)]
    expected = [streamed(enhancer, wav) for wav in wavs]

    def work(i):
        source = write(tmp_path / f"{i}.wav", wavs[i][None])
        target = tmp_path / f"out-{i}.wav"
        (job,) = enhancer.enhance_files([(source, target)], pcs="peak")
        return streamed(enhancer, wavs[i]), job, read(target)[0]

    with ThreadPoolExecutor(4) as pool:
        for i, (stream, job, written) in enumerate(pool.map(work, range(4))):
            assert_alike(stream, expected[i])
            assert job.error is None and written.abs().max() == 1
    assert len(list(tmp_path.iterdir())) == 8


def enhance_and_compare(enhancer, wav, expected, source, target):
    torch.set_num_threads(1)
    assert_alike(streamed(enhancer, wav), expected)
    (job,) = enhancer.enhance_files([(source, target)])
    assert job.error is None


@pytest.fixture
def work(enhancer, tmp_path):
    wav = noise(7000)
    source = write(tmp_path / "a.wav", wav[None])
    expected = streamed(enhancer, wav)
    return enhancer, wav, expected, source, tmp_path / "b.wav"


def test_forked_process(work):
    assert end_of(fork(enhance_and_compare, *work)) == 0
    assert read(work[-1])[0].shape == (1, 7000)


def test_spawned_process(work):
    process = multiprocessing.get_context("spawn").Process(
        target=enhance_and_compare, args=work
    )
    process.start()
    process.join(60)
    assert process.exitcode == 0
    assert read(work[-1])[0].shape == (1, 7000)
