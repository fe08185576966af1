"""Tables in Markdown."""


def table(names, rows):
    """A table in Markdown; nothing is a dash, numbers get three digits."""
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join(f"| {' | '.join(map(cell, line))} |" for line in lines)


def cell(value):
    """A cell's text."""
    if value is None:
        return "-"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
