"""Makes a model folder of official weights, or official weights of one."""

from speechbrain_semamba.cli.parser import add_overwrite


def add_arguments(parser):
    """Declares what the command line may say."""
    parser.add_argument(
        "--generator",
        metavar="FILE",
        help="official weights, such as g_00100000.pth, to make a model "
        "folder of",
    )
    parser.add_argument(
        "--to-official",
        metavar="FOLDER",
        help="the other direction: a model folder to make official weights of",
    )
    parser.add_argument(
        "--discriminator",
        metavar="FILE",
        help="read beside --generator, written beside --to-official",
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="the official config.yaml, read or written like --discriminator",
    )
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="PATH",
        help="the model folder to make, or the file of official weights",
    )
    add_overwrite(parser)
    parser.set_defaults(refuse=parser.error)


def run(options):
    """Runs the command; see the top of this file."""
    if (options.generator is None) == (options.to_official is None):
        options.refuse("give --generator FILE or --to-official FOLDER, one")
    from speechbrain_semamba.checkpoints.official_models import (
        convert_official,
        write_official,
    )

    others = {
        "discriminator_path": options.discriminator,
        "config_path": options.config,
        "overwrite": options.overwrite,
    }
    if options.to_official is None:
        found = convert_official(options.generator, options.output, **others)
        print(options.output, *(f"{k}={v}" for k, v in found.items()))
    else:
        write_official(options.to_official, options.output, **others)
        written = options.output, options.discriminator, options.config
        print(*filter(None, written))
