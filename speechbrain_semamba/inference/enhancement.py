"""The pretrained interface: load a model folder, enhance files."""

import torch
from speechbrain.inference.enhancement import WaveformEnhancement

from speechbrain_semamba.dataio.audio_files import (
    check_audio_name,
    read_audio_file,
    write_audio_file,
)
from speechbrain_semamba.processing.precision import settle_precisions
from speechbrain_semamba.processing.resampling import resample


class SEMambaEnhancement(WaveformEnhancement):
    """A ready-to-use SEMamba.

    Does what SpeechBrain's ``WaveformEnhancement`` does with the same model
    folder, and more: it respects ``lengths``, keeps every channel of a file,
    and writes files at the rate and length of their input.

    Arguments
    ---------
    See ``speechbrain.inference.interfaces.Pretrained``; of its ``run_opts``,
    ``precision="bf16"`` runs convolutions and linear layers in bfloat16 where
    the hardware has it. The default is "auto"; ``processing.precision`` says
    what it takes and why.

    Example
    -------
    >>> folder = getfixture("model_folder")
    >>> enhancer = SEMambaEnhancement.from_hparams(source=folder)
    >>> enhancer.enhance_batch(torch.randn(1, 1600)).shape
    torch.Size([1, 1600])
    """

    def __init__(
        self, modules=None, hparams=None, run_opts=None, freeze_params=True
    ):
        run_opts = settle_precisions(run_opts, hparams, ["precision"])
        super().__init__(modules, hparams, run_opts, freeze_params)

    @property
    def sample_rate(self):
        """Rate of the waves that the model takes, in Hz."""
        return getattr(self.hparams, "sample_rate", 16000)

    @torch.inference_mode()
    def enhance_batch(self, noisy, lengths=None):
        """Enhances a batch of waves.

        Arguments
        ---------
        noisy : torch.Tensor or numpy.ndarray
            Waveforms [batch, samples], or one [samples], at the model's rate;
            of any floating type, or PCM of 16 or 32 bits.
        lengths : torch.Tensor
            Relative lengths [batch]. With them each item of a padded batch
            gets what it gets alone.

        Returns
        -------
        torch.Tensor
            Waveforms [batch, samples], or [samples].

        Raises
        ------
        ValueError
            If a shape does not fit, a sample is not finite, or there is none.
        """
        noisy = torch.as_tensor(noisy, device=self.device)
        if lengths is not None:
            lengths = torch.as_tensor(lengths, device=self.device)
        batch = noisy[None] if noisy.dim() == 1 else noisy
        with self.inference_ctx:
            enhanced, _ = self.mods.enhance_model(batch, lengths)
        return enhanced[0] if noisy.dim() == 1 else enhanced

    def enhance_file(self, filename, output_filename=None, **kwargs):
        """Enhances one file, each of its channels by itself.

        Arguments
        ---------
        filename : str
            An audio file of any rate and number of channels.
        output_filename : str
            Where to write the result: same rate, length and channels. The
            file appears under this name only when it is complete.
        **kwargs : dict
            Accepted for ``WaveformEnhancement``'s sake; unused.

        Returns
        -------
        torch.Tensor
            Waveforms [channels, samples], or [samples] of a mono file.

        Raises
        ------
        ValueError
            If the file is not readable as audio, is empty, or holds a sample
            that is not finite.

        Example
        -------
        >>> folder = getfixture("model_folder")
        >>> enhancer = SEMambaEnhancement.from_hparams(source=folder)
        >>> tmp = getfixture("tmp_path")
        >>> write_audio_file(tmp / "in.wav", torch.zeros(2, 4410), 44100)
        >>> enhancer.enhance_file(tmp / "in.wav", tmp / "out.wav").shape
        torch.Size([2, 4410])
        """
        if output_filename is not None:
            check_audio_name(output_filename)
        noisy, rate = read_audio_file(filename)
        try:
            enhanced = self.enhance_batch(
                resample(noisy, rate, self.sample_rate)
            )
        except ValueError as error:
            raise ValueError(f"{filename}: {error}") from error
        # there and back rounds the length up, never down
        enhanced = resample(enhanced.cpu(), self.sample_rate, rate)
        enhanced = enhanced[:, : noisy.shape[1]]
        if output_filename is not None:
            write_audio_file(output_filename, enhanced, rate, like=filename)
        return enhanced.squeeze(0)
