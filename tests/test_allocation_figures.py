"""The frontier of sharing without payments: everything is drawn where it lies, the closer look holds what counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lawgiver.trainers.payment_free.frontier_figure import Mark, Panel, frontier, gaps
from lawgiver.trainers.plots import style


def panel(title: str) -> Panel:
    fair, fill, partly = (
        Mark("", 0.06, 1.0, 0.004, 0.0),
        Mark("", 0.0, 0.95, 0.0, 0.002),
        Mark("", 0.1, 0.8, 0.01, 0.01),
    )
    mixes = [fair, Mark("s = 0.5", 0.03, 0.977, 0.002, 0.001), fill]
    learned = [Mark("1", 0.02, 0.98, 0.003, 0.001, np.array([[0.019, 0.979], [0.021, 0.981]])), Mark("3", 0.01, 0.965)]
    return Panel(
        title, "gain", {"fair": fair, "fill": fill}, {"mixes": mixes, "family": [fair, partly]}, {"Net": learned}
    )


def test_the_frontier_holds_everything_and_looks_closer(tmp_path: Path):
    figure = frontier([panel("All"), panel("Values")], "5 participants")
    style.save(figure, tmp_path / "a.png")
    whole, close = figure.axes[0], figure.axes[2]
    assert [axis.get_title(loc="left") for axis in figure.axes] == [
        "All",
        "Values",
        "the same, closer",
        "the same, closer",
    ]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["mixes", "family", "fair", "fill", "Net"]
    told = [{text.get_text() for text in axis.texts} - {""} for axis in (whole, close)]
    assert told == [{"s = 0.5"}, {"s = 0.5", "1", "3"}]
    seeds = [tuple(line.get_ydata()) for line in close.lines]
    assert (0.979, 0.981) in seeds
    assert whole.get_xlim()[1] > 0.1 > close.get_xlim()[1] > 0.064
    assert close.get_ylim()[0] == pytest.approx(0.948 - 0.06 * 0.052)


def test_gaps_are_drawn_beside_the_rate(tmp_path: Path):
    sizes = [64, 256, 1024]
    values = np.array([[0.4, 0.4], [0.2, 0.2], [0.1, 0.1]])
    figure = gaps({"gain, worse by": {"plain": values, "equivariant": values / 2}}, sizes)
    style.save(figure, tmp_path / "a.png")
    (axis,) = figure.axes
    drawn = [list(line.get_ydata()) for line in axis.lines if line.get_linestyle() == ":" and len(line.get_ydata())]
    assert drawn == [pytest.approx([0.4, 0.2, 0.1]), pytest.approx([0.2, 0.1, 0.05])]
    assert axis.get_legend_handles_labels()[1] == ["plain", "equivariant", "$L^{-1/2}$ from the first on"]
