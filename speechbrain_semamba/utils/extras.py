"""Packages that only some need, imported where they are used."""

import importlib


def import_extra(name, user):
    """Imports a package or module that the extra ``train`` installs.

    Arguments
    ---------
    name : str
        The package or module.
    user : str
        What needs it, in the plural, to begin the error with.

    Returns
    -------
    module
        The package or module.

    Raises
    ------
    ImportError
        If it is missing; names the extra.

    Example
    -------
    >>> import_extra("math", "Sums").floor(2.5)
    2
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"{user} need {name}; in the folder of the speechbrain-semamba "
            "repository: pip install '.[train]'"
        ) from error
