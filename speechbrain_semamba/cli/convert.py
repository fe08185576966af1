"""Makes a model folder of official weights."""

from speechbrain_semamba.cli.parser import add_overwrite


def add_arguments(parser):
    """Declares what the command line may say."""
    parser.add_argument("--generator", required=True, metavar="FILE")
    parser.add_argument("--discriminator", metavar="FILE")
    parser.add_argument("-o", "--output", required=True, metavar="FOLDER")
    add_overwrite(parser)


def run(options):
    """Runs the command; see the top of this file."""
    from speechbrain_semamba.checkpoints.export import convert_official

    sizes = convert_official(
        options.generator,
        options.output,
        discriminator_path=options.discriminator,
        overwrite=options.overwrite,
    )
    print(options.output, *(f"{k}={v}" for k, v in sizes.items()))
