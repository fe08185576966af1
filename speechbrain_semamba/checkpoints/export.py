"""Makes a model folder of a training run."""

from pathlib import Path

from speechbrain_semamba.checkpoints.checkpoint_reader import CheckpointReader
from speechbrain_semamba.checkpoints.model_folder import (
    check_replaceable,
    write_model_folder,
)
from speechbrain_semamba.checkpoints.run_facts import describe_run
from speechbrain_semamba.checkpoints.weights import read_weights
from speechbrain_semamba.utils.settings import read_settings


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
        If ``run_folder`` is no training run or holds no such checkpoint, or
        if the model folder would not enhance.
    FileExistsError
        If ``out_folder`` holds something and may not be replaced.
    """
    run_folder, out_folder = Path(run_folder), Path(out_folder)
    hparams_file, save = run_folder / "hyperparams.yaml", run_folder / "save"
    for needed in (hparams_file, save):
        if not needed.exists():
            raise ValueError(
                "a training run holds hyperparams.yaml and save/, but there "
                f"is no {needed}; give the recipe's output_folder"
            )
    check_replaceable(out_folder, overwrite)
    checkpoint = _best_checkpoint(save, max_key)
    files = checkpoint.paramfiles
    settings = read_settings(hparams_file)
    for part in ("generator", "stft", "sample_rate"):
        if part not in settings:
            raise ValueError(f"{hparams_file} is damaged: it has no {part}")
    discriminator = None
    if "discriminator" in files:
        discriminator = read_weights(files["discriminator"])
    generator = read_weights(files.get("generator_ema", files["generator"]))
    generator.pop("n_averaged", None)  # not a weight
    training, metrics = describe_run(run_folder, settings, checkpoint.meta)
    write_model_folder(
        out_folder,
        generator,
        settings["generator"],
        settings["stft"],
        settings["sample_rate"],
        origin=f"a training run, {_describe(checkpoint.meta)}",
        discriminator=discriminator,
        discriminator_args=settings.get("discriminator"),
        overwrite=overwrite,
        training=training,
        metrics=metrics,
    )
    return checkpoint.meta


def _best_checkpoint(save, max_key):
    """The whole checkpoint with the most of a score."""
    reader = CheckpointReader(save)
    has_generator = {"ckpt_predicate": lambda c: "generator" in c.paramfiles}
    best = reader.find_checkpoint(max_key=max_key, **has_generator)
    if best is not None:
        return best
    others = reader.find_checkpoints(**has_generator)
    if not others:
        raise ValueError(
            f"{save} holds no whole checkpoint of a generator; train for at "
            "least one epoch"
        )
    keys = {key for c in others for key in c.meta if c.meta["end-of-epoch"]}
    scores = sorted(keys - {"end-of-epoch", "unixtime"})
    raise ValueError(
        f"{save} holds no checkpoint with a {max_key!r} score; "
        + (f"there are {', '.join(scores)}" if scores else "finish an epoch")
    )


def _describe(meta):
    return ", ".join(
        f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}"
        for k, v in meta.items()
        if k in ("epoch", "pesq")
    )
