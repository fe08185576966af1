"""Packages that only some need, imported where they are used."""

import importlib


def import_extra(name, user, extra="train"):
    """Imports a package or module that an extra installs.

    Arguments
    ---------
    name : str
        The package or module.
    user : str
        What needs it, in the plural, to begin the error with.
    extra : str
        The extra of ``pyproject.toml``.

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
            f"repository: pip install '.[{extra}]'"
        ) from error
