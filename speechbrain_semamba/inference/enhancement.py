"""The pretrained interface: load a model folder, enhance files."""

from dataclasses import replace

import torch
from speechbrain.inference.enhancement import WaveformEnhancement

from speechbrain_semamba.dataio.audio_source import AudioSource
from speechbrain_semamba.inference.files import (
    enhance_jobs,
    open_sink,
    scaled,
    stream_file,
)
from speechbrain_semamba.inference.jobs import Job
from speechbrain_semamba.inference.models import (
    DEFAULT_MODEL,
    shipped_or_itself,
)
from speechbrain_semamba.inference.pipeline import enhance_blocks
from speechbrain_semamba.inference.settings import EnhancementSettings
from speechbrain_semamba.processing.levels import RunningLevel
from speechbrain_semamba.processing.precision import settle_precisions
from speechbrain_semamba.processing.streams import waves_of


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

    @classmethod
    def from_hparams(cls, source=DEFAULT_MODEL, *args, **kwargs):
        """As in SpeechBrain; without a source, the model that ships.

        Arguments
        ---------
        source : str
            A model folder, a name of the Hugging Face hub, or of
            ``inference.models.pretrained_names``.
        *args, **kwargs
            See ``speechbrain.inference.interfaces.Pretrained.from_hparams``.

        Returns
        -------
        SEMambaEnhancement
            Ready to use.

        Example
        -------
        >>> enhancer = SEMambaEnhancement.from_hparams()
        >>> enhancer.sample_rate
        16000
        """
        source = shipped_or_itself(source)
        return super().from_hparams(source, *args, **kwargs)

    @property
    def sample_rate(self):
        """Rate of the waves that the model takes, in Hz."""
        return getattr(self.hparams, "sample_rate", 16000)

    @torch.inference_mode()
    def enhance_batch(self, noisy, lengths=None):
        """Enhances a batch of waves, in one piece.

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

    @torch.inference_mode()
    def enhance_at_level(self, noisy, gain):
        """Enhances parts of longer waves.

        Arguments
        ---------
        noisy : torch.Tensor
            Waveforms [batch, samples] at the model's rate.
        gain : torch.Tensor
            Factors [batch, 1] that bring the longer waves to a root mean
            square of 1, the level that the network works at.

        Returns
        -------
        torch.Tensor
            Waveforms [batch, samples], on the CPU.
        """
        noisy, gain = noisy.to(self.device), gain.to(self.device)
        with self.inference_ctx:
            enhanced, _ = self.mods.enhance_model(noisy, gain=gain)
        return enhanced.cpu()

    def enhance_stream(self, blocks, sample_rate=None, **settings):
        """Enhances a stream of any length, a window at a time.

        A window is enhanced at the level of all that has come so far; so
        that of a stream within one window is what ``enhance_batch`` gives.

        Arguments
        ---------
        blocks : iterable of torch.Tensor or numpy.ndarray
            The stream [channels, samples], or [samples], of any floating
            type or PCM, in blocks of any length.
        sample_rate : int
            Its rate, in Hz; None for the model's.
        **settings
            See ``EnhancementSettings``. The output comes later than the
            input by at least ``window_seconds``.

        Yields
        ------
        torch.Tensor
            The stream [channels, samples], or [samples], as long as the
            input, float32.

        Raises
        ------
        ValueError
            If a setting or a block does not fit.

        Example
        -------
        >>> folder = getfixture("model_folder")
        >>> enhancer = SEMambaEnhancement.from_hparams(source=folder)
        >>> blocks = (torch.randn(1000) for _ in range(40))
        >>> stream = enhancer.enhance_stream(blocks, window_seconds=1.0, overlap_seconds=0.2)
        >>> sum(len(block) for block in stream)
        40000
        """
        settings = EnhancementSettings.of(settings)
        if settings.pcs == "peak":
            raise ValueError(
                "the peak of a stream is not known before its end; set "
                "pcs='level'"
            )
        return self._stream(blocks, sample_rate or self.sample_rate, settings)

    def _stream(self, blocks, rate, settings):
        is_mono, waves = waves_of(blocks)
        # one window at a time: to wait for more would be a delay
        settings = replace(settings, batch_seconds=0)
        more = rate, self.sample_rate, settings, RunningLevel()
        for block in enhance_blocks(self.enhance_at_level, waves, *more):
            yield block[0] if is_mono else block

    def enhance_file(self, filename, output_filename=None, **settings):
        """Enhances one file, each of its channels by itself.

        It is enhanced in windows if it is long, and held as a whole in the
        end; see ``enhance_files`` for files that memory cannot hold.

        Arguments
        ---------
        filename : str
            An audio file of any rate and number of channels.
        output_filename : str
            Where to write the result: same rate, length and channels. The
            file appears under this name only when it is complete.
        **settings
            See ``EnhancementSettings``.

        Returns
        -------
        torch.Tensor
            Waveforms [channels, samples], or [samples] of a mono file.

        Raises
        ------
        ValueError, OSError
            If the file is not readable as audio, is empty, or holds a sample
            that is not finite; if a setting is out of range; if the result
            cannot be written.

        Example
        -------
        >>> import soundfile
        >>> folder = getfixture("model_folder")
        >>> enhancer = SEMambaEnhancement.from_hparams(source=folder)
        >>> tmp = getfixture("tmp_path")
        >>> soundfile.write(tmp / "in.wav", torch.zeros(4410, 2).numpy(), 44100)
        >>> enhancer.enhance_file(tmp / "in.wav", tmp / "out.wav").shape
        torch.Size([2, 4410])
        """
        settings = EnhancementSettings.of(settings)
        source = AudioSource(filename)
        kept, sink = [], None
        if output_filename:
            sink = open_sink(output_filename, source, settings)
        blocks = scaled(stream_file(self, source, settings), settings)
        if sink:
            sink.write(_keeping(kept, blocks))
        else:
            kept.extend(blocks)
        return torch.cat(kept, dim=1).squeeze(0)

    def enhance_files(self, pairs, **settings):
        """Enhances many files; none is ever held as a whole.

        Arguments
        ---------
        pairs : iterable of tuple
            The noisy file and the one to write, for each.
        **settings
            See ``EnhancementSettings``.

        Yields
        ------
        Job
            What became of each file: one that fails has an ``error`` and
            does not stop the others. The longest come first.

        Raises
        ------
        ValueError
            If a setting is out of range.

        Example
        -------
        >>> folder = getfixture("model_folder")
        >>> enhancer = SEMambaEnhancement.from_hparams(source=folder)
        >>> for job in enhancer.enhance_files([("absent.wav", "out.wav")]):
        ...     print(job.error)
        there is no file absent.wav
        """
        settings = EnhancementSettings.of(settings)
        jobs = [Job(source, target) for source, target in pairs]
        for job in jobs:
            job.look()
        yield from enhance_jobs(self, jobs, settings)


def _keeping(kept, blocks):
    for block in blocks:
        kept.append(block)
        yield block
