"""PCS400 against its definition in NumPy, and that against librosa."""

import numpy as np
import pytest
import torch

from speechbrain_semamba.processing.pcs import PerceptualContrastStretching

LENGTHS = (1, 150, 16000, 16123)

# The band importance of ANSI S3.5 in thousandths, and the first of the bins
# (40 Hz wide) of each band; PCS maps 0 ... 0.057 to gains of 1 ... 1.4.
IMPORTANCE = {0: 0, 3: 10, 5: 26, 8: 41, 10: 57, 110: 46, 130: 34}
IMPORTANCE.update({160: 23, 190: 11})


def gains():
    values = np.zeros(201)
    for first_bin, importance in IMPORTANCE.items():
        values[first_bin:] = 1 + 0.4 * importance / 57
    return values


def hamming():
    """The symmetric window: both ends are 0.08."""
    return 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(400) / 399)


def numpy_stft(wav):
    """[frames, 201]: window 400, hop 100, centred between zeros."""
    wav = np.pad(wav, 200)
    starts = range(0, len(wav) - 400 + 1, 100)
    frames = np.stack([wav[s : s + 400] * hamming() for s in starts])
    return np.fft.rfft(frames)


def numpy_istft(spectrum, length):
    """Overlap and add, over the sum of the squared windows."""
    wav = np.zeros(100 * len(spectrum) + 300)
    weight = np.zeros_like(wav)
    for i, frame in enumerate(np.fft.irfft(spectrum)):
        wav[100 * i : 100 * i + 400] += frame * hamming()
        weight[100 * i : 100 * i + 400] += hamming() ** 2
    return (wav / weight)[200 : 200 + length]


def stretch(spectrum):
    """Gain on log(1 + magnitude), the same phase."""
    log = np.log1p(np.abs(spectrum))
    return np.expm1(gains() * log) * np.exp(1j * np.angle(spectrum))


def numpy_pcs(wav):
    spectrum = numpy_stft(np.append(wav, np.zeros(200)))
    return numpy_istft(stretch(spectrum), len(wav))


def noise(length, seed=0):
    return np.random.default_rng(seed).uniform(-0.5, 0.5, length)


@pytest.mark.parametrize("scale", ["peak", None])
@pytest.mark.parametrize("length", LENGTHS)
def test_against_numpy(length, scale):
    wav = noise(length)
    expected = numpy_pcs(wav)
    if scale == "peak":
        expected = expected / np.abs(expected).max()
    pcs = PerceptualContrastStretching(scale=scale)
    ours = pcs(torch.from_numpy(wav)[None])
    assert ours.shape == (1, length) and ours.dtype == torch.float64
    # the gains and the window are kept in float32
    np.testing.assert_allclose(ours[0], expected, atol=1e-5)
    ours = pcs(torch.from_numpy(wav)[None].float())
    assert ours.dtype == torch.float32
    np.testing.assert_allclose(ours[0], expected, atol=1e-4)


@pytest.mark.parametrize("length", LENGTHS)
def test_numpy_against_librosa(length):
    """The yardstick itself; librosa made the published PCS400 files."""
    librosa = pytest.importorskip(
        "librosa", reason="librosa is not among the dependencies"
    )
    wav = noise(length, seed=1)
    padded = np.append(wav, np.zeros(200))
    options = {"hop_length": 100, "win_length": 400, "window": hamming()}
    spectrum = librosa.stft(padded, n_fft=400, **options)
    np.testing.assert_allclose(numpy_stft(padded), spectrum.T, atol=1e-6)
    stretched = stretch(spectrum.T)
    expected = librosa.istft(stretched.T, length=length, **options)
    np.testing.assert_allclose(numpy_pcs(wav), expected, atol=1e-6)


def test_gains():
    ours = PerceptualContrastStretching().gains
    assert ours.shape == (201,)
    np.testing.assert_allclose(ours, gains(), atol=1e-6)


def test_silence_stays_silence_beside_speech():
    wav = torch.from_numpy(noise(1000)).repeat(2, 1)
    wav[0] = 0
    stretched = PerceptualContrastStretching()(wav)
    assert not stretched[0].any()
    assert stretched[1].abs().max() == 1


def test_each_item_gets_its_own_peak():
    wav = torch.from_numpy(np.stack([noise(1000), 0.01 * noise(1000, 1)]))
    pcs = PerceptualContrastStretching()
    together = pcs(wav)
    torch.testing.assert_close(
        together.abs().amax(dim=1), torch.ones(2).double()
    )
    torch.testing.assert_close(together[1:], pcs(wav[1:]))


def test_without_scale_the_level_grows_with_the_input():
    """More than the input: the stretching works on absolute magnitudes."""
    pcs = PerceptualContrastStretching(scale=None)
    wav = torch.from_numpy(noise(1000))[None]
    soft, loud = pcs(0.1 * wav).norm(), pcs(wav).norm()
    assert loud > 10 * soft > 0


@pytest.mark.parametrize("scale", ["rms", 1.0, ""])
def test_wrong_scale(scale):
    with pytest.raises(ValueError, match="'peak' or None, not "):
        PerceptualContrastStretching(scale=scale)
