"""What is said in the files of a corpus, a text file each."""

from pathlib import Path

from speechbrain_semamba.dataio.audio_headers import raise_faults


def read_transcripts(folder, names):
    """Reads the transcripts of files, as VoiceBank-DEMAND keeps them.

    Arguments
    ---------
    folder : str
        Holds ``NAME.txt`` for each name, in UTF-8.
    names : list of str
        The files' ids, such as "p232_001".

    Returns
    -------
    dict
        For each name in order its text, which may be empty.

    Raises
    ------
    ValueError
        If transcripts are missing or unreadable. All of them are counted in
        one error, which lists the first 20.

    Example
    -------
    >>> folder = getfixture("tmp_path")
    >>> _ = (folder / "p232_001.txt").write_text("Please call Stella.\\n")
    >>> read_transcripts(folder, ["p232_001"])
    {'p232_001': 'Please call Stella.'}
    """
    found, faults = {}, []
    for name in names:
        # a name may hold dots, so that with_suffix would cut it
        path = Path(folder, f"{name}.txt")
        try:
            found[name] = path.read_text(encoding="utf-8-sig").strip()
        except FileNotFoundError:
            faults.append(f"{path}: missing")
        except (OSError, UnicodeDecodeError) as error:
            faults.append(f"{path}: unreadable ({error})")
    raise_faults(
        faults,
        "Each file needs its transcript, a .txt file of the same name in "
        "UTF-8: add these, or leave their audio out.",
    )
    return found
