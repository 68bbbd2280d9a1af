"""The words of selfish routing for people: places, ways and what they cost."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np

from lawgiver.envs.core.fields import component_names
from lawgiver.envs.core.wording import PAYOFFS, Question, Wording

if TYPE_CHECKING:
    from lawgiver.envs.selfish_routing.game import SelfishRouting

LONGEST_LIST = 12
"""Roads up to which the story tells what each of them costs."""


def wording(game: SelfishRouting) -> Wording:
    """Write the words in English."""
    pairs = [f"from {origin} to {destination}" for origin, destination, _ in game.roads.demands]
    ways = tuple(" or ".join(filter(None, names)) for names in zip_longest(*game.roads.route_names))
    several = len(pairs) > 1
    every = f"some of you {' and some '.join(pairs)}" if several else f"all of you {pairs[0]}"
    return Wording(
        title="Ways through a network",
        story=(
            f"You are {game.n} people who travel at the same time, {every}, and each of you chooses a way. A way is"
            " named by the places that it passes, one after the other.",
            "Every road of a way costs points. The more of you take a road, the more it may cost each of them."
            + _costs(game),
            "Some roads have a charge on top, which is told to you before you choose: whoever takes such a road pays"
            " it.",
            "What you earn is less than 0: all that the roads of your way cost, and the charges on them. The less you"
            " pay, the better.",
        ),
        act="Which way do you take?",
        unit="points",
        choices=ways,
        labels={
            **(_labels(game, "group", "your trip", [f"you travel {pair}" for pair in pairs]) if several else {}),
            **_labels(game, "rule_tolls", "charges", [f"charge on {edge}" for edge in game.tolled_edges]),
            PAYOFFS: "earned",
        },
        quiz=(
            Question(
                "More people take a road than you expected. Can it cost you less for that reason?",
                ("Yes.", "No."),
                1,
                "The more of you take a road, the more it costs each of them, or just as much.",
            ),
            Question(
                "Who pays the charge on a road?",
                ("Everybody.", "Whoever takes it.", "Nobody."),
                1,
                "Whoever takes a road pays the charge on it.",
            ),
        ),
    )


def _costs(game: SelfishRouting) -> str:
    """List the costs of each road where one person takes it, and where all do; nothing of a large network."""
    roads = game.roads
    if len(roads.edges) > LONGEST_LIST:
        return ""
    one, every = (roads.costs.cost(np.full(len(roads.edges), roads.total * share)) for share in (1 / game.n, 1.0))
    told = [
        f" {name}: {alone:.3g}."
        if alone == together
        else f" {name}: {alone:.3g} for one person alone, {together:.3g} if all {game.n} of you take it."
        for name, alone, together in zip(roads.edge_names, one.tolist(), every.tolist(), strict=True)
    ]
    return "".join(told)


def _labels(game: SelfishRouting, name: str, together: str, labels: list[str]) -> dict[str, str]:
    """Label a field of the observation and its numbers one by one."""
    (field,) = (field for field in game.observation_layout("participant") if field.name == name)
    return {name: together, **dict(zip(component_names((field,)), labels, strict=True))}
