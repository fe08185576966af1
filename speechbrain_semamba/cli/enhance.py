"""Enhances one file with a model folder."""


def add_arguments(parser):
    """Declares what the command line may say."""
    parser.add_argument("in_file", metavar="IN_FILE")
    parser.add_argument("out_file", metavar="OUT_FILE")
    parser.add_argument("--model", required=True, metavar="FOLDER")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, ...")
    parser.add_argument(
        "--precision",
        default="auto",
        choices=("auto", "fp32", "bf16"),
        help="auto is fp32; bf16 is faster where the processor has it, and "
        "fp32 where it does not",
    )


def run(options):
    """Runs the command; see the top of this file."""
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
