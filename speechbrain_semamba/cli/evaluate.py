"""Scores enhanced files against clean ones: table, summary, report."""

import argparse
import os
import re

from speechbrain_semamba.cli.parser import whole_number
from speechbrain_semamba.utils.messages import nearest

#: Kinds of files that have options of their own
TAKEN = "clean", "noisy"


def add_arguments(parser):
    """Declares what the command line may say."""
    parser.add_argument(
        "--clean",
        required=True,
        metavar="FOLDER",
        help="clean files; others are paired with them by their path below "
        "their folder, without the ending",
    )
    parser.add_argument("--enhanced", metavar="FOLDER", help="what to score")
    parser.add_argument(
        "--compare",
        nargs="+",
        action="extend",
        type=_named_folder,
        metavar="NAME=FOLDER",
        help="in place of --enhanced: several systems side by side, each "
        "compared with the first",
    )
    parser.add_argument(
        "--noisy", metavar="FOLDER", help="what to show the improvement over"
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FOLDER",
        help="where to write metrics.csv, summary.json, summary.md and "
        "report.html; without it the summary is printed and no more",
    )
    parser.add_argument(
        "--metrics",
        metavar="NAME,NAME",
        help="those to compute, such as pesq,stoi; all by default",
    )
    parser.add_argument(
        "--workers",
        type=whole_number,
        metavar="N",
        help="processes, at most and by default one for each core",
    )
    parser.set_defaults(refuse=parser.error)


def run(options):
    """Runs the command; see the top of this file."""
    folders = _folders(options)
    from speechbrain_semamba.evaluation import folder_report
    from speechbrain_semamba.evaluation.folder_scores import score_folders
    from speechbrain_semamba.evaluation.html_report import check_extras
    from speechbrain_semamba.utils.workers import cores_per_process

    metrics = _metrics(options)
    if options.output is not None:
        check_extras()
        folder_report.check_folder(options.output)
    workers = options.workers or cores_per_process()
    result = score_folders(folders, metrics, workers)
    summary = folder_report.summarize_folders(result)
    print(folder_report.text_of(summary), end="")
    if options.output is not None:
        folder_report.write_folder(options.output, result, summary)
        print(f"\n{options.output}")
    if result.broken:  # the others' table is there all the same
        raise SystemExit(1)


def _folders(options):
    """Folder by kind: the clean one, the systems', perhaps the noisy one."""
    if (options.enhanced is None) == (options.compare is None):
        options.refuse(
            "give --enhanced FOLDER, or --compare NAME=FOLDER NAME=FOLDER"
        )
    systems = options.compare or [("enhanced", options.enhanced)]
    names = [name for name, _ in systems]
    if options.compare and len(set(names)) < max(2, len(names)):
        options.refuse(
            "--compare takes two systems or more, each with a name of its "
            f"own, found {', '.join(names)}"
        )
    folders = {"clean": options.clean, **dict(systems)}
    if options.noisy is not None:
        folders["noisy"] = options.noisy
    for kind, folder in folders.items():
        if not os.path.isdir(folder):
            raise NotADirectoryError(
                f"there is no folder {folder}; name one of {kind} files"
            )
    return folders


def _named_folder(text):
    name, equals, folder = text.partition("=")
    is_name = re.fullmatch(r"[\w.+-]+", name) and name not in TAKEN
    if not (is_name and equals and folder):
        raise argparse.ArgumentTypeError(
            "must be NAME=FOLDER, the name of letters, digits and -+._ and "
            f"neither clean nor noisy, found {text!r}"
        )
    return name, folder


def _metrics(options):
    from speechbrain_semamba.evaluation.metrics import METRICS

    names = METRICS if options.metrics is None else options.metrics.split(",")
    for name in names:
        if name not in METRICS:
            options.refuse(
                f"there is no metric {name!r}{nearest(name, METRICS)}; there "
                f"are {', '.join(METRICS)}"
            )
    return [name for name in METRICS if name in names]
