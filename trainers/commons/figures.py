"""Figures of a planner: the pool over rounds, offers by pool and past return, exclusions, and surplus against Gini."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from lawgiver.envs.commons_trust.game import CommonsTrust
from lawgiver.envs.core.arrays import evolve
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.core.rollout import choose
from lawgiver.trainers.calibration.commons_trust import RULES, human_figures
from lawgiver.trainers.commons.evaluation import mechanisms_of_run, people_of, played
from lawgiver.trainers.commons.exclusion import LITTLE, exclusions
from lawgiver.trainers.commons.plays import Plays
from lawgiver.trainers.commons.tables import NAMES
from lawgiver.trainers.plots.curves import curves
from lawgiver.trainers.plots.history import flat
from lawgiver.trainers.plots.style import legend_beside, named_colours, new_figure
from lawgiver.trainers.runs.config import validate
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.statistics.estimate import Estimate

# isort: split
from matplotlib.figure import Figure

GAMES = 300
"""Games under each mechanism that are drawn."""
CELLS = 61
"""Pools and returned fractions on a map of offers."""
OTHERS = 0.7
"""Fraction that the others returned, on a map of offers."""
MAPPED = ("proportional", "interpolating", "learned", "distilled")


def figures_of(run: Run, summary: Mapping[str, Any]) -> Iterator[tuple[str, Figure]]:
    """Draw the figures of a planner's run."""
    figure = curves(
        [
            ("Surplus while learning, returns of any fraction", "points a round", ["surplus"]),
            ("Games whose pool is not empty in the end", "share", ["sustained"]),
            ("Gradient", "norm", ["gradient_norm"]),
        ],
        flat(run),
        {},
    )
    if figure.axes:
        yield "curves.png", figure
    yield from figures_of_planner(run, summary)


def figures_of_planner(run: Run, summary: Mapping[str, Any]) -> Iterator[tuple[str, Figure]]:
    """Draw what a run's planner does, beside its distilled rule and the canonical ones."""
    config = validate(run.settings)
    game: Any = config.game.make()
    mechanisms = mechanisms_of_run(run)
    people, seed = people_of(config, game), [run.settings["seed"]]
    plays = {name: played(game, each, people, GAMES, seed) for name, each in mechanisms.items()}
    yield "pools.png", pools(plays)
    yield "offers.png", offers(game, {name: mechanisms[name] for name in MAPPED})
    yield "exclusions.png", spells(plays)
    yield "surplus_gini.png", surplus_against_gini(summary, humans=game == CommonsTrust(objective=game.objective))


def pools(plays: Mapping[str, Plays]) -> Figure:
    """Draw the pool over rounds under each mechanism: median, mean, and bands of half and of 80 % of the games."""
    figure = new_figure(9.0, 5.6)
    axes = figure.subplots(2, -(-len(plays) // 2), sharex=True, sharey=True, squeeze=False).ravel()
    for axis, (name, each) in zip(axes, plays.items(), strict=False):
        rounds = np.arange(each.pools.shape[1])
        low, lower, middle, upper, high = np.nanquantile(each.pools, (0.1, 0.25, 0.5, 0.75, 0.9), axis=0)
        axis.fill_between(rounds, low, high, color="#0072B2", alpha=0.15, linewidth=0, label="80 % of the games")
        axis.fill_between(rounds, lower, upper, color="#0072B2", alpha=0.3, linewidth=0, label="50 %")
        axis.plot(rounds, middle, color="#0072B2", label="median")
        axis.plot(rounds, np.nanmean(each.pools, axis=0), color="#000000", linestyle="--", linewidth=1, label="mean")
        axis.set_title(NAMES.get(name, name), fontsize=10, loc="left")
        axis.grid(alpha=0.3)
    for axis in axes[len(plays) :]:
        axis.remove()
    figure.supxlabel("round", fontsize=10)
    figure.supylabel("pool, points", fontsize=10)
    legend_beside(axes[len(plays) - 1])
    return figure


def offers(game: CommonsTrust, mechanisms: Mapping[str, Policy]) -> Figure:
    """Map what a participant is offered, in equal shares of the pool, by the pool and by what it returned.

    In the last round all were offered an equal share of as large a pool, and the others returned :data:`OTHERS` of it.
    """
    pool = np.linspace(0.02, 1.0, CELLS) * game.capacity
    fraction = np.linspace(0.0, 1.0, CELLS)
    at = np.stack(np.meshgrid(pool, fraction), -1).reshape(-1, 2)
    before = np.repeat(at[:, :1] / game.n, game.n, axis=1)
    returned = np.concatenate([at[:, 1:], np.full((len(at), game.n - 1), OTHERS)], axis=1)
    state = game.initial_state_from(at[:, 0])
    shown = game.observe(evolve(state, last_offers=before, returns=before * returned), "mechanism")
    rng = np.random.default_rng(0)
    figure = new_figure(3.0 * len(mechanisms) + 1.6, 3.2)
    axes = figure.subplots(1, len(mechanisms), sharex=True, sharey=True, squeeze=False)[0]
    for axis, (name, mechanism) in zip(axes, mechanisms.items(), strict=True):
        _, made, _ = choose(game, mechanism, state, shown, None, mechanism.initial_state(len(at), rng), rng)
        shares = (game.n * made[:, 0] / at[:, 0]).reshape(CELLS, CELLS)
        drawn = axis.imshow(
            shares, origin="lower", extent=(pool[0], pool[-1], 0, 1), vmin=0, vmax=2, aspect="auto", cmap="viridis"
        )
        axis.set_title(NAMES.get(name, name), fontsize=10, loc="left")
        axis.set_xlabel("pool, points")
    axes[0].set_ylabel(f"fraction that it returned\n(the others: {OTHERS:g})")
    figure.colorbar(drawn, ax=axes, label="offer, in equal shares of the pool", extend="max")
    return figure


def spells(plays: Mapping[str, Plays]) -> Figure:
    """Draw who is excluded after what return, and for how long, while the pool holds a point for everybody."""
    found = {name: exclusions(each) for name, each in plays.items()}
    figure = new_figure(10.0, 3.6)
    left, right = figure.subplots(1, 2)
    place, colours = np.arange(len(found)), named_colours(found)
    little, more = ([getattr(each, name) for each in found.values()] for name in ("after_little", "after_more"))
    left.bar(place - 0.2, little, 0.4, color="#D55E00", label=f"less than {LITTLE:g} of an offer")
    left.bar(place + 0.2, more, 0.4, color="#0072B2", label="more")
    left.set_xticks(place, [NAMES.get(name, name) for name in found], rotation=30, ha="right", fontsize=8)
    left.set_ylabel("share excluded in the next round")
    left.set_title("Exclusion by what was returned", fontsize=10, loc="left")
    left.margins(y=0.3)  # room for the legend
    left.legend(frameon=False, fontsize=8)
    for name, each in found.items():
        if np.isfinite(each.lasting[1:]).any():  # somebody is excluded
            right.plot(np.arange(len(each.lasting)), each.lasting, color=colours[name], label=NAMES.get(name, name))
    right.set_xlabel("rounds")
    right.set_ylabel("share of exclusions that last longer")
    right.set_ylim(0, 1.03)
    right.set_title("How long exclusions last", fontsize=10, loc="left")
    right.grid(alpha=0.3)
    legend_beside(right)
    return figure


def surplus_against_gini(summary: Mapping[str, Any], *, humans: bool) -> Figure:
    """Draw surplus against the Gini coefficient of each mechanism with intervals, and the ceiling.

    With ``humans``, those of the experiment are drawn beside the simulated people; their Gini coefficients have no
    intervals.
    """
    known = {name: value for name, value in summary["surplus"].items() if isinstance(value, Estimate)}
    colours = named_colours(known)
    figure = new_figure(7.4, 4.2)
    axis = figure.subplots()
    for name, surplus in known.items():
        gini = summary["gini"][name]
        axis.errorbar(
            gini.mean, surplus.mean, xerr=gini.half, yerr=surplus.half, fmt="o", color=colours[name], capsize=2,
            label=NAMES.get(name, name),
        )  # fmt: skip
    for rule, (surplus, gini, _), (half, *_) in zip(RULES, *human_figures(), strict=True) if humans else ():
        name = rule.removesuffix("_offers")
        axis.errorbar(
            gini, surplus, yerr=half, fmt="s", color=colours[name], fillstyle="none", capsize=4, label=f"{name}, humans"
        )
    ceiling = summary["surplus"].get("ceiling")
    if ceiling is not None:
        axis.axhline(ceiling, color="#000000", linestyle="--", linewidth=1, label=NAMES["ceiling"])
    axis.set_xlabel("Gini coefficient of what participants keep")
    axis.set_ylabel("surplus, points a participant and round")
    axis.set_xlim(left=0)
    axis.set_ylim(bottom=0)
    axis.grid(alpha=0.3)
    legend_beside(axis)
    return figure
