"""The README.md of a model folder, as model hubs show it.

Its facts are written anew whenever the folder is; all else is its author's.
"""

from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from string import Template

from speechbrain_semamba import __version__
from speechbrain_semamba.utils.settings import tag_of

NAME = "README.md"
#: Between these lines are the facts
BEGIN = "<!-- facts: each export writes them anew; write above or below -->"
END = "<!-- end of the facts -->"
UNKNOWN = """\
## Training

Not known here: the weights came without their training run. No scores were
computed."""


def write_card(folder, facts, metrics=(), old=None):
    """Writes the card of a model folder.

    Arguments
    ---------
    folder : str
        The model folder.
    facts : str
        Markdown, as ``describe_model`` makes it.
    metrics : list of str
        Names of the scores among them.
    old : str
        A card of this folder, as ``read_card`` found it: only its facts
        are replaced.

    Example
    -------
    >>> folder = getfixture("tmp_path")
    >>> write_card(folder, "One.")
    >>> text = read_card(folder).replace("# Speech", "# My speech")
    >>> write_card(folder, "Two.", old=text)
    >>> text = read_card(folder)
    >>> "# My speech" in text, "One." in text, "Two." in text
    (True, False, True)
    """
    facts = f"{BEGIN}\n{facts.strip()}\n{END}"
    if old is None:
        names = "".join(f"\n- {name}" for name in metrics) or " []"
        fields = {"metrics": f"metrics:{names}", "facts": facts}
        text = _template("card.md").substitute(fields)
    else:
        before, rest = old.split(BEGIN, 1)
        text = before + facts + rest.split(END, 1)[1]
    # whatever bytes the author's text has
    with open(
        Path(folder) / NAME,
        "w",
        encoding="utf-8",
        errors="surrogateescape",
        newline="",
    ) as file:
        file.write(text)


def read_card(folder):
    """The card of a model folder.

    Arguments
    ---------
    folder : str
        The model folder.

    Returns
    -------
    str
        None if there is none.

    Raises
    ------
    FileExistsError
        If there is a README.md without a place for facts, which would be
        lost.

    Example
    -------
    >>> read_card(getfixture("tmp_path")) is None
    True
    """
    path = Path(folder) / NAME
    if not path.is_file():
        return None
    with open(
        path, encoding="utf-8", errors="surrogateescape", newline=""
    ) as file:
        text = file.read()
    before, begin, rest = text.partition(BEGIN)
    if not begin or END not in rest:
        raise FileExistsError(
            f"{path} would be lost: it has no lines {BEGIN!r} and {END!r}, "
            "between which a card has its facts; put them in, or move it away"
        )
    return text


def describe_model(generator, node, sample_rate, origin, training=None):
    """The facts of a model, for its card.

    Arguments
    ---------
    generator : dict
        State dict of the generator.
    node : dict
        Its arguments, and in their tag its class.
    sample_rate : int
        In Hz.
    origin : str
        Where the weights come from, in words.
    training : str
        Markdown that tells of the training, as of ``describe_run``.

    Returns
    -------
    str
        Markdown.

    Example
    -------
    >>> from speechbrain_semamba.checkpoints.parts import part_node
    >>> node = part_node("generator", {"channels": 8})
    >>> text = describe_model({}, node, 16000, "random weights")
    >>> print(text.splitlines()[2])
    | generator | `SEMamba`, 0 parameters |
    """
    arguments = ", ".join(f"`{key}: {value}`" for key, value in node.items())
    return _template("facts.md").substitute(
        name=tag_of(node).split(".")[-1],
        parameters=f"{sum(x.numel() for x in generator.values()):,}",
        arguments=arguments or "all by default",
        sample_rate=sample_rate,
        origin=origin,
        version=__version__,
        speechbrain=version("speechbrain"),
        torch=version("torch"),
        training=training or UNKNOWN,
    )


def _template(name):
    folder = files("speechbrain_semamba.checkpoints") / "card"
    return Template((folder / name).read_text(encoding="utf-8"))
