"""The command ``semamba``: enhance, export, convert, info."""

import argparse
import logging
import sys

from speechbrain_semamba import __version__


def main(arguments=None):
    """Runs the command line.

    Arguments
    ---------
    arguments : list of str
        The words after ``semamba``; those of the process if None.

    Returns
    -------
    int
        Exit status: 0, 1 after a mistake that is named in one line, 130
        after Ctrl-C.

    Example
    -------
    >>> main(["export", "/no/run", "/no/folder"])
    1
    """
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="semamba: %(message)s")
    try:
        options.run(options)
    except (OSError, ValueError) as error:
        print(f"semamba: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("semamba: interrupted", file=sys.stderr)
        return 130
    return 0


# What a command needs is imported where it runs, so that --help is quick.


def enhance(options):
    """Enhances one file with a model folder."""
    from pathlib import Path

    wanted = ("hyperparams.yaml", "generator.ckpt")
    if not all((Path(options.model) / name).is_file() for name in wanted):
        raise FileNotFoundError(
            f"a model folder holds {' and '.join(wanted)}, {options.model} "
            "does not; a training run has one in model/, and 'semamba export' "
            "and 'semamba convert' make them"
        )
    import torch

    try:
        torch.empty(0, device=options.device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).split("\n")[0]
        raise ValueError(f"--device {options.device}: {reason}") from error
    from speechbrain_semamba.inference.enhancement import SEMambaEnhancement

    enhancer = SEMambaEnhancement.from_hparams(
        source=options.model,
        run_opts={"device": options.device, "precision": options.precision},
    )
    enhancer.enhance_file(options.in_file, options.out_file)
    print(options.out_file)


def export(options):
    """Makes a model folder of a training run."""
    from speechbrain_semamba.utils.model_folder import export_run

    meta = export_run(
        options.run_folder,
        options.out_folder,
        max_key=options.max_key,
        overwrite=options.overwrite,
    )
    print(f"{options.out_folder}: epoch {meta.get('epoch')}")


def convert(options):
    """Makes a model folder of official weights."""
    from speechbrain_semamba.utils.model_folder import convert_official

    sizes = convert_official(
        options.generator,
        options.output,
        discriminator_path=options.discriminator,
        overwrite=options.overwrite,
    )
    print(options.output, *(f"{k}={v}" for k, v in sizes.items()))


def info(options):
    """Says what is installed, and which scan back ends are ready."""
    import platform

    import speechbrain
    import torch

    from speechbrain_semamba.ops import cuda, kernels
    from speechbrain_semamba.ops.selective_scan import (
        BACKENDS,
        choose_backend,
    )

    device = "cuda" if torch.cuda.is_available() else "cpu"
    print(f"speechbrain-semamba {__version__}")
    print(f"speechbrain {speechbrain.__version__}")
    print(f"torch {torch.__version__}, Python {platform.python_version()}")
    print(f"device {device}, {torch.get_num_threads()} threads")
    for name, module in BACKENDS.items():
        own = name if name in ("cuda", "cpu") else device
        print(f"scan {name}: {module.why_not(own) or 'ready'}")
    if kernels.why_not() is None:
        print(f"instructions of scan cpu: {kernels.instructions()}")
    print(f"scan cuda, fused mixer: {cuda.why_not_fused() or 'ready'}")
    print(f"scan auto on {device}: {choose_backend(device)}")


def _parser():
    parser = argparse.ArgumentParser(
        prog="semamba", description="SEMamba speech enhancement"
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(run):
        summary = run.__doc__.split("\n")[0]
        command = commands.add_parser(
            run.__name__, help=summary, description=summary
        )
        command.set_defaults(run=run)
        return command

    command = add(enhance)
    command.add_argument("in_file", metavar="IN_FILE")
    command.add_argument("out_file", metavar="OUT_FILE")
    command.add_argument("--model", required=True, metavar="FOLDER")
    command.add_argument("--device", default="cpu", help="cpu, cuda, ...")
    command.add_argument(
        "--precision",
        default="fp32",
        choices=("fp32", "bf16"),
        help="bf16 is faster where the processor has it",
    )

    command = add(export)
    command.add_argument("run_folder", metavar="RUN_FOLDER")
    command.add_argument("out_folder", metavar="OUT_FOLDER")
    command.add_argument(
        "--max_key", default="pesq", help="score that picks the checkpoint"
    )
    _add_overwrite(command)

    command = add(convert)
    command.add_argument("--generator", required=True, metavar="FILE")
    command.add_argument("--discriminator", metavar="FILE")
    command.add_argument("-o", "--output", required=True, metavar="FOLDER")
    _add_overwrite(command)

    add(info)
    return parser


def _add_overwrite(command):
    command.add_argument(
        "--overwrite",
        action="store_true",
        help="replace a model folder that is there already",
    )
