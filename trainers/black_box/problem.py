"""Objective of a black-box search: the payoff of a mechanism before others who are given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.make import make_policy
from lawgiver.envs.core.policy import Policy
from lawgiver.trainers.evaluation.rollout import earnings
from lawgiver.trainers.settings.base import AnyConfig

MECHANISM = "mechanism"


def opponents(config: AnyConfig, game: Game[Any]) -> dict[str, Policy]:
    """Make the policies of everybody but the mechanism.

    Raises:
        UnsupportedGameError: if the mechanism is given, there is none or more than one, or the participants are not
            given.
    """
    name, agents = config.trainer.name, config.agents
    if agents.mechanism.given is not None or MECHANISM not in game.roles:
        raise UnsupportedGameError(f"trainer {name!r} searches for a mechanism; here participants learn")
    if game.roles[MECHANISM] > 1:
        raise UnsupportedGameError(f"trainer {name!r} needs others who are given; in {game.name} all who play it learn")
    if agents.participants.given is None:
        raise UnsupportedGameError(f"trainer {name!r} needs participants who are given; here they learn, too")
    return {"participant": make_policy(game, "participant", **agents.participants.given.model_dump())}


def payoff(game: Game[Any], policies: Mapping[str, Policy], games: int, seed: list[int]) -> float:
    """Play games; return what the mechanism earns in one, on average."""
    return float(earnings(game, policies, MECHANISM, games, np.random.default_rng(seed)).mean())
