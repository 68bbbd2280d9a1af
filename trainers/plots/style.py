"""Style of the figures: labelled, with units, in colours that the colour-blind can tell apart (Okabe and Ito)."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lawgiver.envs.core.errors import MissingExtraError
from lawgiver.trainers.runs.atomic_files import replacing

try:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import hsv_to_rgb, to_hex
    from matplotlib.figure import Figure
except ImportError as error:
    raise MissingExtraError("matplotlib", "plot", "drawing figures") from error

COLOURS = {
    "strict_egalitarian": "#E69F00",
    "libertarian": "#0072B2",
    "liberal_egalitarian": "#009E73",
    "learned": "#D55E00",
    "reachable": "#CC79A7",
    "ceiling": "#000000",
    "nobody_moves": "#999999",
    "start": "#56B4E9",
    "best_in_box": "#CC79A7",
    "optimum": "#000000",
    "first_best": "#E69F00",
    "VCG": "#777777",
}
MARKERS = {
    "strict_egalitarian": "s",
    "libertarian": "^",
    "liberal_egalitarian": "D",
    "learned": "o",
    "reachable": "P",
    "ceiling": "*",
}
CYCLE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MORE = ("#999999", "#882255", "#332288", "#44AA99", "#661100", "#999933", "#000000")
"""Colours of series beyond the first six."""
GOLDEN = 0.618034
"""How far apart on the circle of hues are those of series beyond these: the golden section fills it evenly."""
ENTRIES = 13
"""Entries of a legend that stand below each other beside the lowest of panels."""


def free_colours(taken: Iterable[str]) -> Iterator[str]:
    """Yield colours that are not taken, each once: the best to tell apart first, and then hues without end."""
    used = {colour.upper() for colour in taken}
    hues = (to_hex(hsv_to_rgb((k * GOLDEN % 1, 0.55, 0.75))) for k in itertools.count(1))
    yield from (colour for colour in itertools.chain(CYCLE, MORE, hues) if colour.upper() not in used)


def named_colours(names: Iterable[str]) -> dict[str, str]:
    """Assign a colour to each name, no two the same: its colour in every figure, else the next free one."""
    found: dict[str, str] = {}
    for name in names:
        if COLOURS.get(name, "") not in {"", *found.values()}:
            found[name] = COLOURS[name]
    free = free_colours(found.values())
    return {name: found[name] if name in found else next(free) for name in names}


def legend_beside(axis: Any, **how: Any) -> None:
    """Put the legend of a panel to its right, off the data, in columns of up to :data:`ENTRIES`."""
    columns = -(-len(axis.get_legend_handles_labels()[0]) // ENTRIES)
    how = {"fontsize": 8, "ncols": max(columns, 1), **how}
    axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5), **how)


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure of a size in inches."""
    figure = Figure(figsize=(width, height), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


LETTERS_AN_INCH = 13
"""Of a heading: as many of its size as stand side by side for certain."""


TIED = "\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}"
"""Sign of equality at which no line is broken."""


def save(figure: Figure, path: Path, heading: str | None = None) -> None:
    """Write a figure as PNG, whole or not at all.

    Args:
        figure: that is written.
        path: where to.
        heading: what stands above it all, a title that the figure has included: the mechanism and the game.

    Raises:
        RunError: if it cannot be written.
    """
    if heading is not None:
        room, own = int(LETTERS_AN_INCH * figure.get_figwidth()), figure.get_suptitle()
        whole = heading.replace(" = ", TIED)  # a number stays beside its name
        lines = [part.replace(TIED, " = ") for line in [*whole.split("\n"), own] for part in textwrap.wrap(line, room)]
        figure.suptitle("\n".join(lines), fontsize=9, x=0.01, ha="left")
        figure.set_figheight(figure.get_figheight() + 0.2 * (1 + len(lines)))
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png")
