"""Makes a model folder of a training run."""

from speechbrain_semamba.cli.parser import add_overwrite


def add_arguments(parser):
    """Declares what the command line may say."""
    parser.add_argument("run_folder", metavar="RUN_FOLDER")
    parser.add_argument("out_folder", metavar="OUT_FOLDER")
    parser.add_argument(
        "--max_key", default="pesq", help="score that picks the checkpoint"
    )
    add_overwrite(parser)


def run(options):
    """Runs the command; see the top of this file."""
    from speechbrain_semamba.checkpoints.export import export_run

    meta = export_run(
        options.run_folder,
        options.out_folder,
        max_key=options.max_key,
        overwrite=options.overwrite,
    )
    print(f"{options.out_folder}: epoch {meta.get('epoch')}")
