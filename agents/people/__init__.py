"""Simulated people, who play like the humans of an experiment: one population for each game that has such data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from lawgiver.agents.people.commons_trust import CommonsPeople
from lawgiver.agents.people.public_investment import SimulatedPeople
from lawgiver.agents.population import PopulationClass, checked_traits, population_for
from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Policy

POPULATIONS: Mapping[str, PopulationClass] = {
    "commons_trust-v0": CommonsPeople,
    "public_investment-v0": SimulatedPeople,
}
"""Who plays which game."""
FITTED: Mapping[str, str] = {
    "commons_trust-v0": "commons_people.json",
    "public_investment-v0": "people.json",
}
"""Which file in agents/data has the traits that were fitted to the humans of a game."""


@cache
def fitted_traits(game: str) -> Mapping[str, float]:
    """Load the traits that were fitted to the humans of a game, by its name, from agents/data."""
    text = (files("lawgiver.agents") / "data" / FITTED[game]).read_text()
    traits: dict[str, float] = json.loads(text)["traits"]
    return traits


def simulated_people(game: Game[Any], **traits: float) -> Policy:
    """Return the population of simulated people; traits that are not given are the fitted ones.

    They are drawn anew, each with an own character, for every group. Of public_investment they need
    ``participant_observation="paper"``.

    Raises:
        ParameterError: if a trait is unknown or outside its range.
        UnsupportedGameError: if there are none for this game, or participants do not see what they go by.
    """
    people = population_for(game, "simulated_people", POPULATIONS)
    return people(game, checked_traits("simulated_people", people, {**fitted_traits(game.name), **traits}))


def population_hash(*members: Any) -> str:
    """Return a sha256 (hex) over the settings of a population: its participants, its voters.

    Args:
        members: policies and voters, in an order of your own; each with ``settings``, plain data that hold everything
            it was made with, fitted numbers included.

    Raises:
        ParameterError: if one has no settings, so that nothing could be said about it.
    """
    for member in members:
        if not isinstance(getattr(member, "settings", None), Mapping):
            raise ParameterError(f"{type(member).__name__} has no settings to hash, allowed: a mapping of plain data")
    text = json.dumps([dict(member.settings) for member in members], sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
