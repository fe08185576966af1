"""The model folder: what ``from_hparams`` loads, written and proved."""

import logging
from pathlib import Path

import torch
from speechbrain.inference.enhancement import WaveformEnhancement

from speechbrain_semamba import __version__
from speechbrain_semamba.checkpoints import model_card
from speechbrain_semamba.checkpoints.official_weights import OFFICIAL_STFT
from speechbrain_semamba.checkpoints.parts import part_node, retagged
from speechbrain_semamba.checkpoints.weights import save_weights
from speechbrain_semamba.utils.messages import first_line
from speechbrain_semamba.utils.settings import dump_settings
from speechbrain_semamba.utils.whole_files import whole_folder

logger = logging.getLogger(__name__)

HEAD = """\
# SEMamba speech enhancement, a model folder for SpeechBrain:
#   WaveformEnhancement.from_hparams(source="path/to/this/folder")
# Made by speechbrain-semamba {version} from {origin}.
"""
# A discriminator is only named: it is there to be trained further.
TAIL = """
enhance_model: !new:speechbrain_semamba.lobes.models.semamba.SEMambaEnhancer
    generator: !ref <generator>
    stft: !ref <stft>

modules:
    enhance_model: !ref <enhance_model>

audio_normalizer: !new:speechbrain.dataio.preprocess.AudioNormalizer
    sample_rate: !ref <sample_rate>

pretrainer: !new:speechbrain.utils.parameter_transfer.Pretrainer
    loadables:
        generator: !ref <generator>
    custom_hooks:
        generator: !name:speechbrain_semamba.checkpoints.weights.load_strictly
"""
LEFT_BY_WINDOWS = {"Thumbs.db", "desktop.ini"}
FILES = {
    "hyperparams.yaml",
    "generator.ckpt",
    "discriminator.ckpt",
    model_card.NAME,
}


def write_model_folder(
    folder,
    generator,
    generator_args,
    stft_args=None,
    sample_rate=16000,
    origin="weights",
    discriminator=None,
    discriminator_args=None,
    overwrite=False,
    training=None,
    metrics=(),
):
    """Writes a model folder; it has its name only when it enhances.

    Arguments
    ---------
    folder : str
        The folder to make.
    generator : dict
        Its state dict.
    generator_args : dict
        Keyword arguments that make it: of ``SEMamba``, or of the class that
        the tag of a yaml's node names.
    stft_args : dict
        The same of its ``MagPhaseSTFT``.
    sample_rate : int
        In Hz.
    origin : str
        Where the weights come from, in words.
    discriminator : dict
        State dict of a discriminator to keep for fine-tuning.
    discriminator_args : dict
        The same of its ``MetricDiscriminator``.
    overwrite : bool
        Whether a model folder that is there already may be replaced. Of its
        card only the facts are.
    training : str
        What the card tells of the training.
    metrics : list of str
        The scores that are told there.

    Raises
    ------
    FileExistsError
        If ``folder`` holds something and may not be replaced.
    ValueError
        If SpeechBrain could not load the folder, or not enhance with it.
    OSError
        If it cannot be written.
    """
    folder = Path(folder)
    check_replaceable(folder, overwrite)
    parts = {
        "sample_rate": sample_rate,
        "generator": part_node("generator", generator_args),
        "stft": part_node("stft", stft_args or OFFICIAL_STFT),
    }
    weights = {"generator": generator}
    if discriminator is not None:
        weights["discriminator"] = discriminator
        node = part_node("discriminator", discriminator_args or {})
        parts["discriminator"] = retagged(node, "!name:")
    head = HEAD.format(version=__version__, origin=origin)
    text = head + dump_settings(parts) + TAIL
    facts = model_card.describe_model(
        generator, parts["generator"], sample_rate, origin, training
    )
    old_card = model_card.read_card(folder)
    with whole_folder(folder) as partial:
        (partial / "hyperparams.yaml").write_text(text, encoding="utf-8")
        for name, state in weights.items():
            save_weights(state, partial / f"{name}.ckpt")
        model_card.write_card(partial, facts, metrics, old_card)
        prove(partial, name=folder)
    logger.info("Wrote the model folder %s", folder)


def check_replaceable(folder, overwrite):
    """Refuses a place where something is that may not be replaced.

    Arguments
    ---------
    folder : pathlib.Path
        Where a model folder shall be.
    overwrite : bool
        Whether a model folder that is there already may be replaced.

    Raises
    ------
    FileExistsError
        If it may not.

    Example
    -------
    >>> folder = getfixture("model_folder")
    >>> check_replaceable(folder, overwrite=True)
    >>> try:
    ...     check_replaceable(folder, overwrite=False)
    ... except FileExistsError as error:
    ...     print(str(error).split("; ")[1])
    name another folder, or replace it with --overwrite
    """
    if not folder.exists():
        return
    inside = {""}
    if folder.is_dir():
        # desktops and notebooks leave hidden files wherever they look
        names = {path.name for path in folder.iterdir()} - LEFT_BY_WINDOWS
        inside = {n for n in names if n[0] != "." or n == ".git"}
    # a folder that holds more, such as a training run, is not replaced
    if inside - FILES:
        raise FileExistsError(
            f"{folder} exists already and is no model folder; name another "
            "folder or remove it"
        )
    model_card.read_card(folder)  # is one that can be renewed
    if inside and not overwrite:
        raise FileExistsError(
            f"{folder} exists already; name another folder, or replace it "
            "with --overwrite"
        )


def prove(folder, name=None):
    """Loads a model folder as its users do, and enhances a short wave.

    Arguments
    ---------
    folder : str
        The model folder.
    name : str
        What to call it in an error; the folder itself if None.

    Raises
    ------
    ValueError
        If that does not succeed.

    Example
    -------
    >>> prove(getfixture("model_folder"))
    """
    try:
        enhancer = WaveformEnhancement.from_hparams(
            source=str(Path(folder).resolve())
        )
        wave = torch.sin(torch.arange(1600.0))[None]
        enhanced = enhancer.enhance_batch(wave).cpu()
    except Exception as error:  # whatever a class of the user's own raises
        raise ValueError(
            f"{name or folder} would not enhance with SpeechBrain: "
            f"{first_line(error)}; is it of the weights' class and sizes, and "
            "can that class be imported from here?"
        ) from error
    if enhanced.shape != wave.shape:
        raise ValueError(
            f"{name or folder} would not enhance: of a wave of shape "
            f"{list(wave.shape)} it makes {list(enhanced.shape)}"
        )
