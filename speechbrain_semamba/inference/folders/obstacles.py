"""What forbids to write enhanced files: known before any work."""

import os

from speechbrain_semamba.dataio.audio_folders import is_inside
from speechbrain_semamba.dataio.audio_formats import (
    can_write,
    check_audio_name,
    check_encoding,
    format_of,
)
from speechbrain_semamba.inference.folders.inputs import audio_endings
from speechbrain_semamba.inference.folders.outputs import is_one_file


def check_outputs(inputs, targets, output):
    """Whether outputs can be written without spoiling anything.

    Arguments
    ---------
    inputs : list of Input
        What is to be enhanced.
    targets : list of str
        What each of them becomes.
    output : str
        As for ``outputs.name_outputs``.

    Raises
    ------
    ValueError
        If two inputs would become one file, a noisy file would be lost, or
        outputs would be among the inputs of the next run.
    OSError
        If an output is a folder, or its folder cannot be made.
    """
    _check_apart(inputs, targets)
    is_file = is_one_file(inputs, output)
    if not is_file:
        _check_outside(output, {item.folder for item in inputs} - {None})
    _check_noisy_kept(inputs, targets)
    if is_file:
        check_audio_name(output)
        return
    for folder in {os.path.dirname(target) for target in targets}:
        _check_folder(folder)
    for target in targets:
        if os.path.isdir(target):
            raise IsADirectoryError(
                f"{target} is a folder and stands in the way"
            )


def _check_outside(output, folders):
    for folder in folders:
        if is_inside(os.path.realpath(output), os.path.realpath(folder)):
            raise ValueError(
                f"the output folder {output} is or lies in the input folder "
                f"{folder}: the next run would enhance what this one wrote; "
                "name a folder outside"
            )


def _check_apart(inputs, targets):
    owners = {}
    for item, target in zip(inputs, targets):
        first = owners.setdefault(os.path.normpath(target), item)
        if first is not item:
            raise ValueError(
                f"{first.path} and {item.path} would both become {target}; "
                "enhance them into different folders"
            )


def _check_noisy_kept(inputs, targets):
    noisy = {_identity(item.path) for item in inputs if not item.is_pipe}
    for target in targets:
        if os.path.exists(target) and _identity(target) in noisy:
            raise ValueError(
                f"{target} is the noisy file itself and would be lost; name "
                "another file"
            )


def _identity(path):
    """The same for all names and links of a file."""
    stats = os.stat(path)
    return stats.st_dev, stats.st_ino


def _check_folder(folder):
    """Whether a folder can be written to, or be made."""
    there = folder or os.curdir
    while not os.path.lexists(there):
        there = os.path.dirname(there) or os.curdir
    if not os.path.isdir(there):
        raise NotADirectoryError(
            f"{there} is no folder, and {folder} cannot be made; name another"
        )
    if not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(f"{there} cannot be written to by this user")


def check_free(targets):
    """Whether none of the outputs is there.

    Arguments
    ---------
    targets : list of str
        The files to write.

    Raises
    ------
    FileExistsError
        If one is.

    Example
    -------
    >>> check_free(["no/such/file.wav"])
    """
    there = [target for target in targets if os.path.lexists(target)]
    if there:
        more = f" (and {len(there) - 1} more)" if len(there) > 1 else ""
        raise FileExistsError(
            f"{there[0]} exists already{more}; --overwrite replaces it, "
            "--skip-existing leaves it"
        )


def check_sound(targets, ending, subtype):
    """Whether outputs can have a format and an encoding.

    Arguments
    ---------
    targets : list of str
        The files to write.
    ending : str
        What was asked for as such; None for none in particular.
    subtype : str
        libsndfile's name of the encoding, None for none in particular.

    Raises
    ------
    ValueError
        If one cannot.

    Example
    -------
    >>> check_sound(["a.flac"], "flac", "PCM_24")
    >>> check_sound(["a.flac"], None, "GSM610")
    Traceback (most recent call last):
    ValueError: a.flac: FLAC has no encoding GSM610; it has PCM_S8, PCM_16, PCM_24
    """
    if ending is not None:
        name = format_of(f"a.{ending}")
        if name is None or not can_write(name):
            known = ", ".join(e[1:] for e in audio_endings())
            raise ValueError(
                f"libsndfile writes no format {ending}; it knows {known}"
            )
        for target in targets:
            if format_of(target) != name:
                raise ValueError(
                    f"{target} is not named as a file of format {ending}; name "
                    "it so, or do without --format"
                )
    for target in {format_of(target): target for target in targets}.values():
        if subtype is not None:
            check_encoding(target, subtype)


def check_report(report, inputs, targets):
    """Whether a report can be written, onto nothing else.

    Arguments
    ---------
    report : str
        The file.
    inputs, targets
        As for ``check_outputs``.

    Raises
    ------
    ValueError
        If it is one of the other files.
    OSError
        If it is a folder, or its folder cannot be made.

    Example
    -------
    >>> check_report("report.json", [], ["out.wav"])
    >>> check_report("./out.wav", [], ["out.wav"])
    Traceback (most recent call last):
    ValueError: the report ./out.wav is an input or output; name another file
    """
    others = [item.path for item in inputs] + targets
    if os.path.realpath(report) in map(os.path.realpath, others):
        raise ValueError(
            f"the report {report} is an input or output; name another file"
        )
    if os.path.isdir(report):
        raise IsADirectoryError(f"{report} is a folder; name a file")
    _check_folder(os.path.dirname(report))
