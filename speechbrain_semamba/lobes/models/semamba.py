"""SEMamba: enhances a spectrum; SEMambaEnhancer: enhances a wave.

Chao et al., "An Investigation of Incorporating Mamba for Speech
Enhancement", SLT 2024 (arXiv:2405.06573).
"""

import torch
from torch import nn

from speechbrain_semamba.nnet.decoders import MaskDecoder, PhaseDecoder
from speechbrain_semamba.nnet.encoder import DenseEncoder
from speechbrain_semamba.nnet.tf_mamba import TFMamba
from speechbrain_semamba.processing.lengths import ValidSizes
from speechbrain_semamba.processing.levels import rms_gain
from speechbrain_semamba.processing.precision import at_least_float32
from speechbrain_semamba.processing.spectral import MagPhaseSTFT
from speechbrain_semamba.processing.waves import (
    check_finite,
    check_lengths,
    check_waves,
    check_weights,
)
from speechbrain_semamba.utils.checks import check_counts


class SEMamba(nn.Module):
    """The generator: noisy spectrum to enhanced spectrum.

    The defaults are the paper's: 2,258,769 parameters.

    Arguments
    ---------
    channels : int
        Number of feature channels.
    num_blocks : int
        Number of TF-Mamba blocks.
    d_state : int
        States for each inner feature of Mamba.
    d_conv : int
        Width of Mamba's causal convolution.
    expand : int
        Inner features for each input feature of Mamba.
    n_fft : int
        Size of the transform; n_fft // 2 must be even.
    beta : float
        Largest value of the magnitude mask.
    backend : str
        Which kernels to use, as in ``ops.selective_scan``.

    Raises
    ------
    ValueError
        If a size is none, ``n_fft`` does not survive halving and doubling of
        the frequencies, or the mask would let nothing pass.

    Example
    -------
    >>> model = SEMamba(channels=8, num_blocks=1)
    >>> mag, phase = torch.rand(2, 1, 5, 201)
    >>> [x.shape for x in model(mag, phase)]
    [torch.Size([1, 5, 201]), torch.Size([1, 5, 201])]
    """

    def __init__(
        self,
        channels=64,
        num_blocks=4,
        d_state=16,
        d_conv=4,
        expand=4,
        n_fft=400,
        beta=2.0,
        backend="auto",
    ):
        super().__init__()
        check_counts(
            channels=channels,
            num_blocks=num_blocks,
            d_state=d_state,
            d_conv=d_conv,
            expand=expand,
            n_fft=n_fft,
        )
        if n_fft % 4:
            raise ValueError(f"n_fft must be a multiple of 4, not {n_fft}")
        if not beta > 0:
            raise ValueError(f"beta must be above 0, not {beta}")
        self.encoder = DenseEncoder(channels, backend)
        self.blocks = nn.ModuleList(
            TFMamba(
                channels,
                d_state=d_state,
                d_conv=d_conv,
                expand=expand,
                backend=backend,
            )
            for _ in range(num_blocks)
        )
        self.mask_decoder = MaskDecoder(channels, n_fft // 2 + 1, beta, backend)
        self.phase_decoder = PhaseDecoder(channels, backend)

    def forward(self, mag, phase, lengths=None):
        """Enhances a batch of spectra.

        Arguments
        ---------
        mag : torch.Tensor
            Compressed magnitude [batch, frames, freq].
        phase : torch.Tensor
            Phase in radians [batch, frames, freq].
        lengths : torch.Tensor
            Relative lengths [batch] in frames. With them each item of a
            padded batch gets what it gets alone.

        Returns
        -------
        mag : torch.Tensor
            Compressed magnitude [batch, frames, freq].
        phase : torch.Tensor
            Phase in radians [batch, frames, freq].

        Raises
        ------
        ValueError
            If a shape does not fit.
        """
        freq = len(self.mask_decoder.sigmoid.slope)
        if mag.dim() != 3 or mag.shape != phase.shape or mag.shape[2] != freq:
            raise ValueError(
                f"mag and phase must be [batch, frames, {freq}], found "
                f"{list(mag.shape)} and {list(phase.shape)}; n_fft of model "
                "and transform are to be the same"
            )
        valid = ValidSizes.of(lengths, mag.shape[:2])
        x = self.encoder(torch.stack([mag, phase], dim=1), valid)
        for block in self.blocks:
            x = block(x, valid)
            if valid is not None:
                # a convolution or a backward scan would see what lies beyond
                x = x * valid.mask[:, None, :, None]
        mag = at_least_float32(self.mask_decoder(x, valid)) * mag
        return mag, self.phase_decoder(x, valid)


class SEMambaEnhancer(nn.Module):
    """The whole enhancer: noisy wave to enhanced wave.

    Scales each wave to a root mean square of 1, as in training, and back.

    Arguments
    ---------
    generator : torch.nn.Module
        Maps (mag, phase, lengths) to (mag, phase), such as ``SEMamba``.
    stft : MagPhaseSTFT
        The spectral front end.

    Example
    -------
    >>> enhance = SEMambaEnhancer(SEMamba(channels=8, num_blocks=1))
    >>> wav, (mag, phase) = enhance(torch.randn(2, 1600))
    >>> wav.shape, mag.shape
    (torch.Size([2, 1600]), torch.Size([2, 17, 201]))
    """

    def __init__(self, generator, stft=None):
        super().__init__()
        self.generator = generator
        self.stft = MagPhaseSTFT() if stft is None else stft

    def forward(self, noisy, lengths=None, gain=None):
        """Enhances a batch of waves.

        Arguments
        ---------
        noisy : torch.Tensor
            Waveforms [batch, samples] of any floating type, computed in that
            of the weights; or of 16 or 32 bit integers (``check_waves``).
        lengths : torch.Tensor
            Relative lengths [batch]. With them each item of a padded batch
            gets what it gets alone, and zeros beyond its end.
        gain : torch.Tensor
            Factors [batch, 1] to enhance at, in place of those that bring
            each wave to a root mean square of 1: for parts of longer waves.

        Returns
        -------
        wav : torch.Tensor
            Waveforms [batch, samples]; silence stays silence.
        spectrum : tuple
            Compressed magnitude and phase [batch, frames, freq] of the
            enhanced wave before its gain is undone.

        Raises
        ------
        ValueError
            If a shape does not fit, a sample is not finite, or there is none;
            if the weights are in half precision, or the network's output is
            not finite.
        """
        given, wav = noisy.dtype, check_waves(noisy).to(check_weights(self))
        check_lengths(lengths)
        gain = rms_gain(wav, lengths) if gain is None else gain.to(wav)
        mag, phase = self.stft.analyze(wav * gain, lengths)
        frames = self.stft.frame_lengths(lengths, wav.shape[1])
        mag, phase = self.generator(mag, phase, frames)
        wav = self.stft.synthesize(mag, phase, wav.shape[1], lengths) / gain
        check_finite(wav, "enhanced samples", "; the model may be damaged")
        # a float64 wave stays one, whatever the weights are
        return wav.to(torch.promote_types(given, torch.float32)), (mag, phase)
