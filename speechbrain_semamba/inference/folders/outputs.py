"""What enhanced files are called."""

import os

from speechbrain_semamba.dataio.audio_formats import can_write, format_of


def name_outputs(inputs, output, ending=None):
    """Names the file that each input becomes.

    Arguments
    ---------
    inputs : list of Input
        What is to be enhanced.
    output : str
        A file, if there is one input that was not found in a folder, and the
        name ends as audio files do and is not that of a folder; else a
        folder, below which the inputs keep their tree.
    ending : str
        Of files in a folder, such as "flac"; None for that of the input, or
        "wav" where it is none that can be written.

    Returns
    -------
    list of str
        As many as inputs.

    Example
    -------
    >>> from speechbrain_semamba.inference.folders.inputs import Input
    >>> inputs = [Input("a.wav", "a.wav"), Input("b/c.mp3", "c.mp3")]
    >>> name_outputs(inputs, "out", "flac")
    ['out/a.flac', 'out/c.flac']
    >>> name_outputs(inputs[:1], "out.wav"), name_outputs(inputs[:1], "out")
    (['out.wav'], ['out/a.wav'])
    """
    if is_one_file(inputs, output):
        return [output]
    return [
        os.path.join(output, _renamed(item.place, ending)) for item in inputs
    ]


def is_one_file(inputs, output):
    """Whether an output is a file rather than a folder of files.

    Arguments
    ---------
    inputs, output
        As for ``name_outputs``.

    Returns
    -------
    bool
        See there.
    """
    is_named = len(inputs) == 1 and inputs[0].folder is None
    return is_named and bool(format_of(output)) and not os.path.isdir(output)


def _renamed(place, ending):
    known = format_of(place)
    if ending is None and known and can_write(known):
        return place
    # take.2 has no ending of an audio file
    stem = os.path.splitext(place)[0] if known else place
    return f"{stem}.{ending or 'wav'}"
