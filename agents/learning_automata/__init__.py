"""Learning automata: people of another kind than the simulated ones, one population a game."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lawgiver.agents.learning_automata.commons_trust import CommonsAutomata
from lawgiver.agents.learning_automata.public_investment import LearningAutomata
from lawgiver.agents.population import PopulationClass, checked_traits, population_for
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Policy

POPULATIONS: Mapping[str, PopulationClass] = {
    "commons_trust-v0": CommonsAutomata,
    "public_investment-v0": LearningAutomata,
}
"""Who plays which game."""


def learning_automata(game: Game[Any], **traits: float) -> Policy:
    """Return the population of learning automata; of public_investment, with ``participant_observation="paper"``.

    Args:
        game: the game.
        traits: those of the game's automata by name; each has a default.

    Raises:
        ParameterError: if a trait is unknown or outside its range.
        UnsupportedGameError: if there are none for this game, or participants do not see what they go by.
    """
    automata = population_for(game, "learning_automata", POPULATIONS)
    return automata(game, checked_traits("learning_automata", automata, traits))
