"""What is known of a batch between the generator's output and its update."""

import dataclasses

import torch

from speechbrain_semamba.processing.lengths import ValidSizes


@dataclasses.dataclass
class EnhancedBatch:
    """A batch, and what the generator made of it.

    The spectrum that the losses get is a leaf: their gradient stays there
    until the window of batches is whole, then it goes through the generator.

    Arguments
    ---------
    ids : list of str
        The utterances.
    wav : torch.Tensor
        Noisy speech [batch, samples].
    noisy : tuple
        Compressed magnitude and phase of noisy speech [batch, frames, freq].
    clean : torch.Tensor
        Clean speech [batch, samples].
    mag, phase : torch.Tensor
        Its compressed magnitude and phase [batch, frames, freq].
    output : tuple
        Enhanced magnitude and phase as the generator gave them, where
        gradients go on, and the seam in its graph (``seam_before``).
    mag_hat, phase_hat : torch.Tensor
        The same magnitude and phase as leaves: where gradients stay.
    wav_hat : torch.Tensor
        The wave of the leaves [batch, samples].
    scores : list of concurrent.futures.Future
        PESQ of each item; none without a discriminator.
    losses : dict
        Detached losses by name; none before ``compute_objectives``.
    pending : tuple
        A tensor and its gradient, with which the generator's backward pass
        goes on; None before the phase's gradient went through its decoder.
    """

    ids: list
    wav: torch.Tensor
    noisy: tuple
    clean: torch.Tensor
    mag: torch.Tensor
    phase: torch.Tensor
    output: tuple
    mag_hat: torch.Tensor
    phase_hat: torch.Tensor
    wav_hat: torch.Tensor
    scores: list = dataclasses.field(default_factory=list)
    losses: dict = dataclasses.field(default_factory=dict)
    pending: tuple = None

    @classmethod
    def of(cls, batch, noisy, output, stft, is_train):
        """What follows from the generator's output.

        Arguments
        ---------
        batch : speechbrain.dataio.batch.PaddedBatch
            Has ``id``, ``noisy`` and ``clean``.
        noisy, output : tuple
            As above.
        stft : speechbrain_semamba.processing.spectral.MagPhaseSTFT
            The spectral front end.
        is_train : bool
            Whether gradients will be wanted.

        Returns
        -------
        EnhancedBatch
            Without scores, losses and what is pending.
        """
        waves = batch.noisy.data, batch.clean.data
        return cls._of(batch.id, waves, noisy, output, stft, is_train)

    @classmethod
    def _of(cls, ids, waves, noisy, output, stft, is_train):
        wav, clean = waves
        mag, phase = stft.analyze(clean)
        leaves = [x.detach().requires_grad_(is_train) for x in output[:2]]
        wav_hat = stft.synthesize(*leaves, clean.shape[1])
        return cls(ids, wav, noisy, clean, mag, phase, output, *leaves, wav_hat)

    def utterances(self, lengths, stft):
        """Each utterance of a padded batch alone, without the padding.

        Arguments
        ---------
        lengths : torch.Tensor
            Relative lengths [batch] in samples.
        stft : speechbrain_semamba.processing.spectral.MagPhaseSTFT
            The spectral front end.

        Yields
        ------
        EnhancedBatch
            One utterance, to be evaluated.
        """
        if len(self.ids) == 1:
            yield self
            return
        sizes = ValidSizes.of(lengths, self.clean.shape).sizes
        frames = stft.frame_lengths(lengths, self.clean.shape[1])
        frames = ValidSizes.of(frames, self.mag.shape[:2]).sizes
        for i, (n, t) in enumerate(zip(sizes.tolist(), frames.tolist())):
            one = slice(i, i + 1)
            noisy = tuple(x[one, :t] for x in self.noisy)
            output = tuple(x[one, :t] for x in self.output[:2])
            waves = self.wav[one, :n], self.clean[one, :n]
            yield self._of(self.ids[one], waves, noisy, output, stft, False)

    @property
    def waves(self):
        """Noisy, enhanced and clean speech [samples] of the first utterance."""
        names = "noisy", "enhanced", "clean"
        waves = self.wav, self.wav_hat, self.clean
        return {name: wav[0].cpu() for name, wav in zip(names, waves)}

    @property
    def estimate(self):
        """Magnitude, phase and wave of enhanced speech."""
        return self.mag_hat, self.phase_hat, self.wav_hat

    @property
    def target(self):
        """Magnitude, phase and wave of clean speech."""
        return self.mag, self.phase, self.clean

    def is_finite(self):
        """Whether an utterance's values and gradients are.

        Returns
        -------
        list of bool
            One for each utterance.

        Example
        -------
        >>> wav, mag = torch.zeros(2, 9), torch.zeros(2, 3, 4)
        >>> spoilt = mag.clone()
        >>> spoilt[1, 2, 3] = torch.nan
        >>> EnhancedBatch(
        ...     ["a", "b"], wav, (mag, mag), wav, mag, mag, (), mag, spoilt, wav
        ... ).is_finite()
        [True, False]
        """
        tensors = [*self.noisy, *self.target, *self.output[:2], *self.estimate]
        leaves = self.mag_hat, self.phase_hat
        tensors += [x.grad for x in leaves if x.grad is not None]
        finite = [x.detach().isfinite().flatten(1).all(1) for x in tensors]
        return torch.stack(finite).all(0).tolist()
