"""Perceptual contrast stretching: a fixed gain for each band of a wav."""

from functools import partial

import torch
from torch.nn.functional import pad

from speechbrain_semamba.processing.spectral import MagPhaseSTFT

# (first bin, last bin, gain) of the 201 bins of a 400-point transform at
# 16 kHz: the band importance of ANSI S3.5 scaled as in the paper.
PCS400_BANDS = (
    (0, 2, 1.0),
    (3, 4, 1.070175439),
    (5, 7, 1.182456140),
    (8, 9, 1.287719298),
    (10, 109, 1.4),
    (110, 129, 1.322807018),
    (130, 159, 1.238596491),
    (160, 189, 1.161403509),
    (190, 200, 1.077192982),
)


class PerceptualContrastStretching(torch.nn.Module):
    """PCS400: stretches the log spectrum of speech, band by band.

    Chao et al., "Perceptual Contrast Stretching on Target Feature for Speech
    Enhancement", Interspeech 2022 (arXiv:2203.17152), with the transform
    that SEMamba's published PCS400 files were made with: 200 zeros appended,
    window 400 and hop 100, symmetric Hamming window, zero padding.

    Arguments
    ---------
    scale : str
        "peak" scales each item to a peak of 1, as the published files are;
        None leaves the level as it comes, for training targets.

    Raises
    ------
    ValueError
        If ``scale`` is neither "peak" nor None.

    Example
    -------
    >>> pcs = PerceptualContrastStretching()
    >>> wav = torch.sin(torch.arange(16000) * 0.3)[None]
    >>> round(pcs(wav).abs().max().item(), 6), pcs(wav).shape
    (1.0, torch.Size([1, 16000]))
    """

    def __init__(self, scale="peak"):
        super().__init__()
        if scale not in ("peak", None):
            raise ValueError(f"scale must be 'peak' or None, not {scale!r}")
        self.scale = scale
        self.stft = MagPhaseSTFT(
            compression=1.0,
            window_fn=partial(torch.hamming_window, periodic=False),
            pad_mode="constant",
        )
        gains = [
            g for low, high, g in PCS400_BANDS for _ in range(low, high + 1)
        ]
        self.register_buffer("gains", torch.tensor(gains), persistent=False)

    def forward(self, wav):
        """Stretches a batch of waveforms.

        Arguments
        ---------
        wav : torch.Tensor
            Waveforms [batch, samples] at 16 kHz.

        Returns
        -------
        torch.Tensor
            Waveforms [batch, samples]; silence stays silence.
        """
        mag, phase = self.stft.analyze(pad(wav, (0, self.stft.n_fft // 2)))
        mag = torch.expm1(self.gains * torch.log1p(mag))
        wav = self.stft.synthesize(mag, phase, wav.shape[1])
        if self.scale is None:
            return wav
        peak = wav.abs().amax(dim=1, keepdim=True)
        return wav / torch.where(peak > 0, peak, torch.ones_like(peak))
