"""Parallel coordinates of a search: an axis for each searched key, and the metric on the last one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from matplotlib import colormaps

from lawgiver.trainers.plots.style import COLOURS, new_figure
from lawgiver.trainers.statistics.estimate import is_number
from lawgiver.trainers.tables.wording import words
from lawgiver.trainers.tuning.results import Trial, Tuning

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TICKS = 5
"""Of an axis of numbers."""


@dataclass(frozen=True)
class Scale:
    """Heights of values on an axis.

    Attributes:
        values: all that are drawn.
        log: whether equal ratios are equally far apart.
    """

    values: Sequence[Any]
    log: bool = False

    @property
    def categories(self) -> list[Any] | None:
        """The values that stand at equal distances, None for numbers."""
        if all(is_number(value) for value in self.values):
            return None
        return list({str(value): value for value in self.values})

    def height(self, value: Any) -> float:
        """Find the height of a value, from 0 to 1."""
        categories = self.categories
        if categories is not None:
            return categories.index(str(value)) / max(len(categories) - 1, 1)
        low, high, at = (self._to(each) for each in (min(self.values), max(self.values), value))
        return (at - low) / (high - low) if high > low else 0.5

    def ticks(self) -> list[tuple[float, str]]:
        """List heights and what stands at them."""
        categories = self.categories
        if categories is not None:
            return [(self.height(name), str(name)) for name in categories]
        low, high = self._to(min(self.values)), self._to(max(self.values))
        if low == high:
            return [(0.5, f"{self.values[0]:.4g}")]
        levels = [low + (high - low) * step / (TICKS - 1) for step in range(TICKS)]
        return [(step / (TICKS - 1), f"{self._from(level):.4g}") for step, level in enumerate(levels)]

    def _to(self, value: float) -> float:
        return math.log(value) if self.log else float(value)

    def _from(self, level: float) -> float:
        return math.exp(level) if self.log else level


def parallel_coordinates(found: Tuning) -> Figure:
    """Draw every trial with a value of the metric as a line; the best one is thick, stopped ones are dashed.

    Args:
        found: a search of which at least one trial is finished.
    """
    drawn = [trial for trial in found.trials if trial.value is not None and math.isfinite(trial.value)]
    scales = {
        key: Scale([trial.values[key] for trial in drawn], each.kind == "loguniform")
        for key, each in found.space.items()
    }
    result = Scale([trial.value for trial in drawn])
    figure = new_figure(max(5.0, 2.2 * (len(scales) + 1)), 4.2)
    axis = figure.subplots()
    best = found.best
    for trial in sorted(drawn, key=lambda trial: trial is best):  # the best one above the others
        heights = [*(scale.height(trial.values[key]) for key, scale in scales.items()), result.height(trial.value)]
        axis.plot(range(len(heights)), heights, **_line(trial, trial is best, heights[-1]))
    for place, scale in enumerate((*scales.values(), result)):
        axis.axvline(place, color="black", linewidth=0.8)
        for height, text in scale.ticks():
            axis.annotate(text, (place, height), xytext=(4, 0), textcoords="offset points", fontsize=8, va="center")
    labels = [*(key.removeprefix("agents.").removeprefix("trainer.") for key in scales), words(found.metric)]
    axis.set_xticks(range(len(labels)), labels, fontsize=8)
    axis.set_yticks([])
    axis.set_xlim(-0.1, len(labels) - 0.6)
    axis.set_ylim(-0.05, 1.05)
    axis.set_frame_on(False)
    axis.set_title(f"{len(drawn)} trials, {words(found.metric)} ({found.mode}); thick: the best one", fontsize=10)
    return figure


def _line(trial: Trial, best: bool, height: float) -> dict[str, Any]:
    """Choose how the line of a trial looks."""
    if best:
        return {"color": COLOURS["learned"], "linewidth": 2.6}
    style = "-" if trial.state == "finished" else "--"
    return {"color": colormaps["viridis"](height), "linewidth": 1.0, "linestyle": style}
