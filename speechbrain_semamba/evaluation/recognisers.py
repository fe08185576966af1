"""Speech recognisers: from a wave to the words that are heard in it."""

import os

import numpy as np
import torch

from speechbrain_semamba.evaluation.word_errors import words_of
from speechbrain_semamba.utils.extras import import_extra
from speechbrain_semamba.utils.messages import first_line

#: In Hz; what recognisers listen to
RATE = 16000
POCKETSPHINX = "pocketsphinx"


def make_recogniser(name, device="cpu"):
    """Makes a recogniser.

    Arguments
    ---------
    name : str
        "pocketsphinx"; or of a SpeechBrain model for ``EncoderDecoderASR``
        the folder, or the id on the Hugging Face hub. Such a model can hold
        code, which runs: load those that you trust.
    device : str
        Where a SpeechBrain model computes.

    Returns
    -------
    callable
        Maps a wave [samples] at 16 kHz, a numpy.ndarray, to a list of words
        as ``words_of`` writes them. What it returns depends on the wave
        alone.

    Raises
    ------
    ImportError
        If pocketsphinx is missing; names the extra.
    ValueError
        If the name is of no such model.

    Example
    -------
    >>> make_recogniser(getfixture("tmp_path") / "none")
    Traceback (most recent call last):
    ValueError: a recogniser is pocketsphinx, or the folder or hub id of ...
    """
    if name == POCKETSPHINX:
        return _pocketsphinx()
    return _speechbrain(name, device)


def _pocketsphinx():
    """American English; small, without a network of any kind."""
    module = import_extra(POCKETSPHINX, "Word error rates", "asr")
    decoder = module.Decoder(samprate=RATE, loglevel="FATAL")

    def recognise(wav):
        pcm = np.round(np.clip(wav, -1, 1) * 32767).astype("<i2")
        # of zeros it makes a word
        if not pcm.any():
            return []
        # else it would go on with the levels of the waves before
        decoder.reinit_feat()
        decoder.start_utt()
        decoder.process_raw(pcm.tobytes(), full_utt=True)
        decoder.end_utt()
        heard = decoder.hyp()
        return words_of(heard.hypstr) if heard else []

    return recognise


def _speechbrain(source, device):
    model = _load(source, device)

    def recognise(wav):
        batch = torch.tensor(wav.astype("float32"))[None]
        (heard,), _ = model.transcribe_batch(batch, torch.ones(1))
        return words_of(heard)

    return recognise


def _load(source, device):
    # not above: it takes seconds
    from speechbrain.inference.ASR import EncoderDecoderASR

    rule = (
        f"a recogniser is {POCKETSPHINX}, or the folder or hub id of a model "
        f"for SpeechBrain's EncoderDecoderASR at {RATE:,} Hz"
    )
    way_out = "name another"
    if os.path.isdir(source):
        # else the hub would be asked for what the folder lacks
        if not os.path.isfile(os.path.join(source, "hyperparams.yaml")):
            raise ValueError(
                f"{rule}; {source} lacks hyperparams.yaml; {way_out}"
            )
    try:
        model = EncoderDecoderASR.from_hparams(
            source=str(source), run_opts={"device": device}
        )
    # what a model's own code and the hub raise can be anything
    except Exception as error:
        reason = f"{type(error).__name__}: {first_line(error)}"
        raise ValueError(
            f"{rule}; {source} is none ({reason}); {way_out}"
        ) from error
    rate = getattr(model.hparams, "sample_rate", RATE)
    if rate != RATE:
        raise ValueError(f"{rule}; {source} is one at {rate:,} Hz; {way_out}")
    return model
