"""Learning curves of a training run."""

import math

from speechbrain_semamba.evaluation.figures import WIDTH, new_figure

#: The score by which the best checkpoint is chosen
SCORE = "valid pesq"
#: In inches, of a row of panels
HEIGHT, COLUMNS = 2.1, 3
STAGES = {"train": "C0", "valid": "C1", "": "C2"}


def learning_curves(epochs):
    """Draws each number of a run over its epochs, a panel for each name.

    Training and validation share a panel; a dotted line is at the epoch of
    the best validation score.

    Arguments
    ---------
    epochs : dict
        For each epoch its numbers by name, as ``read_train_log`` finds them.
        Where an epoch lacks one, or has one that is not finite, its curve has
        a gap.

    Returns
    -------
    matplotlib.figure.Figure
        To be saved by its ``savefig``.

    Raises
    ------
    ValueError
        If there is no number to draw.
    ImportError
        If matplotlib is missing; names the extra.

    Example
    -------
    >>> epochs = {1: {"train loss": 2.0, "valid loss": 2.5, "lr": 0.1}}
    >>> figure = learning_curves({**epochs, 2: {"train loss": 1.0}})
    >>> [panel.get_title() for panel in figure.axes]
    ['loss', 'lr']
    """
    panels = _panels(epochs)
    if not panels:
        raise ValueError(
            "learning curves need a finished epoch, found none; train for at "
            "least one"
        )
    rows = math.ceil(len(panels) / COLUMNS)
    figure = new_figure(figsize=(WIDTH, HEIGHT * rows), layout="constrained")
    axes = figure.subplots(rows, COLUMNS, squeeze=False).flat
    best = best_epoch(epochs)
    for (title, stages), panel in zip(panels.items(), axes):
        for stage in stages:
            _draw_curve(panel, epochs, stage, title)
        if best is not None:
            label = f"best validation PESQ, epoch {best}"
            panel.axvline(best, color="grey", linestyle=":", label=label)
        panel.set_title(title, fontsize="medium")
        panel.set_xlabel("epoch", fontsize="small")
        panel.tick_params(labelsize="small")
        panel.xaxis.get_major_locator().set_params(integer=True)
    for unused in axes:
        unused.remove()
    _add_legend(figure)
    return figure


def best_epoch(epochs):
    """The epoch whose validation score is the highest.

    Arguments
    ---------
    epochs : dict
        For each epoch its numbers by name.

    Returns
    -------
    int
        None if no epoch has that score.

    Example
    -------
    >>> best_epoch({1: {"valid pesq": 1.5}, 2: {"valid pesq": 1.4}, 3: {}})
    1
    """
    scores = {e: numbers.get(SCORE, math.nan) for e, numbers in epochs.items()}
    scores = {e: score for e, score in scores.items() if math.isfinite(score)}
    return max(scores, key=scores.get, default=None)


def _panels(epochs):
    """The stages that have a number, by its name: losses before scores."""
    found = {"loss": []}
    for name in dict.fromkeys(sum(map(list, epochs.values()), [])):
        stage, _, title = name.rpartition(" ")
        if stage in STAGES:
            found.setdefault(title, []).append(stage)
    if not found["loss"]:
        del found["loss"]
    for last in ("pesq", "stoi", "lr"):
        if last in found:
            found[last] = found.pop(last)
    return found


def _draw_curve(panel, epochs, stage, title):
    name = f"{stage} {title}".strip()
    values = [numbers.get(name, math.nan) for numbers in epochs.values()]
    panel.plot(
        list(epochs),
        [value if math.isfinite(value) else math.nan for value in values],
        color=STAGES[stage],
        marker="o",
        markersize=max(1.0, 4 - len(epochs) / 20),
        linewidth=1,
        label=stage or "_",  # which no legend shows
    )


def _add_legend(figure):
    """Says once what the colours are."""
    found = {}
    for panel in figure.axes:
        for line, label in zip(*panel.get_legend_handles_labels()):
            found.setdefault(label, line)
    figure.legend(
        found.values(), found.keys(), loc="outside lower center", ncols=3
    )
