"""Makes a model folder of official weights, or of one a file for others."""

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
        "--to-onnx",
        metavar="FOLDER",
        help="a model folder whose generator to make an ONNX file of, which "
        "needs no PyTorch; docs/export.md says what goes in and out",
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
    given = options.generator, options.to_official, options.to_onnx
    if sum(word is not None for word in given) != 1:
        options.refuse(
            "give --generator FILE, --to-official FOLDER or --to-onnx FOLDER, "
            "one"
        )
    if options.to_onnx is not None:
        return _to_onnx(options)
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


def _to_onnx(options):
    if options.discriminator or options.config:
        options.refuse("--to-onnx makes one file, of the generator alone")
    from speechbrain_semamba.checkpoints.onnx_file import write_onnx
    from speechbrain_semamba.inference.models import find_model, load_model
    from speechbrain_semamba.utils.whole_files import check_new_file

    check_new_file(options.output, options.overwrite)
    source = find_model(options.to_onnx)
    model = load_model(source, "cpu", "fp32").mods.enhance_model
    write_onnx(model.generator, options.output, n_fft=model.stft.n_fft)
    print(options.output)
