"""Tables in Markdown, and pages of them."""

from speechbrain_semamba.utils.whole_files import write_text


def publish(sections, path=None):
    """Prints sections as they come, and in the end writes all to a file."""
    done = []
    for section in sections:
        print(section, flush=True)
        done.append(section)
    if path:
        write_text(path, "\n".join(done))


def table(names, rows):
    """A table in Markdown; nothing is a dash, numbers get three digits."""
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join(f"| {' | '.join(map(cell, line))} |" for line in lines)


def cell(value):
    """A cell's text."""
    if value is None:
        return "-"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
