"""The figures of an election between mechanisms: how people live under each of them, and which one they vote for.

Every function takes plain arrays and mappings and draws one figure, in the order and the colours of
:mod:`lawgiver.trainers.plots.style`, whose :func:`~lawgiver.trainers.plots.style.save` writes it. Participant 0 is
the head, the others are the tails. After figures 2 to 4 of Balaguer et al. 2022 (arXiv 2202.10122).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.public_investment.game import PublicInvestment
from lawgiver.trainers.evaluation.vote_shares import group_scores
from lawgiver.trainers.plots.public_investment import beach_panel, head_shares, weights_of
from lawgiver.trainers.plots.style import MARKERS, legend_beside, named_colours, new_figure
from lawgiver.trainers.statistics.estimate import Estimate, confidence
from lawgiver.trainers.tables.wording import words

# isort: split
from matplotlib.colors import Normalize, TwoSlopeNorm
from matplotlib.figure import Figure

HEAD_POINTS = 10
"""Endowment of the head, and largest one of a tail."""

Bands = Mapping[int, Mapping[str, Sequence[Estimate]]]
"""By the tails' endowment, then ``head`` or ``tail``: an estimate for each round."""


# -- life under each mechanism --------------------------------------------------------------------------------------


def contribution_bands(endowments: np.ndarray, contributions: np.ndarray) -> dict[int, dict[str, list[Estimate]]]:
    """Estimate the fractions of their endowments that heads and tails contribute, by tail endowment and round.

    The mean is over groups, a group's tails averaged first; the interval is Student's, groups being independent.

    Args:
        endowments: (G, n), all tails of a group with the same.
        contributions: (G, T, n).
    """
    fractions = np.asarray(contributions, float) / np.asarray(endowments, float)[:, None, :]
    return {
        int(tail): {
            "head": _band(fractions[endowments[:, 1] == tail, :, 0]),
            "tail": _band(fractions[endowments[:, 1] == tail, :, 1:].mean(axis=-1)),
        }
        for tail in np.unique(endowments[:, 1])
    }


def _band(values: np.ndarray) -> list[Estimate]:
    """Estimate the mean over groups of each round, values (G, T)."""
    return [Estimate.of_seeds(of_round) for of_round in values.T.tolist()]


def contributions_over_rounds(bands: Mapping[str, Bands]) -> Figure:
    """Draw contributions over rounds, a row for head and tails, a column a tail endowment, a line a mechanism.

    Bands are cut off at 0 and 1; of a single group they have no width.

    Args:
        bands: by mechanism, as :func:`contribution_bands` returns them; a condition may be missing in some.
    """
    tails = sorted({tail for each in bands.values() for tail in each})
    colour = named_colours(bands)
    figure = new_figure(1.2 + 2.3 * len(tails), 5.4)
    axes = figure.subplots(2, len(tails), sharex=True, sharey=True, squeeze=False)
    for (row, who), (column, tail) in itertools.product(enumerate(("head", "tail")), enumerate(tails)):
        axis = axes[row, column]
        for name, each in bands.items():
            if tail in each:
                band = each[tail][who]
                low, high = np.clip([found.ends for found in band], 0, 1).T
                rounds = np.arange(1, len(band) + 1)
                axis.plot(rounds, [found.mean for found in band], color=colour[name], linewidth=1.6, label=words(name))
                axis.fill_between(rounds, low, high, color=colour[name], alpha=0.2, linewidth=0)
        axis.grid(alpha=0.3)
        axis.set_ylim(0, 1)
        if row == 0:
            axis.set_title(f"tail endowment {tail}", fontsize=10)
        else:
            axis.set_xlabel("round")
            axis.locator_params(axis="x", integer=True, nbins=6)
    axes[0, 0].set_ylabel("head: contribution\n(fraction of endowment)")
    axes[1, 0].set_ylabel("tails: contribution\n(fraction of endowment)")
    level = confidence(
        found for each in bands.values() for by in each.values() for band in by.values() for found in band
    )
    axes[0, 0].fill_between([], [], [], color="#999999", alpha=0.4, linewidth=0, label=f"{level}, over groups")
    figure.suptitle("Contributions under each mechanism", fontsize=11)
    entries = {label: line for axis in axes.flat for line, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    columns = min(len(entries), 6)
    figure.legend(list(entries.values()), list(entries), loc="outside lower center", ncols=columns, frameon=False)
    return figure


def votes(shares: Mapping[str, Mapping[str, Estimate]], mechanism: str, rival: str) -> Figure:
    """Draw the share of votes against a rival by condition, populations side by side, with their intervals.

    Args:
        shares: by population, then by condition (the endowments), in the order in which they are to be drawn, and
            ``pooled``.
        mechanism: whose votes they are.
        rival: the other one.
    """
    found = dict.fromkeys(condition for each in shares.values() for condition in each)
    conditions = [condition for condition in found if condition != "pooled"]
    places = {condition: float(place) for place, condition in enumerate(conditions)}
    if "pooled" in found:
        places["pooled"] = len(conditions) + 0.5
    figure = new_figure(2.6 + 0.95 * len(places), 4.2)
    axis = figure.subplots()
    offsets = (np.arange(len(shares)) - (len(shares) - 1) / 2) * min(0.2, 0.7 / len(shares))
    for offset, marker, (name, colour) in zip(offsets, itertools.cycle("osD^vP"), named_colours(shares).items()):
        by_condition = shares[name]
        at = np.array([places[condition] for condition in by_condition]) + offset
        share, low, high = 100 * np.array([(found.mean, *found.ends) for found in by_condition.values()]).T
        spread = np.maximum([share - low, high - share], 0)
        axis.errorbar(
            at, share, yerr=spread, fmt=marker, color=colour, capsize=3, markersize=6, linewidth=1.5, label=words(name)
        )
    axis.axhline(50, color="#000000", linestyle="--", linewidth=1, label="tie (50 %)")
    if conditions and "pooled" in found:
        axis.axvline(len(conditions) - 0.25, color="#999999", linewidth=0.8)
    axis.set_xticks(list(places.values()), list(places))
    axis.set_xlim(-0.6, max(places.values()) + 0.6)
    axis.set_xlabel("endowments")
    axis.set_ylabel(f"votes for {words(mechanism)} (%)")
    level = confidence(share for by in shares.values() for share in by.values())
    axis.set_title(f"Votes for {words(mechanism)} against {words(rival)}\n(bars: {level}, whole groups)", fontsize=10)
    axis.grid(alpha=0.3, axis="y")
    legend_beside(axis, fontsize=9)
    return figure


def reward_and_inequality(rewards: Mapping[str, np.ndarray]) -> Figure:
    """Draw total log reward against the Gini coefficient, a small dot a group, a large one each mechanism's mean.

    Args:
        rewards: by mechanism, what each participant earned in the whole game, in points, (G, n).
    """
    figure = new_figure(7.4, 4.8)
    axis = figure.subplots()
    means = []
    for name, colour in named_colours(rewards).items():
        unequal, log_reward = group_scores(rewards[name])
        marker = MARKERS.get(name, "o")
        axis.scatter(unequal, log_reward, s=14, color=colour, alpha=0.35, linewidths=0, marker=marker)
        label = f"{words(name)}\n(mean of {len(unequal)} groups)"
        means.append((unequal.mean(), log_reward.mean(), colour, marker, label))
    for x, y, colour, marker, label in means:  # above every group's dot
        axis.scatter(x, y, s=150, color=colour, marker=marker, edgecolors="black", linewidths=1.3, label=label)
    axis.set_xlabel("inequality: Gini of the group's total rewards (0 = equal)")
    axis.set_ylabel("total log reward of the group\n(sum of log(payoff over the game + 0.001))")
    axis.set_title("Productivity and inequality, a dot a group", fontsize=11)
    axis.grid(alpha=0.3)
    legend_beside(axis, fontsize=9, labelspacing=1.0)
    return figure


# -- matrices -------------------------------------------------------------------------------------------------------


def relative_to_diagonal(losses: np.ndarray) -> np.ndarray:
    """Divide losses of models (rows) on data sets (columns) by that of each data set's own model, (s, s)."""
    losses = np.asarray(losses, float)
    if losses.ndim != 2 or losses.shape[0] != losses.shape[1] or not (np.diagonal(losses) > 0).all():
        raise ParameterError(f"losses have shape {losses.shape}, allowed: (s, s) with a diagonal above 0")
    return np.asarray(losses / np.diagonal(losses)[None, :])


def cross_entropies(losses: Mapping[str, np.ndarray]) -> Figure:
    """Draw the cross-entropy of each iteration's model on each iteration's data, relative to the data's own model.

    Args:
        losses: cross-entropies of the models of iterations 1.. (rows) on their data sets (columns), (s, s), by what is
            predicted, such as ``contributions`` and ``votes``; NaN where not known.
    """
    figure = new_figure(0.8 + 5.2 * len(losses), 4.9)
    axes = figure.subplots(1, len(losses), squeeze=False)[0]
    for axis, (what, matrix) in zip(axes, losses.items(), strict=True):
        ratios = relative_to_diagonal(matrix)
        known = ratios[~np.isnan(ratios)]  # none where nobody has voted
        spread = max(float(np.abs(known - 1).max(initial=0.0)), 1e-3)
        names = [str(i + 1) for i in range(len(ratios))]
        scale = TwoSlopeNorm(1.0, 1 - spread, 1 + spread)
        _heat_map(figure, axis, ratios, names, scale, "{:.2f}", "ratio (1 = the data's own model)")
        axis.set_title(
            f"{words(what)}: cross-entropy of each model\non each data set, relative to the diagonal", fontsize=10
        )
        axis.set_xlabel("data set of iteration")
        axis.set_ylabel("model of iteration")
    return figure


def payoff_matrix(shares: np.ndarray, names: Sequence[str], errors: np.ndarray) -> Figure:
    """Draw the matrix of vote shares of a meta-game, in percent, each above its standard error.

    Args:
        shares: of the votes of mechanisms (rows) against mechanisms (columns), in [0, 1], (s, s).
        names: of the mechanisms, (s,).
        errors: standard errors of the shares, (s, s).
    """
    percent = 100 * np.asarray(shares, float)
    size = 2.4 + 0.62 * len(percent)
    figure = new_figure(size + 1.0, size)
    axis = figure.subplots()
    spread = max(float(np.nanmax(np.abs(percent - 50))), 1.0)
    named = [words(name) for name in names]
    scale = TwoSlopeNorm(50.0, 50 - spread, 50 + spread)
    beneath = [[f"\n±{100 * error:.1f}" if error else "" for error in row] for row in errors]
    _heat_map(figure, axis, percent, named, scale, "{:.1f}", "votes for the row's mechanism (%)", beneath)
    axis.set_title("Votes in the meta-game:\nrow against column (%), ± standard error", fontsize=10)
    axis.set_xlabel("against mechanism")
    axis.set_ylabel("mechanism")
    return figure


def _heat_map(
    figure: Figure,
    axis: Any,
    matrix: np.ndarray,
    names: Sequence[str],
    scale: Normalize,
    number: str,
    label: str,
    beneath: Sequence[Sequence[str]] | None = None,
) -> None:
    """Draw a square matrix as a heat map with its numbers, each above its text of ``beneath``; a dash for NaN."""
    drawn = axis.imshow(matrix, cmap="PuOr_r", norm=scale, aspect="auto")
    for (i, j), value in np.ndenumerate(matrix):
        red, green, blue, _ = drawn.to_rgba(value)
        ink = "black" if np.isnan(value) or 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "white"
        text = "–" if np.isnan(value) else number.format(value) + (beneath[i][j] if beneath else "")
        axis.text(j, i, text, ha="center", va="center", color=ink, size=9)
    long = max(map(len, names)) > 3
    axis.set_xticks(range(len(names)), names, rotation=40 if long else 0, ha="right" if long else "center")
    axis.set_yticks(range(len(names)), names)
    figure.colorbar(drawn, ax=axis, label=label)


# -- beach plots ----------------------------------------------------------------------------------------------------


def beach(mechanism: Policy, game: PublicInvestment, tail: int) -> np.ndarray:
    """Compute the weight that a memoryless mechanism gives the head, (head's endowment + 1, 3 * ``tail`` + 1).

    Rows are the head's contribution, columns the sum of the three tails'; a cell is the mean over all ways in which
    the tails can give that sum, each counted once.
    """
    return head_shares((HEAD_POINTS, tail, tail, tail), weights_of(game, mechanism))


def beach_plots(grids: Mapping[str, Mapping[int, np.ndarray]]) -> Figure:
    """Draw beach plots, a row a mechanism, a column a tail endowment: bright = to the head, dark = to the tails.

    Args:
        grids: by mechanism, then by the tails' endowment, what :func:`beach` returns.
    """
    tails = sorted(next(iter(grids.values())))
    figure = new_figure(max(1.9 + 2.0 * len(tails), 5.4), 0.9 + 1.7 * len(grids))
    axes = figure.subplots(len(grids), len(tails), sharex="col", sharey=True, squeeze=False)
    for row, (name, by_tail) in zip(axes, grids.items(), strict=True):
        for axis, tail in zip(row, tails, strict=True):
            axis.set_xlim(0, 3 * tail)
            axis.set_xticks([0, tail, 2 * tail, 3 * tail])
            axis.tick_params(labelsize=8)
            filled = beach_panel(axis, by_tail[tail])
        row[0].set_ylabel(f"{words(name)}\nhead gives", fontsize=9)
    for axis, tail in zip(axes[0], tails, strict=True):
        axis.set_title(f"tail endowment {tail}", fontsize=10)
    figure.supxlabel("sum of the three tails' contributions (points)", fontsize=10)
    figure.suptitle("Share of the fund to the head, by contributions (points)", fontsize=11)
    figure.colorbar(filled, ax=axes, label="share of the fund to the head", aspect=12 * len(grids), pad=0.02)
    return figure
