"""Errors in words, and most of them in one line."""

import difflib
import re

MAX_LISTED = 20
# what torch.save says, without an error number, when it cannot write
TORCH_WRITES = re.compile(
    "iostream|inline_container|PytorchStreamWriter|Parent directory"
)


class Faults(ValueError):
    """A mistake of several lines: a rule, and a list of what breaks it."""


#: What PyTorch says of a pickle that would call or make something
CODE = re.compile(r"(?i:unsupported global:? (?:global )?)(\w[\w.]*)")


def first_line(error):
    """The first line of an error's message, or its type if it has none.

    Arguments
    ---------
    error : Exception
        What was raised.

    Returns
    -------
    str
        Without a line break.

    Example
    -------
    >>> first_line(ValueError("one\\ntwo")), first_line(KeyError())
    ('one', 'KeyError')
    """
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def why_not_written(error):
    """Why a file could not be written, if that is what an error says.

    Arguments
    ---------
    error : Exception
        What was raised.

    Returns
    -------
    str
        In one line; None if the error is about something else.

    Example
    -------
    >>> why_not_written(OSError("No space left on device"))
    'No space left on device'
    >>> why_not_written(KeyError("a")) is None
    True
    """
    if isinstance(error, OSError):
        return first_line(error)
    if isinstance(error, RuntimeError) and TORCH_WRITES.search(str(error)):
        return f"torch.save failed to write a file ({first_line(error)})"
    return None


def why_not_loaded(error):
    """What ``torch.load`` says of a file, without its advice.

    Which is to run what the file may carry.

    Arguments
    ---------
    error : Exception
        What it raised.

    Returns
    -------
    str
        In one line.

    Example
    -------
    >>> why_not_loaded(EOFError("Ran out of input"))
    "it is none of torch.save's, or is damaged; get it anew"
    """
    # a file of a few bytes raises an OSError that names none
    of_the_system = isinstance(error, OSError) and error.filename
    if of_the_system or is_out_of_memory(error):
        return first_line(error)
    if found := CODE.search(str(error)):
        return (
            f"it holds {found[1]}, which is no tensor and might run code, or "
            "is damaged; save the model's state dict alone"
        )
    if "TorchScript" in str(error):
        return "it is a TorchScript archive; save the model's state dict"
    return "it is none of torch.save's, or is damaged; get it anew"


def is_out_of_memory(error):
    """Whether an error says that there is no memory left.

    PyTorch's processors, devices and systems each have words of their own.

    Arguments
    ---------
    error : Exception
        What was raised.

    Returns
    -------
    bool
        True also for a ``MemoryError``.

    Example
    -------
    >>> is_out_of_memory(RuntimeError("CUDA out of memory. Tried to ..."))
    True
    >>> is_out_of_memory(RuntimeError("size mismatch"))
    False
    """
    words = "out of memory", "allocate memory", "enough memory", "bad_alloc"
    return isinstance(error, MemoryError) or any(w in str(error) for w in words)


def listed(lines):
    """Lines of text, of which many are counted rather than shown.

    Arguments
    ---------
    lines : list of str
        One a thing.

    Returns
    -------
    str
        The first ``MAX_LISTED``, and how many more there are.

    Example
    -------
    >>> listed("abc" * 7).splitlines()[-2:]
    ['b', '... and 1 more']
    """
    more = len(lines) - MAX_LISTED
    rest = [f"... and {more} more"] if more > 0 else []
    return "\n".join([*lines[:MAX_LISTED], *rest])


def nearest(name, known):
    """What a mistyped name was meant to be, to end a sentence with.

    Arguments
    ---------
    name : str
        What was typed.
    known : list of str
        What there is.

    Returns
    -------
    str
        Empty if nothing is near.

    Example
    -------
    >>> nearest("--modle", ["--model", "--device"])
    ', the nearest is --model'
    """
    near = difflib.get_close_matches(name, known, 1, cutoff=0.5)
    return f", the nearest is {near[0]}" if near else ""
