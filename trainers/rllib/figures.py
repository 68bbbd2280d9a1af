"""Figures of runs of RLlib: participants and mechanism side by side, and both beside the exact equilibrium."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from lawgiver.agents.anchor import make_anchor
from lawgiver.envs.core.errors import NoSolution
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.families.mechanism_game import MechanismGame
from lawgiver.trainers.mechanism_design import figures as design
from lawgiver.trainers.plots.public_investment import contributions, shares_of
from lawgiver.trainers.plots.run_figures import Panels, played_policies, standing_of, with_scores
from lawgiver.trainers.plots.style import free_colours, legend_beside, new_figure
from lawgiver.trainers.rllib.closed_form import beside_closed_form
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.statistics.estimate import is_number
from lawgiver.trainers.tables.wording import words

# isort: split
from matplotlib.figure import Figure


def figures_of(run: Run, summary: Mapping[str, Any]) -> Iterator[tuple[str, Figure]]:
    """Draw a run: curves, scores, misreports, shares and contributions, as far as the game has them."""
    game = run.game()
    if isinstance(game, MechanismGame) and not isinstance(game.tables(), NoSolution):
        yield from design.figures_of(run, summary)
        return
    yield from with_scores(run, summary, _panels(game))
    if isinstance(summary.get("menu"), Mapping):
        yield "misreports.png", menu(summary["menu"], "What participants report under the learned rule")
    yield from standing_of(run, summary)
    policies = played_policies(run)
    yield from shares_of(game, policies)
    if {"mechanism", "participant"} <= policies.keys():
        yield from _contributions(run, game, policies["mechanism"], policies["participant"])


def _panels(game: Game[Any]) -> Panels:
    did = [
        (
            "Participants: mean action",
            "action",
            [f"participant/action/participant_{i}" for i in range(game.roles["participant"])],
        )
    ]
    return [
        *(did if game.ordinal_actions else []),
        ("Participants: divergence from the anchor", "KL (nats)", ["participant/anchor_kl"]),
        ("Participants: distance from the logit reply to current play", "share of the largest action", ["reply_gap"]),
    ]


def _contributions(run: Run, game: Game[Any], mechanism: Policy, participants: Policy) -> Iterator[tuple[str, Figure]]:
    """Draw the trained participants beside the equilibrium under the mechanism, condition by condition."""
    given = run.settings["agents"].get("participants")
    if not isinstance(given, Mapping) or not is_number(given.get("inverse_temperature")):
        return  # there is no equilibrium to compare with
    anchor, inverse_temperature = make_anchor(game, given.get("anchor", "uniform")), float(given["inverse_temperature"])
    for found in beside_closed_form(game, mechanism, participants, inverse_temperature, anchor):
        name = f"contributions_{'-'.join(map(str, found.endowments))}.png"
        yield name, contributions(found.endowments, found.learned, found.exact)


def menu(found: Mapping[str, Mapping[str, float]], title: str) -> Figure:
    """Draw the probability of each choice of a menu, a bar for each kind of participant.

    Args:
        found: probability of each choice, by kind of participant and by choice.
        title: of the figure.
    """
    choices = list(next(iter(found.values())))
    figure = new_figure(8.0, 1.2 + 0.34 * len(choices))
    axis, height = figure.subplots(), 0.8 / len(found)
    for place, (colour, (who, by)) in enumerate(zip(free_colours(()), found.items(), strict=False)):
        places = np.arange(len(choices)) + (place - (len(found) - 1) / 2) * height
        axis.barh(places, [by[choice] for choice in choices], height, color=colour, label=words(who))
    axis.set_yticks(range(len(choices)), choices)
    axis.invert_yaxis()
    axis.set_xlabel("probability")
    axis.set_title(title, fontsize=10, loc="left")
    axis.grid(alpha=0.3, axis="x")
    legend_beside(axis)
    return figure
