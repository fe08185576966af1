"""Histograms and scatter plots of scores."""

import math

from speechbrain_semamba.evaluation.figures import new_figure
from speechbrain_semamba.evaluation.summary_text import metric_title

#: In inches: as wide as a phone
SIZE = 3.6, 2.6


def histogram(name, columns):
    """How often a score is how high, a colour for each kind.

    Arguments
    ---------
    name : str
        A key of ``COLUMNS``.
    columns : dict
        For each kind its scores [files]; those that are not finite are left
        out.

    Returns
    -------
    matplotlib.figure.Figure
        To be saved by its ``savefig``.

    Example
    -------
    >>> figure = histogram("pesq", {"noisy": [1.5, 2.0], "enhanced": [2.5]})
    >>> figure.axes[0].get_xlabel()
    'pesq'
    """
    figure, panel = _new_figure()
    columns = {
        kind: [x for x in values if math.isfinite(x)]
        for kind, values in columns.items()
    }
    everything = sum(columns.values(), [])
    if everything:
        low, high = min(everything), max(everything)
        for kind, values in columns.items():
            panel.hist(
                values,
                bins=20,
                range=(low, high if high > low else low + 1),
                alpha=0.6,
                label=kind,
            )
        panel.legend(fontsize="small")
    panel.set_xlabel(metric_title(name))
    panel.set_ylabel("files")
    panel.yaxis.get_major_locator().set_params(integer=True)
    return figure


def scatter(name, across, upward):
    """A score of each file, of one kind against another's.

    Arguments
    ---------
    name : str
        A key of ``COLUMNS``.
    across : tuple
        Title and scores [files] of the kind to the right.
    upward : tuple
        The same of the kind upward.

    Returns
    -------
    matplotlib.figure.Figure
        With a line where both are alike.

    Example
    -------
    >>> figure = scatter("pesq", ("noisy", [1.5]), ("enhanced", [2.5]))
    >>> figure.axes[0].get_ylabel()
    'pesq, enhanced'
    """
    figure, panel = _new_figure()
    pairs = [
        pair
        for pair in zip(across[1], upward[1])
        if all(map(math.isfinite, pair))
    ]
    if pairs:
        panel.scatter(*zip(*pairs), s=14, alpha=0.6)
        ends = min(map(min, pairs)), max(map(max, pairs))
        panel.plot(ends, ends, color="grey", linewidth=1)
        panel.set_aspect("equal", adjustable="datalim")
    panel.set_xlabel(f"{metric_title(name)}, {across[0]}")
    panel.set_ylabel(f"{metric_title(name)}, {upward[0]}")
    return figure


def _new_figure():
    figure = new_figure(figsize=SIZE, layout="constrained")
    return figure, figure.subplots()
