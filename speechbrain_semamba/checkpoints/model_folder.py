"""Model folders: what ``from_hparams`` loads, and how they are made."""

import logging
import warnings
from pathlib import Path

import torch
from hyperpyyaml import resolve_references
from ruamel.yaml import YAML
from ruamel.yaml.error import ReusedAnchorWarning

from speechbrain_semamba import __version__
from speechbrain_semamba.checkpoints.checkpointer import WholeCheckpointer
from speechbrain_semamba.checkpoints.weights import (
    check_fit,
    from_official_generator,
    generator_sizes,
    read_weights,
)
from speechbrain_semamba.lobes.models.metric_discriminator import (
    MetricDiscriminator,
)
from speechbrain_semamba.lobes.models.semamba import SEMamba
from speechbrain_semamba.utils.whole_files import whole_folder

logger = logging.getLogger(__name__)

HYPERPARAMS = """\
# SEMamba speech enhancement, a model folder for SpeechBrain:
#   WaveformEnhancement.from_hparams(source="path/to/this/folder")
# Made by speechbrain-semamba {version} from {origin}.
sample_rate: {sample_rate}

generator: !new:speechbrain_semamba.lobes.models.semamba.SEMamba
{generator}
stft: !new:speechbrain_semamba.processing.spectral.MagPhaseSTFT
{stft}
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

FILES = {"hyperparams.yaml", "generator.ckpt", "discriminator.ckpt"}
OFFICIAL_STFT = {
    "n_fft": 400,
    "hop_length": 100,
    "win_length": 400,
    "compression": 0.3,
}


def export_run(run_folder, out_folder, max_key="pesq", overwrite=False):
    """Makes a model folder of a training run's best checkpoint.

    Arguments
    ---------
    run_folder : str
        The recipe's ``output_folder``.
    out_folder : str
        The folder to make.
    max_key : str
        The score that the best checkpoint has the most of.
    overwrite : bool
        Whether a folder that is there already may be replaced.

    Returns
    -------
    dict
        What the checkpoint's maker wrote with it (epoch, scores).

    Raises
    ------
    ValueError
        If ``run_folder`` is no training run or holds no checkpoint.
    FileExistsError
        If ``out_folder`` holds something and may not be replaced.
    """
    run_folder = Path(run_folder)
    hparams_file, save = run_folder / "hyperparams.yaml", run_folder / "save"
    if not hparams_file.is_file() or not save.is_dir():
        raise ValueError(
            f"a training run holds hyperparams.yaml and save/, {run_folder} "
            "does not; give the recipe's output_folder"
        )
    checkpoint = WholeCheckpointer(save).find_checkpoint(
        max_key=max_key, ckpt_predicate=lambda c: "generator" in c.paramfiles
    )
    if checkpoint is None:
        raise ValueError(
            f"{save} holds no checkpoint with a {max_key!r} score; "
            "train for at least one epoch"
        )
    files = checkpoint.paramfiles
    hparams = _read_hparams(hparams_file)
    discriminator = None
    if "discriminator" in files:
        discriminator = read_weights(files["discriminator"])
    generator = read_weights(files.get("generator_ema", files["generator"]))
    generator.pop("n_averaged", None)  # not a weight
    write_model_folder(
        out_folder,
        generator,
        hparams["generator"],
        hparams["stft"],
        hparams["sample_rate"],
        origin=f"a training run, {_describe(checkpoint.meta)}",
        discriminator=discriminator,
        overwrite=overwrite,
    )
    return checkpoint.meta


def convert_official(
    generator_path, out_folder, discriminator_path=None, overwrite=False
):
    """Makes a model folder of the official implementation's weights.

    Arguments
    ---------
    generator_path : str
        The official checkpoint; its sizes are read off the tensors.
    out_folder : str
        The folder to make.
    discriminator_path : str
        The official discriminator, kept beside it for fine-tuning.
    overwrite : bool
        Whether a folder that is there already may be replaced.

    Returns
    -------
    dict
        The sizes found, as arguments of ``SEMamba``.

    Raises
    ------
    ValueError
        If a file does not hold the weights that it should.
    FileExistsError
        If ``out_folder`` holds something and may not be replaced.
    """
    weights = from_official_generator(read_weights(generator_path, "generator"))
    sizes = generator_sizes(weights)
    if sizes["n_fft"] != OFFICIAL_STFT["n_fft"]:
        raise ValueError(
            f"{generator_path} is for a transform of {sizes['n_fft']} points, "
            f"the official code's has {OFFICIAL_STFT['n_fft']}"
        )
    check_fit(SEMamba(**sizes), weights, generator_path)
    discriminator = None
    if discriminator_path is not None:
        discriminator = read_weights(discriminator_path, "discriminator")
        check_fit(MetricDiscriminator(), discriminator, discriminator_path)
    write_model_folder(
        out_folder,
        weights,
        sizes,
        origin="official weights",
        discriminator=discriminator,
        overwrite=overwrite,
    )
    return sizes


def write_model_folder(
    folder,
    generator,
    generator_args,
    stft_args=None,
    sample_rate=16000,
    origin="weights",
    discriminator=None,
    overwrite=False,
):
    """Writes a model folder; it has its name only when it is complete.

    Arguments
    ---------
    folder : str
        The folder to make.
    generator : dict
        State dict of the ``SEMamba``.
    generator_args : dict
        Keyword arguments that make it.
    stft_args : dict
        Keyword arguments of its ``MagPhaseSTFT``.
    sample_rate : int
        In Hz.
    origin : str
        Where the weights come from, in words.
    discriminator : dict
        State dict of a ``MetricDiscriminator`` to keep for fine-tuning.
    overwrite : bool
        Whether a model folder that is there already may be replaced.

    Raises
    ------
    FileExistsError
        If ``folder`` holds something and may not be replaced.
    """
    folder = Path(folder)
    if folder.exists():
        inside = {p.name for p in folder.iterdir()} if folder.is_dir() else {""}
        # a folder that holds more, such as a training run, is not replaced
        if inside - FILES or inside and not overwrite:
            raise FileExistsError(
                f"{folder} exists already; name another folder or remove it"
            )
    with whole_folder(folder) as partial:
        torch.save(generator, partial / "generator.ckpt")
        if discriminator is not None:
            torch.save(discriminator, partial / "discriminator.ckpt")
        text = HYPERPARAMS.format(
            version=__version__,
            origin=origin,
            sample_rate=sample_rate,
            generator=_indented(generator_args),
            stft=_indented(stft_args or OFFICIAL_STFT),
        )
        (partial / "hyperparams.yaml").write_text(text, encoding="utf-8")
    logger.info("Wrote the model folder %s", folder)


def _indented(arguments):
    return "".join(f"    {k}: {v}\n" for k, v in arguments.items())


def _read_hparams(path):
    """A run's hyperparameters as text says them; nothing is constructed."""
    with open(path, encoding="utf-8") as file, warnings.catch_warnings():
        # SpeechBrain's copy of a run's yaml names some anchors twice
        warnings.simplefilter("ignore", ReusedAnchorWarning)
        return YAML(typ="rt").load(resolve_references(file).getvalue())


def _describe(meta):
    return ", ".join(
        f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}"
        for k, v in meta.items()
        if k in ("epoch", "pesq")
    )
