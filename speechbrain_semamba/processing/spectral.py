"""The spectral front end: wav <-> (compressed magnitude, phase)."""

import torch
from torch.nn.functional import pad
from torch.nn.utils.rnn import pad_sequence

from speechbrain_semamba.processing.lengths import ValidSizes
from speechbrain_semamba.processing.precision import at_least_float32
from speechbrain_semamba.utils.checks import check_counts


class MagPhaseSTFT(torch.nn.Module):
    """Short-time spectrum as compressed magnitude and phase, and back.

    The magnitude is raised to ``compression`` (MP-SENet, arXiv:2305.13686,
    section 2.1). Both directions compute in float32 or better. Reflection
    makes the first frame symmetric, so its phases are 0 or pi, and whether
    it is pi or -pi is rounding noise, here as in the official code.

    Arguments
    ---------
    n_fft : int
        Size of the transform, in samples.
    hop_length : int
        Step between frames, in samples.
    win_length : int
        Length of the window, in samples.
    compression : float
        Exponent of the magnitude.
    window_fn : callable
        Makes the window from its length and ``dtype``, as those of PyTorch.
    pad_mode : str
        How the first and last half window are filled, as in ``torch.stft``.

    Raises
    ------
    ValueError
        If a size or the exponent is out of range.

    Example
    -------
    >>> stft = MagPhaseSTFT()
    >>> wav = torch.randn(2, 16123)
    >>> mag, phase = stft.analyze(wav)
    >>> mag.shape, phase.shape
    (torch.Size([2, 162, 201]), torch.Size([2, 162, 201]))
    >>> torch.allclose(stft.synthesize(mag, phase, 16123), wav, atol=1e-5)
    True
    """

    def __init__(
        self,
        n_fft=400,
        hop_length=100,
        win_length=400,
        compression=0.3,
        window_fn=torch.hann_window,
        pad_mode="reflect",
    ):
        super().__init__()
        check_counts(n_fft=n_fft, hop_length=hop_length, win_length=win_length)
        if not hop_length <= win_length <= n_fft:
            raise ValueError(
                "hop_length may not exceed win_length, nor this n_fft; found "
                f"{hop_length}, {win_length}, {n_fft}"
            )
        if not 0 < compression <= 1:
            raise ValueError(
                f"compression must be above 0 and at most 1, found {compression}"
            )
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.win_length = win_length
        self.compression = compression
        self.pad_mode = pad_mode
        self.window_fn = window_fn
        self._check_overlap()
        window = self._make_window(torch.empty(0))
        self.register_buffer("window", window, persistent=False)

    def _check_overlap(self):
        """The way back divides by the sum of the windows' squares."""
        squares = self._make_window(torch.empty(0).double()).square()
        missing = -self.win_length % self.hop_length
        sums = pad(squares, (0, missing)).view(-1, self.hop_length).sum(dim=0)
        if sums.min() < 1e-11:  # where torch.istft gives up
            raise ValueError(
                "windows must overlap without gaps, but with hop_length "
                f"{self.hop_length} and win_length {self.win_length} they leave "
                "some; lower hop_length"
            )

    def _apply(self, fn, recurse=True):
        """Makes the window anew where the module is moved or cast."""
        super()._apply(fn, recurse)
        self.window = self._make_window(self.window)
        return self

    def _make_window(self, like):
        # cast up from float32 it would be off by 1e-8 in float64, and the
        # compressed magnitude by 5e-7
        window = self.window_fn(self.win_length, dtype=torch.float64)
        return window.to(like)

    def _window_for(self, x):
        same = self.window.dtype == x.dtype
        return self.window if same else self._make_window(x)

    def frame_lengths(self, lengths, samples):
        """Relative lengths of the spectrum of a padded batch.

        Arguments
        ---------
        lengths : torch.Tensor
            Relative lengths [batch] of the waveforms; None stays None.
        samples : int
            Padded length of the waveforms.

        Returns
        -------
        torch.Tensor
            Relative lengths [batch] in frames.
        """
        if lengths is None:
            return None
        sizes = self._frames(
            ValidSizes.of(lengths, (len(lengths), samples)).sizes
        )
        frames = int(self._frames(torch.tensor(samples)))
        return sizes.double() / frames

    def analyze(self, wav, lengths=None, eps=0.0):
        """Spectrum of a batch of waveforms.

        Arguments
        ---------
        wav : torch.Tensor
            Waveforms [batch, samples], at least one sample.
        lengths : torch.Tensor
            Relative lengths [batch]. Each item gets the frames that it gets
            alone; frames beyond them are zero.
        eps : float
            Added to the power and to both arguments of the arc tangent, as
            the official consistency loss does (1e-10).

        Returns
        -------
        mag : torch.Tensor
            Compressed magnitude [batch, frames, freq], where frames is
            samples // hop_length + 1 and freq is n_fft // 2 + 1.
        phase : torch.Tensor
            Phase in radians [batch, frames, freq].
        """
        wav = at_least_float32(wav)
        if lengths is None:
            spectrum = self._stft(wav)
        else:
            sizes = ValidSizes.of(lengths, wav.shape).sizes.tolist()
            spectrum = pad_sequence(
                [self._stft(x[None, :n])[0] for x, n in zip(wav, sizes)],
                batch_first=True,
            )
            spectrum = self._to_frames(spectrum, wav.shape[1])
        return self._to_mag_phase(spectrum, eps)

    def synthesize(self, mag, phase, length, lengths=None):
        """Waveforms of a batch of spectra; the inverse of ``analyze``.

        Arguments
        ---------
        mag : torch.Tensor
            Compressed magnitude [batch, frames, freq].
        phase : torch.Tensor
            Phase in radians [batch, frames, freq].
        length : int
            Number of samples to return.
        lengths : torch.Tensor
            Relative lengths [batch] of the waveforms; samples beyond them
            are zero.

        Returns
        -------
        torch.Tensor
            Waveforms [batch, length].
        """
        mag = at_least_float32(mag)
        phase = phase.to(mag.dtype)
        spectrum = torch.polar(mag.pow(1.0 / self.compression), phase)
        if lengths is None:
            return self._istft(spectrum, length)
        sizes = ValidSizes.of(lengths, (len(mag), length)).sizes
        frames = self._frames(sizes).tolist()
        wavs = [
            self._istft(x[None, :t], n)[0]
            for x, t, n in zip(spectrum, frames, sizes.tolist())
        ]
        wav = pad_sequence(wavs, batch_first=True)
        return pad(wav, (0, length - wav.shape[1]))

    def _frames(self, samples):
        shortest = self.n_fft // 2 + 1
        return samples.clamp(min=shortest) // self.hop_length + 1

    def _to_frames(self, spectrum, samples):
        frames = int(self._frames(torch.tensor(samples)))
        return pad(spectrum, (0, 0, 0, frames - spectrum.shape[1]))

    def _stft(self, wav):
        # the reflection at either end needs more samples than it copies
        missing = self.n_fft // 2 + 1 - wav.shape[1]
        if missing > 0:
            wav = pad(wav, (0, missing))
        spectrum = torch.stft(
            wav,
            self.n_fft,
            self.hop_length,
            self.win_length,
            self._window_for(wav),
            center=True,
            pad_mode=self.pad_mode,
            return_complex=True,
        )
        return spectrum.transpose(1, 2)

    def _istft(self, spectrum, length):
        return torch.istft(
            spectrum.transpose(1, 2),
            self.n_fft,
            self.hop_length,
            self.win_length,
            self._window_for(spectrum.real),
            center=True,
            length=length,
        )

    def _to_mag_phase(self, spectrum, eps):
        real, imag = spectrum.real, spectrum.imag
        power = real.square() + imag.square() + eps
        # x^0.15 and atan2 have no finite gradient at zero
        silent = power < torch.finfo(power.dtype).tiny
        mag = power.masked_fill(silent, 1.0).pow(self.compression / 2)
        phase = torch.atan2(
            (imag + eps).masked_fill(silent, 0.0),
            (real + eps).masked_fill(silent, 1.0),
        )
        return mag.masked_fill(silent, 0.0), phase
