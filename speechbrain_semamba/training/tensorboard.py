"""What TensorBoard shows of a training run."""

from speechbrain.utils.distributed import main_process_only

from speechbrain_semamba.evaluation.figures import spectrogram_figure
from speechbrain_semamba.utils.extras import import_extra


class EnhancementBoard:
    """Curves for each epoch, and a few files to hear and to see.

    Unlike SpeechBrain's ``TensorboardLogger`` it is told the epoch, so that
    the curves of a resumed run go on where they were.

    Arguments
    ---------
    enabled : bool
        Whether to write anything.
    save_dir : str
        Folder for TensorBoard's files.
    sample_rate : int
        Of the waves, in Hz.
    """

    def __init__(self, enabled, save_dir, sample_rate):
        if enabled:  # now, rather than after an epoch
            import_extra("tensorboard", "Curves")
            import_extra("matplotlib", "Curves")
        self.enabled = enabled
        self.save_dir = save_dir
        self.sample_rate = sample_rate
        self._writer = None

    def log_epoch(self, epoch, train, valid, files):
        """Adds an epoch: its curves, its files.

        Arguments
        ---------
        epoch : int
            Its number.
        train : dict
            Losses and so on of the training, by name.
        valid : dict
            Losses and scores of the validation, by name.
        files : dict
            As for ``log_files``.
        """
        if self.enabled:
            self.log_scalars(epoch, train=train, valid=valid)
            self.log_files(epoch, files)

    @main_process_only
    def log_scalars(self, epoch, **groups):
        """Adds a point to each curve.

        Arguments
        ---------
        epoch : int
            Where to put the points.
        **groups : dict
            For each group, such as train and valid, values by name.
        """
        for group, values in groups.items():
            for name, value in values.items():
                self.writer.add_scalar(f"{name}/{group}", value, epoch)

    @main_process_only
    def log_files(self, epoch, files):
        """Adds sounds, and pictures of noisy, enhanced and clean in a row.

        Arguments
        ---------
        epoch : int
            Where to put them.
        files : dict
            For each file's name its waves by kind (noisy, enhanced, clean),
            each a torch.Tensor [samples].
        """
        for name, waves in files.items():
            peak = max(w.abs().max() for w in waves.values()).clamp(min=1e-9)
            for kind, wav in waves.items():
                self.writer.add_audio(
                    f"{name}/{kind}", wav / peak, epoch, self.sample_rate
                )
            picture = spectrogram_figure(waves, self.sample_rate)
            self.writer.add_figure(name, picture, epoch)
        self.writer.flush()

    @property
    def writer(self):
        """The SummaryWriter, opened when the first thing is written."""
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(self.save_dir)
        return self._writer
