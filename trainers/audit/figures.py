"""Figure of an audit: distribution of gains, and gains against truthful payoffs."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lawgiver.trainers.plots.style import ENTRIES, free_colours, legend_beside, new_figure
from lawgiver.trainers.tables.wording import words

if TYPE_CHECKING:
    from lawgiver.trainers.audit.result import Audit

BELOW = 0.2
"""Extent of the axes of gains below 0, as a share of the gain that counts as none."""
DASHES = ("-", "--", ":")
"""Line styles by group of fields, to distinguish overlapping lines."""
NAMED = ENTRIES
"""Participants up to which each has a colour and an entry of its own in the legend; more are on a scale of colours."""


def gains(found: Audit) -> Figure:
    """Draw the distribution of gains by group of fields, beside all gains against truthful payoffs.

    Gains are in the unit of payoffs, on scales that are linear up to the gain that counts as none.
    """
    figure = new_figure(12.6, 4.2)
    left, right = figure.subplots(1, 2)
    none = found.profitable_above
    bottom, top = -BELOW * none, max(2 * found.largest_gain, 10 * none)
    for colour, dashes, (name, regret) in zip(free_colours(()), itertools.cycle(DASHES), found.regrets.items()):
        line = {"color": colour, "linestyle": dashes}
        ordered = np.sort(regret.gains, axis=None)
        share = 100 * (1 - np.arange(ordered.size) / ordered.size)
        left.step([bottom, *ordered, top], [100, *share, 0], where="pre", label=words(name), **line)
    left.set_xlim(bottom, top)
    left.set_ylim(-2, 102)
    left.set_xlabel("gain by the best misreport found [unit of payoffs]")
    left.set_ylabel("participants who gain at least this [%]")
    left.set_title(f"{found.payoffs.size:,} participants, {found.tried:,} misreports tried")
    legend_beside(left, title="fields misreported")
    payoffs, most, seats = found.payoffs, found.joint.gains, found.types.shape[1]
    if seats <= NAMED:
        for colour, seat in zip(free_colours(()), range(seats), strict=False):
            right.scatter(payoffs[:, seat], most[:, seat], s=10, alpha=0.5, color=colour, label=f"{seat}")
        legend_beside(right, title="participant")
    else:
        who = np.broadcast_to(np.arange(seats), payoffs.shape)
        dots, whole = right.scatter(payoffs, most, s=10, alpha=0.5, c=who, cmap="viridis"), MaxNLocator(integer=True)
        figure.colorbar(dots, label="participant", ticks=whole)
    right.set_ylim(bottom, top)
    right.set_xlabel("payoff of the truth [unit of payoffs]")
    right.set_ylabel("gain by the best misreport found [unit of payoffs]")
    right.set_title("Who gains")
    left.set_xscale("symlog", linthresh=none)
    right.set_yscale("symlog", linthresh=none)
    for axis in (left, right):
        axis.grid(alpha=0.3)
    return figure
