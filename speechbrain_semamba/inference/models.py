"""Which model a user's word stands for, and loading it."""

import logging
import os
import re

logger = logging.getLogger(__name__)

#: What a model folder holds
FILES = "hyperparams.yaml", "generator.ckpt"
#: Models that ship with the package
PRETRAINED = os.path.join(
    os.path.dirname(os.path.dirname(__file__)), "pretrained"
)
#: The one that is taken where none is named
DEFAULT_MODEL = "semamba-small"
#: What SpeechBrain raises where a hyperparams.yaml asks for what is not there
DAMAGE = AttributeError, ImportError, KeyError, TypeError, UnicodeDecodeError
#: As the Hugging Face hub names models
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


def pretrained_names():
    """Names of the models that ship with the package.

    Returns
    -------
    list of str
        Sorted.

    Example
    -------
    >>> DEFAULT_MODEL in pretrained_names()
    True
    """
    if not os.path.isdir(PRETRAINED):
        return []
    folders = (os.path.join(PRETRAINED, n) for n in os.listdir(PRETRAINED))
    return sorted(os.path.basename(f) for f in folders if not _lacking(f))


def shipped_or_itself(word):
    """The folder of a model that ships, where its name is no file here.

    Arguments
    ---------
    word : str
        What names a model.

    Returns
    -------
    str
        The folder, or the word.

    Example
    -------
    >>> import os
    >>> os.path.isdir(shipped_or_itself(DEFAULT_MODEL))
    True
    >>> shipped_or_itself("my/model")
    'my/model'
    """
    if not os.path.lexists(word) and word in pretrained_names():
        return os.path.join(PRETRAINED, word)
    return word


def find_model(word):
    """Finds the model that a word stands for; loads nothing.

    Arguments
    ---------
    word : str
        A model folder; the name of a model that ships with the package; or,
        if it is neither and holds one slash, a model of the Hugging Face
        hub.

    Returns
    -------
    str
        A folder, or the hub's name.

    Raises
    ------
    FileNotFoundError
        If there is no such model.

    Example
    -------
    >>> find_model("speechbrain/some-model")
    'speechbrain/some-model'
    >>> find_model("/no/folder")
    Traceback (most recent call last):
    FileNotFoundError: a model folder holds hyperparams.yaml and generator.ckpt, /no/folder lacks hyperparams.yaml and generator.ckpt; a training run has one in model/, and 'semamba export' and 'semamba convert' make them; models that ship: semamba-small
    """
    word = shipped_or_itself(word)
    lacking = _lacking(word)
    if not lacking:
        return word
    if not os.path.lexists(word) and HUB_ID.fullmatch(word):
        return word
    names = ", ".join(pretrained_names())
    raise FileNotFoundError(
        "a model folder holds hyperparams.yaml and generator.ckpt, "
        f"{word} lacks {' and '.join(lacking)}; a training run "
        "has one in model/, and 'semamba export' and 'semamba convert' "
        "make them" + (f"; models that ship: {names}" if names else "")
    )


def _lacking(folder):
    return [n for n in FILES if not os.path.isfile(os.path.join(folder, n))]


def load_model(source, device, precision):
    """Loads a model for ``semamba enhance`` and the like.

    Arguments
    ---------
    source : str
        What ``find_model`` gave.
    device : str
        Where it shall compute.
    precision : str
        "auto", "fp32" or "bf16".

    Returns
    -------
    SEMambaEnhancement
        Ready to use.

    Raises
    ------
    ValueError
        If the model is damaged, or the hub does not give it; in one line.

    Example
    -------
    >>> folder = getfixture("model_folder")
    >>> load_model(str(folder), "cpu", "fp32").hparams.sample_rate
    16000
    """
    from ruamel.yaml.error import YAMLError

    from speechbrain_semamba.inference.enhancement import SEMambaEnhancement

    is_here = not _lacking(source)
    if not is_here:
        logger.warning("there is no folder %s, asking the hub for it", source)
        # each of its attempts would be told twice
        logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    kinds = DAMAGE + (YAMLError,) if is_here else (Exception,)
    try:
        return SEMambaEnhancement.from_hparams(
            source=source,
            run_opts={"device": device, "precision": precision},
        )
    except kinds as error:
        reason = " ".join(f"{type(error).__name__} {error}".split())
        if is_here:
            raise ValueError(
                f"{source}/hyperparams.yaml does not make a model: {reason}"
                "; make the folder anew with 'semamba export' or 'semamba "
                "convert'"
            ) from error
        raise ValueError(
            f"there is no folder {source}, and the Hugging Face hub gave no "
            f"such model: {reason}"
        ) from error
