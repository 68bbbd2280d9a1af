"""Figure of an audit: distribution of gains, ex post and ex interim, and gains against payoffs of what is played."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lawgiver.trainers.plots.style import ENTRIES, free_colours, legend_beside, new_figure
from lawgiver.trainers.tables.wording import words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from lawgiver.trainers.audit.ex_interim import ExInterim
    from lawgiver.trainers.audit.result import Audit

BELOW = 0.2
"""Extent of the axes of gains below 0, as a share of the gain that counts as none."""
DASHES = ("-", "--", ":")
"""Line styles by group of fields, to distinguish overlapping lines."""
NAMED = ENTRIES
"""Participants up to which each has a colour and an entry of its own in the legend; more are on a scale of colours."""


def gains(found: Audit) -> Figure:
    """Draw the distribution of gains by group of fields, beside all gains against truthful payoffs.

    Gains are in the unit of payoffs, on scales that are linear up to the gain that counts as none. Where ex interim
    gains are known, a third panel has their distribution.
    """
    interim = found.ex_interim
    figure = new_figure(12.6 if interim is None else 18.9, 4.2)
    left, right, *more = figure.subplots(1, 2 if interim is None else 3)
    if interim is not None:
        _draw_ex_interim(more[0], interim)
    none = found.profitable_above
    bottom, top = -BELOW * none, max(2 * found.largest_gain, 10 * none)
    for colour, dashes, (name, regret) in zip(free_colours(()), itertools.cycle(DASHES), found.regrets.items()):
        line = {"color": colour, "linestyle": dashes}
        ordered = np.sort(regret.gains, axis=None)
        share = 100 * (1 - np.arange(ordered.size) / ordered.size)
        left.step([bottom, *ordered, top], [100, *share, 0], where="pre", label=words(name), **line)
    left.set_xlim(bottom, top)
    left.set_ylim(-2, 102)
    left.set_xlabel(f"ex post gain by the best misreport{'' if found.exact else ' found'} [unit of payoffs]")
    left.set_ylabel("participants who gain at least this [%]")
    tried = f"all {found.menu_size:,} {found.menu_noun}" if found.exact else f"{found.tried:,} misreports"
    left.set_title(f"{found.payoffs.size:,} participants, {tried} tried")
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
    right.set_xlabel(f"ex post payoff of {'the truth' if found.truthful else 'what is played'} [unit of payoffs]")
    right.set_ylabel("ex post gain by the best misreport [unit of payoffs]")
    right.set_title("Who gains, ex post")
    left.set_xscale("symlog", linthresh=none)
    right.set_yscale("symlog", linthresh=none)
    for axis in (left, right, *more):
        axis.grid(alpha=0.3)
    return figure


def _draw_ex_interim(axis: Axes, found: ExInterim) -> None:
    """Draw the distribution of ex interim gains of all fields, by the draws that chose reports and by others."""
    name = list(found.regrets)[-1]
    both = {"by the draws that chose it": found.regrets[name].gains, "by other draws": found.held_out[name]}
    bottom, top = (float(f(g.min() if f is min else g.max() for g in both.values())) for f in (min, max))
    margin = 0.05 * (top - bottom) or 1.0
    for colour, dashes, (label, each) in zip(free_colours(()), DASHES, both.items(), strict=False):
        ordered = np.sort(each, axis=None)
        share = 100 * (1 - np.arange(ordered.size) / ordered.size)
        ends = [bottom - margin, *ordered, top + margin]
        axis.step(ends, [100, *share, 0], where="pre", label=label, color=colour, linestyle=dashes)
    axis.set_ylim(-2, 102)
    axis.set_xlabel("ex interim gain by the best misreport found [unit of payoffs]")
    axis.set_ylabel("participants who gain at least this [%]")
    axis.set_title(f"Ex interim, {found.rivals:,} draws of the others")
    legend_beside(axis, title="gain")
