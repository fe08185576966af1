"""Enhances files, folders and pipes with a model."""

import contextlib
import os
import re
import sys
from dataclasses import asdict, fields, replace

from speechbrain_semamba.cli.parser import whole_number
from speechbrain_semamba.inference.models import DEFAULT_MODEL

#: Types of devices that PyTorch may have been built for
DEVICE = re.compile(r"(cpu|cuda|mps|xpu|hpu|npu|mtia|xla)(:\d+)?")
EPILOG = (
    "Several processes share the files out: torchrun --nproc_per_node=4 -m "
    "speechbrain_semamba enhance ..."
)


def add_arguments(parser):
    """Declares what the command line may say."""
    parser.epilog = EPILOG
    parser.add_words(
        "inputs",
        metavar="INPUT",
        help="files, folders, patterns in quotes, or - for stdin",
    )
    add = parser.add_argument
    add(
        "-o",
        "--output",
        help="a file, or a folder in which the inputs keep their tree; - for "
        "stdout; 'enhance IN OUT' does without -o",
    )
    add(
        "--model",
        default=DEFAULT_MODEL,
        metavar="FOLDER",
        help="made by 'semamba export' or 'semamba convert', or a run's "
        f"model/; or a name of the Hugging Face hub; {DEFAULT_MODEL} by "
        "default, which comes with the package",
    )
    _add_computing(add)
    _add_sound(parser)
    _add_files(parser)


def _add_computing(add):
    add("--device", default="cpu", help="auto, cpu, cuda, cuda:1, ...")
    add(
        "--precision",
        default="auto",
        choices=("auto", "fp32", "bf16"),
        help="auto is fp32; bf16 is faster where the processor has it, and "
        "fp32 where it does not",
    )
    add(
        "--threads",
        type=whole_number,
        metavar="N",
        help="of the processor, all by default; fewer beside other work",
    )
    add(
        "--window-seconds",
        type=float,
        metavar="S",
        help="longer files are enhanced in such windows (20)",
    )
    add(
        "--batch-seconds",
        type=float,
        metavar="S",
        help="so much audio at once (20); more needs more memory",
    )


def _add_sound(parser):
    add = parser.add_argument
    add("--strength", type=float, metavar="0..1", help="1 by default")
    add(
        "--attenuation-limit",
        type=float,
        metavar="DB",
        help="nothing is attenuated by more",
    )
    add(
        "--keep-highs",
        action="store_true",
        default=None,
        help="keep what is above the model's band, attenuated",
    )
    pcs = parser.add_mutually_exclusive_group()
    for option, value, text in (
        ("--pcs", "peak", "perceptual contrast stretching, to a peak of 1"),
        ("--pcs-level", "level", "the same, at the level as it comes"),
        ("--no-pcs", None, "neither, the default"),
    ):
        pcs.add_argument(
            option, dest="pcs", action="store_const", const=value, help=text
        )
    rate = parser.add_mutually_exclusive_group()
    rate.add_argument(
        "--sample-rate", type=whole_number, metavar="HZ", help="of outputs"
    )
    for option, value, text in (
        ("--keep-sample-rate", None, "that of the input, the default"),
        ("--model-sample-rate", "model", "that of the model"),
    ):
        rate.add_argument(
            option,
            dest="sample_rate",
            action="store_const",
            const=value,
            help=text,
        )


def _add_files(parser):
    add = parser.add_argument
    add("--format", metavar="wav|flac|...", help="of outputs in a folder")
    add("--subtype", metavar="PCM_16|...", help="encoding of outputs")
    there = parser.add_mutually_exclusive_group()
    there.add_argument(
        "--overwrite", action="store_true", help="replace outputs that exist"
    )
    there.add_argument(
        "--skip-existing", action="store_true", help="leave them, do the rest"
    )
    add("--dry-run", action="store_true", help="print what would be written")
    add("--report", metavar="FILE", help="JSON of what became of each file")


def run(options):
    """Runs the command; see the top of this file."""
    # PyTorch takes seconds to import: what can be refused is refused before
    from speechbrain_semamba.inference.folders import pipes
    from speechbrain_semamba.inference.folders.dealing import Place
    from speechbrain_semamba.inference.folders.plans import make_plan
    from speechbrain_semamba.inference.models import find_model

    settings = _settings(options)
    source = find_model(options.model)
    place = Place.of(os.environ)
    words, output = _words(options)
    with contextlib.ExitStack() as stack:
        is_piped = output == "-"
        if is_piped:
            pipes.check_stdout()
            name = f"stdout.{options.format or 'wav'}"
            output = os.path.join(pipes.spool_folder(stack), name)
        plan = make_plan(
            words,
            output,
            place,
            _existing(options, place),
            options.format,
            options.subtype,
            options.report,
            is_file=is_piped or options.output is None,
        )
        if is_piped and (len(plan.targets) > 1 or place.size > 1):
            raise ValueError("-o - takes one file and one process")
        if options.dry_run:
            _show(plan)
            return
        names = {output: "-"} if is_piped else {}
        _enhance(options, settings, source, plan, names, stack)
        if is_piped:
            pipes.spool_out(output)


def _settings(options):
    from speechbrain_semamba.inference.settings import EnhancementSettings

    if options.device != "auto" and not DEVICE.fullmatch(options.device):
        raise ValueError(
            f"--device {options.device}: there is no such device; there are "
            "auto, cpu, cuda, cuda:1 and so on"
        )
    names = [field.name for field in fields(EnhancementSettings)]
    asked = {name: getattr(options, name, None) for name in names}
    if asked["sample_rate"] == "model":
        asked["sample_rate"] = None  # known when the model is loaded
    given = {n: value for n, value in asked.items() if value is not None}
    return EnhancementSettings.of(given)


def _words(options):
    words, output = options.inputs, options.output
    if output is None and len(words) == 2:
        return words[:1], words[1]
    if not words or not output:
        raise ValueError(
            "name what to enhance and what to write: INPUT... -o OUTPUT"
        )
    return words, output


def _existing(options, place):
    if options.overwrite:
        return "replace"
    skips = options.skip_existing or place.is_restarted
    return "skip" if skips else "refuse"


def _show(plan):
    from speechbrain_semamba.inference.folders.runs import look_ahead
    from speechbrain_semamba.inference.folders.showing import say

    failed = 0
    for job in look_ahead(plan) if plan.place.rank == 0 else ():
        if job.error is None:
            say(f"{job.target}\t{job.seconds:.2f} s")
        else:
            say(f"semamba: error: {job.error}", sys.stderr)
            failed += 1
    if failed:
        raise ValueError(f"{failed} of {len(plan.inputs)} cannot be enhanced")


def _enhance(options, settings, source, plan, names, stack):
    from speechbrain_semamba.inference.folders.runs import Run
    from speechbrain_semamba.inference.folders.showing import say
    from speechbrain_semamba.inference.folders.summary import in_words
    from speechbrain_semamba.inference.models import load_model
    from speechbrain_semamba.utils.devices import choose_device
    from speechbrain_semamba.utils.workers import use_threads

    use_threads(options.threads)
    device = choose_device(options.device, plan.place.local_rank)
    run = Run(plan, options.subtype, names, stack)
    enhancer = None
    if run.todo:
        enhancer = load_model(source, device, options.precision)
    if enhancer is not None and options.sample_rate == "model":
        settings = replace(settings, sample_rate=enhancer.sample_rate)
    is_one = len(plan.inputs) == plan.place.size == 1
    for outcome in run.enhance(enhancer, settings):
        if outcome.state == "written" and outcome.output != "-":
            say(outcome.output)
        elif outcome.error and not is_one:
            say(f"semamba: error: {outcome.error}", sys.stderr)
    asked = {**vars(options), **asdict(settings), "device": device}
    del asked["run"]
    totals, is_last = run.account(options.report, asked)
    # torchrun would end the others that are still at work
    if totals["failed"] and is_last:
        raise ValueError(outcome.error if is_one else in_words(totals))
