"""The compiled kernels of ``csrc``: loading, calling, instruction set."""

import ctypes
import os
import pathlib

# first, for the library is to share its threads
import torch  # noqa: F401

from speechbrain_semamba.ops.arguments import MAX_WIDTH, STRUCTURES

_FOLDER = pathlib.Path(__file__).parent
#: setup.py puts one of these two here
LIBRARY = _FOLDER / "_kernels.so"
BUILD_ERROR = _FOLDER / "_kernels.error"

INSTRUCTIONS = ("avx512", "avx2", "plain")


def load():
    """Loads the library, unless it is missing or does not fit this code.

    ``SEMAMBA_INSTRUCTIONS`` in the environment forces an instruction set.

    Returns
    -------
    library : ctypes.CDLL
        None if it cannot be used.
    reason : str
        Why not, in one line with the way out; else None.

    Raises
    ------
    ValueError
        If the instruction set that is forced is not available here.
    """
    again = "install a C++ compiler (g++ or clang++) and the package again"
    if not LIBRARY.exists():
        reason = "they were not built"
        if BUILD_ERROR.exists():
            reason = BUILD_ERROR.read_text().strip()
        return None, f"no compiled kernels: {reason}; {again}"
    try:
        library = ctypes.CDLL(str(LIBRARY))
    except OSError as error:
        return None, f"the compiled kernels do not load ({error}); {again}"
    difference = find_difference(library)
    if difference is not None:
        return None, (
            "the compiled kernels were built from another version of csrc "
            f"({difference}); install the package again, which builds them"
        )
    library.semamba_instructions.restype = ctypes.c_char_p
    forced = os.environ.get("SEMAMBA_INSTRUCTIONS")
    if forced and not library.semamba_use(forced.encode()):
        raise ValueError(
            f"SEMAMBA_INSTRUCTIONS must be one of {', '.join(INSTRUCTIONS)} "
            f"that this processor has, not {forced!r}; unset it for the best"
        )
    return library, None


def find_difference(library):
    """What a library has otherwise than this code, which then may not call it.

    Arguments
    ---------
    library : ctypes.CDLL
        The loaded library.

    Returns
    -------
    str or None
        In a few words.
    """
    functions = [*STRUCTURES, "exp", "instructions", "layout", "use"]
    for name in functions:
        if not hasattr(library, f"semamba_{name}"):
            return f"no function semamba_{name}"
    library.semamba_layout.restype = ctypes.c_int64
    layout = {"max_width": MAX_WIDTH}
    for structure in STRUCTURES.values():
        layout[structure.__name__] = ctypes.sizeof(structure)
    for name, ours in layout.items():
        theirs = library.semamba_layout(name.encode())
        if theirs != ours:
            return f"{name} is {theirs} there, {ours} here"
    return None


def why_not():
    """Why the kernels cannot run here, or None if they can.

    Returns
    -------
    str or None
        The reason in one line, with the way out.

    Raises
    ------
    ValueError
        If ``SEMAMBA_INSTRUCTIONS`` forces what is not available here.
    """
    if _REFUSED is not None:
        raise ValueError(_REFUSED)
    return _REASON


def instructions():
    """The instruction set that the kernels use, one of ``INSTRUCTIONS``."""
    why_not()  # raises if another one is forced
    return _LIBRARY.semamba_instructions().decode()


def use_instructions(name):
    """Takes another instruction set, for the whole process.

    Arguments
    ---------
    name : str
        One of ``INSTRUCTIONS``.

    Raises
    ------
    ValueError
        If this machine or the library does not have it.
    """
    if not _LIBRARY.semamba_use(name.encode()):
        raise ValueError(f"instruction set {name!r} is not available here")


def run(name, arguments):
    """Calls a kernel, which releases the interpreter's lock meanwhile.

    Arguments
    ---------
    name : str
        A key of ``STRUCTURES``.
    arguments : Arguments
        Its structure.
    """
    getattr(_LIBRARY, f"semamba_{name}")(ctypes.byref(arguments))


# when this file is imported: torch.compile can follow a reason that is known,
# but not the loading of a library
_LIBRARY = _REASON = _REFUSED = None
try:
    _LIBRARY, _REASON = load()
except ValueError as error:
    # raised where it can be told in one line: at the first use, not here
    _REFUSED = str(error)
