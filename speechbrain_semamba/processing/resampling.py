"""The one resampler of this project."""

import math
from fractions import Fraction
from functools import partial

import torch
from torchaudio.functional import resample as torchaudio_resample

from speechbrain_semamba.processing.streams import in_pieces
from speechbrain_semamba.utils.checks import check_rates

# Known as "kaiser_best" (librosa, resampy). Another resampler changes the
# scores: 48 kHz VoiceBank-DEMAND files brought to 16 kHz by two different
# ones have been reported to differ by half a PESQ point for one model.
KAISER_BEST = {
    "lowpass_filter_width": 64,
    "rolloff": 0.9475937167399596,
    "resampling_method": "sinc_interp_kaiser",
    "beta": 14.769656459379492,
}
#: Numbers of the filter that torchaudio makes, and of a block of ours
MAX_NUMBERS = 2**22
#: So long does a stream wait for its next piece
PIECES_A_SECOND = 4


def resample(wav, rate_in, rate_out):
    """Resamples with the Kaiser-windowed sinc named "kaiser_best".

    Arguments
    ---------
    wav : torch.Tensor
        Waveforms [..., samples].
    rate_in : int
        Their rate, in Hz, from 1,000 to 384,000.
    rate_out : int
        The rate wanted, in Hz.

    Returns
    -------
    torch.Tensor
        Waveforms [..., ceil(samples * rate_out / rate_in)].

    Raises
    ------
    ValueError
        If a rate is out of range (``check_rates``).

    Example
    -------
    >>> resample(torch.randn(2, 48000), 48000, 16000).shape
    torch.Size([2, 16000])
    >>> resample(torch.randn(1, 44101), 44101, 16000).shape
    torch.Size([1, 16000])
    """
    check_rates(rate_in, rate_out)
    common = math.gcd(rate_in, rate_out)
    steps_in, steps_out = rate_in // common, rate_out // common
    width = KAISER_BEST["lowpass_filter_width"] / _cutoff(steps_in, steps_out)
    if steps_out * (2 * width + steps_in) <= MAX_NUMBERS:
        return torchaudio_resample(wav, rate_in, rate_out, **KAISER_BEST)
    # torchaudio keeps a filter for each place between two samples: gigabytes
    # where the rates have no large divisor in common
    return _resample_in_blocks(wav, steps_in, steps_out)


def resample_stream(blocks, rate_in, rate_out):
    """What ``resample`` makes of the whole, block by block.

    Arguments
    ---------
    blocks : iterable of torch.Tensor
        A stream [..., samples].
    rate_in, rate_out : int
        As for ``resample``.

    Returns
    -------
    iterable of torch.Tensor
        The stream [..., samples] at the other rate; the same if it is none.

    Raises
    ------
    ValueError
        If a rate is out of range.

    Example
    -------
    >>> blocks = torch.randn(1, 48000).split(7000, dim=1)
    >>> sum(b.shape[1] for b in resample_stream(blocks, 48000, 16000))
    16000
    """
    if rate_in == rate_out:
        return blocks
    check_rates(rate_in, rate_out)
    ratio = Fraction(rate_out, rate_in)
    cutoff = _cutoff(ratio.denominator, ratio.numerator)
    reach = math.ceil(KAISER_BEST["lowpass_filter_width"] / cutoff) + 1
    return in_pieces(
        blocks,
        partial(resample, rate_in=rate_in, rate_out=rate_out),
        context=reach,
        piece=rate_in // PIECES_A_SECOND,
        step=ratio.denominator,
        ratio=ratio,
    )


def _cutoff(steps_in, steps_out):
    """Of the sinc, in half the input's rate."""
    return min(1, steps_out / steps_in) * KAISER_BEST["rolloff"]


def _resample_in_blocks(wav, steps_in, steps_out):
    """The same sum, with a filter that is made where it is needed."""
    flat = wav.reshape(-1, wav.shape[-1])
    samples = flat.shape[1]
    cutoff = _cutoff(steps_in, steps_out)
    reach = math.ceil(KAISER_BEST["lowpass_filter_width"] / cutoff)
    padded = torch.nn.functional.pad(flat, (reach, reach + 1))
    windows = padded.unfold(1, 2 * reach + 1, 1)  # [batch, samples + 1, taps]
    taps = torch.arange(-reach, reach + 1, device=wav.device)
    blocks = []
    total = -(-samples * steps_out // steps_in)
    for block in torch.arange(total, device=wav.device).split(
        max(1, MAX_NUMBERS // len(taps))
    ):
        place = block * steps_in
        nearest = place // steps_out
        rest = (place % steps_out).double() / steps_out
        kernel = _kernel(taps - rest[:, None], cutoff).to(wav.dtype)
        blocks.append(torch.einsum("bnt,nt->bn", windows[:, nearest], kernel))
    return torch.cat(blocks, dim=1).view(*wav.shape[:-1], total)


def _kernel(distance, cutoff):
    """Kaiser-windowed sinc at distances in samples of the input."""
    width, beta = KAISER_BEST["lowpass_filter_width"], KAISER_BEST["beta"]
    t = (distance * cutoff).clamp(-width, width)
    beta = torch.tensor(beta, dtype=t.dtype, device=t.device)
    window = torch.i0(beta * (1 - (t / width) ** 2).sqrt()) / torch.i0(beta)
    return cutoff * window * torch.sinc(t)
