"""Scores enhanced files, against clean ones or alone: summary, report."""

import argparse
import contextlib
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
        metavar="FOLDER",
        help="clean files; others are paired with them by their path below "
        "their folder, without the ending. Without them the scores are those "
        "that need none (extra mos)",
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
        help="those to compute, such as pesq,stoi; by default all that need "
        "a clean file, or without one all that need none",
    )
    parser.add_argument(
        "--wer",
        metavar="FOLDER",
        help="transcripts, a .txt for each file: how many of the words a "
        "recogniser gets wrong",
    )
    parser.add_argument(
        "--asr",
        metavar="MODEL",
        help="the recogniser: pocketsphinx (extra asr, the default), or the "
        "folder or hub id of a SpeechBrain model",
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
    result = score_folders(folders, metrics, workers, _listener(options))
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
    folders = {"clean": options.clean} if options.clean else {}
    folders.update(systems)
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
    from speechbrain_semamba.evaluation.metrics import (
        METRICS,
        NO_REFERENCE,
        check_packages,
    )

    known = [*METRICS, *NO_REFERENCE]
    if options.metrics is not None:
        names = options.metrics.split(",")
    else:
        names = METRICS if options.clean else _installed(NO_REFERENCE)
    for name in names:
        if name not in known:
            options.refuse(
                f"there is no metric {name!r}{nearest(name, known)}; there "
                f"are {', '.join(known)}"
            )
        if name in METRICS and not options.clean:
            options.refuse(
                f"{name} needs clean files: give --clean FOLDER, or choose of "
                f"{', '.join(NO_REFERENCE)}"
            )
    check_packages([name for name in names if name in NO_REFERENCE])
    return [name for name in known if name in names]


def _installed(metrics):
    """Those whose packages are there; all, to be missed, if there is none."""
    from speechbrain_semamba.evaluation.metrics import check_packages

    found = []
    for name in metrics:
        with contextlib.suppress(ImportError):
            check_packages([name])
            found.append(name)
    return found or list(metrics)


def _listener(options):
    """What makes ``WordErrorRates`` of the files' names and kinds."""
    if options.wer is None:
        if options.asr is not None:
            options.refuse("--asr needs transcripts: give --wer FOLDER")
        return None
    if not os.path.isdir(options.wer):
        raise NotADirectoryError(
            f"there is no folder {options.wer}; name one of transcripts"
        )
    from speechbrain_semamba.dataio.transcripts import read_transcripts
    from speechbrain_semamba.evaluation.recognisers import (
        POCKETSPHINX,
        make_recogniser,
    )
    from speechbrain_semamba.evaluation.word_errors import WordErrorRates

    def listen(names, kinds):
        texts = read_transcripts(options.wer, names)
        recogniser = make_recogniser(options.asr or POCKETSPHINX)
        return WordErrorRates(recogniser, texts, kinds)

    return listen
