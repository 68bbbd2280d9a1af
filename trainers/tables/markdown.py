"""Tables in Markdown, printed line by line while the numbers of the later rows are still being computed."""

from __future__ import annotations


def row(*cells: object, number: str = ".3f") -> None:
    """Print a row of a table.

    Args:
        cells: of the row; a float is written in the format ``number``, everything else by ``str``.
        number: format of floats, such as ``.3f``.
    """
    written = (format(cell, number) if isinstance(cell, float) else str(cell) for cell in cells)
    print("| " + " | ".join(written) + " |", flush=True)


def header(*names: str) -> None:
    """Print the names of a table's columns and the line below them."""
    row(*names)
    print("|" + "---|" * len(names))
