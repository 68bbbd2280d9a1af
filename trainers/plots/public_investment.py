"""Figures of public investment: who gets which share of the fund, and who contributes how much.

The *beach plot* is the paper's word for the map of the head's share (Koster et al. 2022).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from lawgiver.envs.core.checks import check_policy
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.public_investment.game import PublicInvestment
from lawgiver.envs.public_investment.one_round import after_round, weight_function
from lawgiver.trainers.plots.style import new_figure

# isort: split
from matplotlib.figure import Figure

LARGEST_PANELS = 200_000
"""Joint contributions up to which a beach plot is drawn."""
Weights = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""A memoryless mechanism: endowments and contributions (..., n) to weights (..., n)."""


def contributions(endowments: Sequence[int], learned: np.ndarray, exact: np.ndarray) -> Figure:
    """Draw the distribution of contributions by endowment, beside that of the equilibrium.

    Args:
        endowments: of each participant, (n,).
        learned: probabilities of each contribution by the trained participants, (n, n_actions).
        exact: the same at the exact equilibrium, (n, n_actions).
    """
    kinds = [list(endowments).index(e) for e in sorted(set(endowments), reverse=True)]
    figure = new_figure(1.2 + 3.6 * len(kinds), 3.6)
    axes = figure.subplots(1, len(kinds), squeeze=False)[0]
    for axis, seat in zip(axes, kinds, strict=True):
        points = np.arange(endowments[seat] + 1)
        axis.bar(points, learned[seat, : points.size], color="#56B4E9", label="trained participants")
        axis.plot(points, exact[seat, : points.size], "o-", color="#D55E00", label="exact equilibrium")
        means = f"mean {learned[seat, : points.size] @ points:.2f}, exact {exact[seat, : points.size] @ points:.2f}"
        axis.set_title(f"endowment {endowments[seat]} points\n({means})", fontsize=10)
        axis.set_xlabel("contribution (points)")
        axis.set_xticks(points if points.size <= 11 else points[:: points.size // 10])
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("probability")
    figure.legend(*axes[0].get_legend_handles_labels(), frameon=False, fontsize=8, loc="outside lower center", ncols=2)
    return figure


def shares_of(game: Game[Any], policies: Mapping[str, Policy]) -> Iterator[tuple[str, Figure]]:
    """Draw the beach plot of a mechanism of public investment, unless there are too many contributions."""
    if not isinstance(game, PublicInvestment) or "mechanism" not in policies:
        return
    if max(math.prod(e + 1 for e in endowments) for endowments in game.conditions) <= LARGEST_PANELS:
        yield "beach.png", beach_plot(game.conditions, weights_of(game, policies["mechanism"]))


def beach_plot(conditions: Sequence[Sequence[int]], weights: Weights) -> Figure:
    """Draw the head's share over its contribution and the sum of the tails' contributions, a panel for each condition.

    The head is participant 0. A cell is the mean share over all ways in which the tails can give that sum (Koster et
    al. 2022, the released plotting code): bright = to the head, dark = to the tails.
    """
    figure = new_figure(1.4 + 2.7 * len(conditions), 3.3)
    axes = figure.subplots(1, len(conditions), squeeze=False)[0]
    for axis, condition in zip(axes, conditions, strict=True):
        filled = beach_panel(axis, head_shares(condition, weights))
        axis.set_title(f"endowments {', '.join(map(str, condition))}", fontsize=9)
        axis.set_xlabel("sum of the tails' contributions")
    axes[0].set_ylabel("head's contribution (points)")
    figure.colorbar(filled, ax=axes, label="share of the fund to the head")
    return figure


def weights_of(game: PublicInvestment, mechanism: Policy) -> Weights:
    """Convert a mechanism to the weights behind the payouts of a round: of the first, where it remembers."""
    check_policy(game, "mechanism", mechanism, distribution=True)
    sent = weight_function(game, mechanism)
    return lambda e, c: np.asarray(after_round(game, sent(e, c), e, c).weights)


def beach_panel(axis: Any, shares: np.ndarray) -> Any:
    """Draw the head's shares (heads, sums) as one panel of a beach plot; return its filled contours."""
    sums, heads, levels = np.arange(shares.shape[1]), np.arange(shares.shape[0]), np.linspace(0, 1, 11)
    filled = axis.contourf(sums, heads, shares, levels=levels, cmap="viridis")
    if ((np.nanmin(shares) < levels) & (levels < np.nanmax(shares))).any():  # else there is no line to draw
        axis.contour(sums, heads, shares, levels=levels, colors="black", linewidths=0.5)
    return filled


def head_shares(condition: Sequence[int], weights: Weights) -> np.ndarray:
    """Compute participant 0's mean share, (e_0 + 1, sum of the others' endowments + 1)."""
    head, *tails = condition
    joint = np.array(list(itertools.product(*(range(e + 1) for e in condition))), float)
    shares = weights(np.broadcast_to(np.asarray(condition, float), joint.shape), joint)[:, 0]
    sums = joint[:, 1:].sum(axis=1).astype(int)
    columns = sum(tails) + 1
    cell = joint[:, 0].astype(int) * columns + sums
    total = np.bincount(cell, weights=shares, minlength=(head + 1) * columns)
    return (total / np.bincount(cell, minlength=(head + 1) * columns)).reshape(head + 1, columns)
