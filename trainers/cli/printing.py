"""Layout and printing of tables on the command line."""

from __future__ import annotations

from collections.abc import Mapping

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Column, Table

from lawgiver.trainers.tables.cells import ERRORS


def show(table: Table) -> None:
    """Print a table, beyond the edge of a narrow terminal before a word or number is cut off."""
    console = Console()
    if console.measure(table, options=console.options.update(max_width=10_000)).maximum > console.width:
        _set_widths(console, table)
    least = _least(console, table)
    (Console(width=least) if least > console.width else console).print(table)


def _set_widths(console: Console, table: Table) -> None:
    """Break headings of numbers between words, and keep columns of text wider than a word; rich would cut words."""
    options = console.options.update(max_width=10_000)
    for column in (column for column in table.columns if not column.no_wrap):
        cells = [console.measure(text, options=options) for text in column.cells]
        word = console.measure(column.header, options=options).minimum
        if column.justify == "right":
            column.width = max([word, *(cell.maximum for cell in cells)])
        else:
            column.min_width = max([word, *(cell.minimum for cell in cells)])


def _least(console: Console, table: Table) -> int:
    """Measure the width, in characters, below which words or numbers of a table are cut off."""
    options = console.options.update(max_width=10_000)
    width = console.measure(table, options=options).minimum  # in which what is not to be wrapped counts as if it were
    for column in (column for column in table.columns if column.no_wrap):
        found = [console.measure(text, options=options) for text in (column.header, *column.cells)]
        width += max(each.maximum for each in found) - max(each.minimum for each in found)
    return width


def show_markdown(text: str) -> None:
    """Print Markdown: laid out on a terminal, as it is into a file."""
    console = Console()
    console.print(Markdown(text) if console.is_terminal else text, markup=False, highlight=False, soft_wrap=True)


def say(line: str) -> None:
    """Print a line as it is."""
    Console().print(line, markup=False, highlight=False, soft_wrap=True)


def new_table(first: str, title: str | None = None) -> Table:
    """Make an empty table with the heading of its first column."""
    column = Column(first, no_wrap=True)
    return Table(
        column,
        title=title,
        title_justify="left",
        caption_justify="left",
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
    )


def show_cells(cells: Mapping[str, Mapping[str, str]], title: str, caption: str | None = None) -> None:
    """Print cells by row and column, turned where they are too wide otherwise, and below them what a ± says."""
    if any("±" in text for line in cells.values() for text in line.values()):
        caption = f"{caption}; {ERRORS}" if caption else ERRORS
    across = {column: {row: line[column] for row, line in cells.items()} for column in next(iter(cells.values()))}
    console = Console()
    unbounded = console.options.update(max_width=10_000)
    upright, turned = laid_out(cells), laid_out(across)
    width, other = (console.measure(table, options=unbounded).maximum for table in (upright, turned))
    if title:
        say(title)
    show(turned if other < width > console.width else upright)
    if caption:
        say(caption)
    say("")


def laid_out(cells: Mapping[str, Mapping[str, str]]) -> Table:
    """Make a table of cells by row and column."""
    table = new_table("")
    for column in next(iter(cells.values())):
        table.add_column(column, justify="right")
    for name, line in cells.items():
        table.add_row(name, *line.values())
    return table
