"""Which files become which: found, named and checked before any work."""

import os
from dataclasses import dataclass, field

from speechbrain_semamba.dataio.audio_formats import check_audio_name
from speechbrain_semamba.inference.folders.dealing import Place
from speechbrain_semamba.inference.folders.inputs import find_inputs
from speechbrain_semamba.inference.folders.obstacles import (
    check_free,
    check_outputs,
    check_report,
    check_sound,
)
from speechbrain_semamba.inference.folders.outputs import (
    is_one_file,
    name_outputs,
)


@dataclass
class Plan:
    """Files to enhance, and what they become.

    Arguments
    ---------
    inputs : list of Input
        The noisy files.
    targets : list of str
        What each of them becomes.
    folder : str
        The output folder; of one file, the folder that it will be in.
    place : Place
        Of this process, among those that share the plan.
    existing : str
        What of an output that is there: "replace" it, "skip" it, or "refuse"
        to begin.
    """

    inputs: list
    targets: list
    folder: str
    place: Place = field(default_factory=Place)
    existing: str = "refuse"


def make_plan(
    words,
    output,
    place=Place(),  # noqa: B008 it cannot be changed
    existing="refuse",
    ending=None,
    subtype=None,
    report=None,
    is_file=False,
):
    """Plans a run over files, and refuses what would end badly.

    Arguments
    ---------
    words : list of str
        What the user named, as for ``find_inputs``.
    output : str
        As for ``name_outputs``.
    place, existing
        As for ``Plan``.
    ending : str
        Of outputs in a folder, None for those of the inputs.
    subtype : str
        Encoding of the outputs, None for those of the inputs.
    report : str
        A file to be written at the end, None for none.
    is_file : bool
        Whether the output of one file must be the name of a file, or of a
        folder that is there.

    Returns
    -------
    Plan
        Nothing is written yet.

    Raises
    ------
    OSError, ValueError
        What is wrong with it, in one line.

    Example
    -------
    >>> folder = getfixture("tmp_path")
    >>> (folder / "a.wav").touch()
    >>> make_plan([f"{folder}/a.wav"], "out", ending="flac").targets
    ['out/a.flac']
    """
    inputs = find_inputs(words)
    if place.size > 1 and any(item.is_pipe for item in inputs):
        raise ValueError("several processes cannot share a pipe; name files")
    targets = name_outputs(inputs, output, ending)
    check_sound(targets, ending, subtype)
    if is_file and len(inputs) == 1 and inputs[0].folder is None:
        if not os.path.isdir(output):
            check_audio_name(output)
    check_outputs(inputs, targets, output)
    if report is not None:
        check_report(report, inputs, targets)
    # of several processes another one may be at work already
    if place.size == 1 and existing == "refuse":
        check_free(targets)
    folder = output
    if is_one_file(inputs, output):
        folder = os.path.dirname(output)
    return Plan(inputs, targets, folder, place, existing)
