"""Draws files side by side, or the learning curves of a training run."""

import os
from pathlib import Path

#: In the run folder, where no other name is given
CURVES = "learning_curves.png"


def add_arguments(parser):
    """Declares what the command line may say."""
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        help="waveform and spectrogram of each; or one RUN_FOLDER: its losses, "
        "scores and learning rate over the epochs",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="PICTURE",
        help="the file to write; .png, .svg, .pdf and others; for a run "
        f"folder {CURVES} in it by default",
    )
    parser.add_argument(
        "--titles",
        nargs="+",
        metavar="TITLE",
        help="one for each file, such as: noisy enhanced clean; as much of "
        "their paths as tells them apart by default",
    )
    parser.set_defaults(refuse=parser.error)


def run(options):
    """Runs the command; see the top of this file."""
    if len(options.files) == 1 and os.path.isdir(options.files[0]):
        return _plot_run(Path(options.files[0]), options)
    for folder in filter(os.path.isdir, options.files):
        options.refuse(
            f"{folder} is a folder; a run folder is given alone, files by name"
        )
    if options.output is None:
        options.refuse("name the file to write: -o PICTURE")
    titles = options.titles or _titles(options.files)
    if len(titles) != len(options.files):
        options.refuse(
            f"--titles are one for each file, found {len(titles)} for "
            f"{len(options.files)}"
        )
    if len(set(titles)) != len(titles):
        options.refuse(
            f"titles differ, found {', '.join(titles)}; give --titles"
        )
    from speechbrain_semamba.dataio.audio_files import read_audio_file
    from speechbrain_semamba.evaluation.figures import (
        check_picture_name,
        spectrogram_figure,
        write_figure,
    )
    from speechbrain_semamba.processing.waves import check_finite

    check_picture_name(options.output)
    waves, rates = {}, {}
    for title, path in zip(titles, options.files):
        wav, rate = read_audio_file(path)
        if len(wav) > 1:
            title += f" (mean of {len(wav)} channels)"
        check_finite(wav, f"samples of {path}")
        waves[title], rates[title] = wav.mean(dim=0), rate
    write_figure(spectrogram_figure(waves, rates), options.output)
    print(options.output)


def _plot_run(folder, options):
    if options.titles:
        options.refuse("--titles are of files, not of a run folder")
    from speechbrain_semamba.evaluation import train_log
    from speechbrain_semamba.evaluation.figures import (
        check_picture_name,
        write_figure,
    )
    from speechbrain_semamba.evaluation.learning_curves import learning_curves

    log = folder / train_log.NAME
    if not log.is_file():
        raise FileNotFoundError(
            f"a run folder holds {train_log.NAME}, but there is no {log}; give "
            "the recipe's output_folder, or files"
        )
    output = options.output or folder / CURVES
    check_picture_name(output)
    epochs = train_log.read_train_log(log).epochs
    write_figure(learning_curves(epochs), output)
    print(output)


def _titles(files):
    """As little of their paths as tells the files apart."""
    paths = [os.path.splitext(os.path.normpath(file))[0] for file in files]
    parts = [path.split(os.sep) for path in paths]
    # noisy/a and clean/a differ in the folder alone
    while min(map(len, parts)) > 1 and len({part[-1] for part in parts}) == 1:
        if len(files) == 1:
            break
        parts = [part[:-1] for part in parts]
    for depth in range(1, max(map(len, parts)) + 1):
        titles = [os.sep.join(part[-depth:]) for part in parts]
        if len(set(titles)) == len(titles):
            break
    return titles
