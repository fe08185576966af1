"""Enhances one file with a model folder."""

import os

from speechbrain_semamba.cli.parser import whole_number
from speechbrain_semamba.utils.messages import is_out_of_memory

#: What SpeechBrain raises where a hyperparams.yaml asks for what is not there
DAMAGE = AttributeError, ImportError, KeyError, TypeError, UnicodeDecodeError


def add_arguments(parser):
    """Declares what the command line may say."""
    parser.add_argument("in_file", metavar="IN_FILE")
    parser.add_argument("out_file", metavar="OUT_FILE")
    parser.add_argument(
        "--model",
        required=True,
        metavar="FOLDER",
        help="made by 'semamba export' or 'semamba convert', or a run's model/",
    )
    parser.add_argument("--device", default="cpu", help="cpu, cuda, ...")
    parser.add_argument(
        "--precision",
        default="auto",
        choices=("auto", "fp32", "bf16"),
        help="auto is fp32; bf16 is faster where the processor has it, and "
        "fp32 where it does not",
    )
    parser.add_argument(
        "--threads",
        type=whole_number,
        metavar="N",
        help="of the processor, all by default; fewer beside other work",
    )


def run(options):
    """Runs the command; see the top of this file."""
    _check_files(options)
    import torch

    from speechbrain_semamba.utils.devices import check_device

    if options.threads is not None:
        torch.set_num_threads(options.threads)
    check_device(options.device)
    try:
        enhancer = _load_model(options)
        enhancer.enhance_file(options.in_file, options.out_file)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise MemoryError(_too_long(options.in_file)) from error
    print(options.out_file)


def _check_files(options):
    """Before PyTorch is imported, which takes seconds."""
    lacking = [
        name
        for name in ("hyperparams.yaml", "generator.ckpt")
        if not os.path.isfile(os.path.join(options.model, name))
    ]
    if lacking:
        raise FileNotFoundError(
            "a model folder holds hyperparams.yaml and generator.ckpt, "
            f"{options.model} lacks {' and '.join(lacking)}; a training run "
            "has one in model/, and 'semamba export' and 'semamba convert' "
            "make them"
        )
    try:
        is_same = os.path.samefile(options.in_file, options.out_file)
    except FileNotFoundError:
        is_same = False
    if is_same:
        raise ValueError(
            f"{options.out_file} is the noisy file itself and would be lost; "
            "name another file"
        )


def _load_model(options):
    from ruamel.yaml.error import YAMLError

    from speechbrain_semamba.inference.enhancement import SEMambaEnhancement

    try:
        return SEMambaEnhancement.from_hparams(
            source=options.model,
            run_opts={"device": options.device, "precision": options.precision},
        )
    except DAMAGE + (YAMLError,) as error:
        reason = " ".join(f"{type(error).__name__} {error}".split())
        raise ValueError(
            f"{options.model}/hyperparams.yaml does not make a model: {reason}"
            "; make the folder anew with 'semamba export' or 'semamba convert'"
        ) from error


def _too_long(path):
    """Says that a file does not fit into the memory."""
    import soundfile

    info = soundfile.info(path)
    return (
        f"out of memory: {path} is {round(info.duration, 2)} s of audio, channels: "
        f"{info.channels}; cut it into shorter files, or free memory"
    )
