"""Draws waveforms and spectrograms of files, side by side."""

import os


def add_arguments(parser):
    """Declares what the command line may say."""
    parser.add_argument("files", metavar="FILE", nargs="+")
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="PICTURE",
        help="the file to write; .png, .svg, .pdf and others",
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
