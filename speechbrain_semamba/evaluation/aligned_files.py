"""The files of a pair, read as scores want them: one rate, one length."""

from speechbrain_semamba.dataio.audio_files import read_audio_file
from speechbrain_semamba.dataio.audio_headers import read_headers
from speechbrain_semamba.utils.messages import first_line


def check_files(files):
    """Looks at the headers of all files.

    Arguments
    ---------
    files : dict
        For each name its paths by kind.

    Returns
    -------
    rate : int
        Of all files, in Hz.
    faults : dict
        What is wrong with a file, by its path.

    Raises
    ------
    ValueError
        If the files have several rates, or none can be read.

    Example
    -------
    >>> import torch
    >>> from speechbrain_semamba.dataio.audio_files import write_audio_file
    >>> path = getfixture("tmp_path") / "a.wav"
    >>> write_audio_file(path, torch.zeros(1, 100), 16000)
    >>> check_files({"a": {"clean": path}})
    (16000, {})
    """
    paths = [path for kinds in files.values() for path in kinds.values()]
    first, faults = {}, {}
    for path, (header, fault) in zip(paths, read_headers(paths)):
        if fault:
            faults[path] = fault
        else:
            first.setdefault(header.sample_rate, path)
    if not first:
        raise ValueError(
            f"none of the {len(paths)} files can be scored: {paths[0]} is "
            f"{faults[paths[0]]}; mend them"
        )
    if len(first) > 1:
        rates = ", ".join(f"{path} {rate:,} Hz" for rate, path in first.items())
        raise ValueError(
            f"the files of an evaluation have one sampling rate, found {rates}"
            "; resample some, nothing is resampled here"
        )
    return next(iter(first)), faults


def read_aligned(paths):
    """Reads files that belong together, cut to the shortest of them.

    Arguments
    ---------
    paths : dict
        Mono files of one rate, by kind.

    Returns
    -------
    waves : dict
        For each kind whose file can be read its torch.Tensor [samples].
    faults : dict
        What is wrong with another file, by its path.
    cut : int
        Samples that the longest lost.

    Example
    -------
    >>> import torch
    >>> from speechbrain_semamba.dataio.audio_files import write_audio_file
    >>> paths = {}
    >>> for kind, samples in (("clean", 100), ("enhanced", 98)):
    ...     paths[kind] = getfixture("tmp_path") / f"{kind}.wav"
    ...     write_audio_file(paths[kind], torch.zeros(1, samples), 16000)
    >>> waves, faults, cut = read_aligned(paths)
    >>> waves["clean"].shape, faults, cut
    (torch.Size([98]), {}, 2)
    """
    waves, faults = {}, {}
    for kind, path in paths.items():
        try:
            waves[kind] = read_audio_file(path)[0][0]
        except (OSError, ValueError) as error:
            faults[path] = first_line(error)
    lengths = [len(wave) for wave in waves.values()]
    shortest = min(lengths, default=0)
    cut = max(lengths, default=0) - shortest
    return {k: wave[:shortest] for k, wave in waves.items()}, faults, cut
