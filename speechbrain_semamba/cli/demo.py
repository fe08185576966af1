"""Serves a page to try models on in a browser."""

from speechbrain_semamba.cli.parser import whole_number
from speechbrain_semamba.inference.models import DEFAULT_MODEL


def add_arguments(parser):
    """Declares what the command line may say."""
    add = parser.add_argument
    add(
        "--model",
        dest="models",
        action="append",
        metavar="FOLDER",
        help="as for 'semamba enhance'; several times for a choice; "
        f"{DEFAULT_MODEL} by default",
    )
    add("--device", default="cpu", help="auto, cpu, cuda, cuda:1, ...")
    add("--precision", default="auto", choices=("auto", "fp32", "bf16"))
    add("--threads", type=whole_number, metavar="N", help="of the processor")
    add(
        "--host",
        default="127.0.0.1",
        help="to listen at; 127.0.0.1, the default, is reached from this "
        "machine alone, 0.0.0.0 from the network",
    )
    add(
        "--port",
        type=whole_number,
        help="the first free one from 7860 on by default",
    )
    add(
        "--share",
        action="store_true",
        help="a public address for a week, by gradio's servers",
    )
    add("--max-megabytes", type=float, default=50.0, metavar="MB")
    add(
        "--max-seconds",
        type=float,
        default=300.0,
        metavar="S",
        help="of an upload, all its channels together (300)",
    )
    parser.set_defaults(refuse=parser.error)


def run(options):
    """Runs the command; see the top of this file."""
    for name in ("max_megabytes", "max_seconds"):
        value = getattr(options, name)
        if not 0 < value < float("inf"):
            option = "--" + name.replace("_", "-")
            options.refuse(f"{option} is a number above 0, found {value:g}")
    if options.port and options.port > 65535:
        options.refuse(f"--port is at most 65535, found {options.port}")
    from speechbrain_semamba.demo.server import (
        end_at_sigterm,
        serving,
        wait_for_the_end,
    )
    from speechbrain_semamba.inference.models import find_model
    from speechbrain_semamba.utils.devices import choose_device
    from speechbrain_semamba.utils.workers import use_threads

    models = options.models or [DEFAULT_MODEL]
    for model in models:
        find_model(model)  # before gradio is imported, which takes seconds
    use_threads(options.threads)
    end_at_sigterm()
    with serving(
        models,
        options.host,
        options.port,
        options.share,
        options.max_megabytes,
        options.max_seconds,
        choose_device(options.device),
        options.precision,
    ) as address:
        print(f"{address} until Ctrl-C", flush=True)
        wait_for_the_end()
