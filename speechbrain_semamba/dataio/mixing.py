"""Dynamic mixing: clean speech, noise and rooms, mixed anew in each epoch."""

import functools
import random

import torch
from speechbrain.augment.augmenter import Augmenter
from speechbrain.augment.time_domain import AddNoise, AddReverb
from speechbrain.dataio.batch import PaddedBatch
from speechbrain.dataio.legacy import (
    ITEM_POSTFIX,
    ExtendedCSVDataset,
    load_sb_extended_csv,
)
from speechbrain.processing.signal_processing import dB_to_amplitude

from speechbrain_semamba.dataio.recorded_pairs import UnusableFile, read_wav
from speechbrain_semamba.processing.levels import level_pair
from speechbrain_semamba.processing.segments import (
    crop_pair,
    segment_samples,
)
from speechbrain_semamba.utils.checks import check_probability
from speechbrain_semamba.utils.seeding import drawing_at


class DynamicMixer:
    """Makes training pairs of clean speech, noise and, at times, a room.

    SpeechBrain's ``AddReverb`` and ``AddNoise`` do the work, in files of one
    rate. What is drawn (the crop, the room, the noise, its place, the SNR) is
    a function of seed, epoch and utterance alone, so that a resumed run hears
    what the uninterrupted one would have heard, whatever the number of
    workers.

    The SNR is that of the segment, between the speech as it is heard, with
    its reverberation, and the noise. The target is the dry speech inside the
    mixture: with a room, that is the direct path, taken as the largest tap of
    the impulse response, without its delay, but with its level and sign.

    Arguments
    ---------
    noise_csv : str
        List of noises, in the form of ``AddNoise``. A noise is read as a
        whole for each mixture, and repeated if it is shorter than the speech.
    rir_csv : str
        List of room impulse responses, in the form of ``AddReverb``. With
        None or an empty list there is no reverberation.
    snr_low : float
        Lowest SNR, in dB.
    snr_high : float
        Highest SNR, in dB; all between are equally likely.
    reverb_prob : float
        Probability that there is a room.
    segment : int
        Samples to cut out before mixing; shorter pairs are filled with zeros.
        None takes the whole utterance.
    seed : int
        The run's seed.
    speech_variation : SoundVariation
        Varies the speech, which is the target then; None leaves it.
    noise_variation : SoundVariation
        Varies the noise; None leaves it.

    Raises
    ------
    ValueError
        If an option is out of range.

    Example
    -------
    >>> from speechbrain_semamba.dataio.audio_files import write_audio_file
    >>> folder = getfixture("tmp_path")
    >>> for name in ("speech", "noise"):
    ...     path = folder / f"{name}.wav"
    ...     write_audio_file(path, 0.1 * torch.randn(1, 16000), 16000)
    >>> rows = f"ID,duration,wav,wav_format,wav_opts\\na,1.0,{path},wav,\\n"
    >>> noises = folder / "noise.csv"
    >>> _ = noises.write_text(rows)
    >>> mixer = DynamicMixer(noises, snr_low=5, snr_high=5, segment=8000)
    >>> noisy, clean = mixer(str(folder / "speech.wav"), 1, "speech")
    >>> snr = 10 * (clean.square().sum() / (noisy - clean).square().sum()).log10()
    >>> noisy.shape, round(snr.item(), 3)
    (torch.Size([8000]), 5.0)
    """

    takes = ("clean_wav",)

    def __init__(
        self,
        noise_csv,
        rir_csv=None,
        snr_low=0.0,
        snr_high=15.0,
        reverb_prob=0.5,
        segment=None,
        seed=1234,
        speech_variation=None,
        noise_variation=None,
    ):
        if snr_low > snr_high:
            raise ValueError(
                f"snr_low may not exceed snr_high; found {snr_low!r} and "
                f"{snr_high!r}: swap them."
            )
        check_probability(reverb_prob=reverb_prob)
        self.noise_csv = noise_csv
        self.rir_csv = rir_csv
        self.snr_range = snr_low, snr_high
        self.segment = segment_samples(segment)
        self.seed = seed
        self.speech_variation = speech_variation
        self.noise_variation = noise_variation
        self.add_noise = AddNoise(noise_csv, pad_noise=True)
        self.add_reverb = AddReverb(rir_csv)
        self.noise = Augmenter(augmentations=[self.add_noise])
        self.reverb = Augmenter(
            augmentations=[self.add_reverb], augment_prob=reverb_prob
        )

    # Not in __init__: the yaml is loaded before the lists are written.
    @functools.cached_property
    def noises(self):
        """The list of noises."""
        noises = _read_list(self.noise_csv)
        if not len(noises):
            raise ValueError(
                f"Mixing needs a noise, but {self.noise_csv} lists none: add "
                "a row or prepare the data again."
            )
        return noises

    @functools.cached_property
    def rirs(self):
        """The list of rooms; empty if there are none."""
        return _read_list(self.rir_csv) if self.rir_csv else []

    def __call__(self, clean_wav, epoch, utterance):
        """Mixes one pair.

        Arguments
        ---------
        clean_wav : str
            Path of the clean file.
        epoch : int
            Number of the epoch; the same one for validation and test, where
            each epoch is to hear the same.
        utterance : str
            The utterance's id.

        Returns
        -------
        torch.Tensor
            Noisy and clean speech [2, samples], scaled as by ``level_pair``.

        Raises
        ------
        UnusableFile
            If a sample is not finite; names the file.
        ValueError
            If there is no noise.
        """
        clean = read_wav(clean_wav)
        segment = self.segment or len(clean)
        place = self.seed, epoch, utterance
        with drawing_at("mixture", *place):
            clean = self._cut(clean, segment, place)
            speech, gain = self._reverberate(clean)
            noisy, factor = self._add_noise(speech)
            pair = level_pair(noisy, factor * gain * clean)
        if not pair.isfinite().all():  # such as of a room of zeros
            raise UnusableFile(
                f"The mixture of {clean_wav} is not finite: remove the faulty "
                f"file that {self.noise_csv} or {self.rir_csv} lists."
            )
        return torch.nn.functional.pad(pair, (0, segment - pair.shape[1]))

    def _cut(self, clean, segment, place):
        """Returns the part of the speech that is mixed, varied if wanted."""
        if self.speech_variation:
            return self.speech_variation(clean, segment)
        samples = min(segment, len(clean))
        return crop_pair(clean[None], samples, *place)[0]

    def _reverberate(self, clean):
        """Returns speech in a room, and the gain of its direct path.

        ``AddReverb`` shifts the largest tap to the time 0 and changes the
        level in a way that depends on the speech. It convolves circularly,
        and cuts impulse responses that are longer than the speech. Hence the
        zeros, and an impulse between them whose response tells the gain.
        """
        if not len(self.rirs):
            return clean, 1.0
        rir = self._draw(self.rirs)
        samples = len(rir["wav"])
        self._offer(self.add_reverb, "rir_data", rir)
        # About as loud as the speech, lest one drowns in the other's rounding.
        impulse = clean.abs().max()
        impulse = torch.where(impulse > 0, impulse, 1.0)
        gap = torch.zeros(samples)
        wav = torch.cat([clean, gap, impulse[None], gap])
        wav, _ = self.reverb(wav[None], torch.ones(1))
        return wav[0, : len(clean)], wav[0, len(clean) + samples] / impulse

    def _add_noise(self, speech):
        """Returns the mixture, and by what the speech in it was multiplied."""
        noise = self._draw(self.noises)
        if self.noise_variation:
            noise["wav"] = self.noise_variation(noise["wav"], len(speech))
        self._offer(self.add_noise, "noise_data", noise)
        snr = random.uniform(*self.snr_range)
        self.add_noise.snr_low = self.add_noise.snr_high = snr
        noisy, _ = self.noise(speech[None], torch.ones(1))
        # AddNoise splits the amplitude of 1 between speech and noise.
        return noisy[0], 1 - 1 / (dB_to_amplitude(torch.tensor(snr)) + 1)

    @staticmethod
    def _draw(sounds):
        """Draws a sound of a list: its samples are its "wav"."""
        index = random.randrange(len(sounds))
        sound = sounds[index]
        if not sound["wav"].isfinite().all():
            listed = sounds.data[sounds.data_ids[index]]
            raise UnusableFile(
                f"{listed['wav' + ITEM_POSTFIX].data} holds samples that are not "
                "finite; mend it, or remove it and prepare the data again"
            )
        return sound

    @staticmethod
    def _offer(augmentation, name, sound):
        """Sets the sound that SpeechBrain's augmentation is to take next.

        Left to itself, it shuffles by a seed of its own and goes on where
        the call before has stopped.
        """
        augmentation.data_loader = [sound]
        setattr(augmentation, name, iter([PaddedBatch([sound])]))


def _read_list(path):
    """Returns a list's sounds, which are read when they are asked for."""
    # ExtendedCSVDataset fails on a list without rows.
    names = _Names()
    rows, *_ = load_sb_extended_csv(path, names)
    return ExtendedCSVDataset(path, replacements=names) if rows else []


class _Names(dict):
    """Leaves a "$" in a file's name, which SpeechBrain takes for a variable."""

    def __missing__(self, name):
        return f"${name}"
