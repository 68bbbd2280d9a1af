"""The objective under the mechanisms that are tried: measured in games, or in expectation."""

from __future__ import annotations

import numpy as np

from lawgiver.agents.tables import TablePolicy
from lawgiver.envs.core.rollout import rollout
from lawgiver.envs.families.mechanism_game import MechanismGame
from lawgiver.trainers.mechanism_design.two_timescale.learning import play


def values_of(
    game: MechanismGame, tried: np.ndarray, logits: np.ndarray, games: int | None, rng: np.random.Generator
) -> np.ndarray:
    """Measure the objective of whole games under each mechanism, (k, games).

    Args:
        game: whose rules apply.
        tried: w of each mechanism, (k, D).
        logits: theta of the participants under each, (k, T, S, A).
        games: number of games under each, all with the same random numbers; None for the expectation, (k, 1).
        rng: draws the seed of the games.
    """
    if games is None:
        return np.asarray(game.subgame.objective(tried, play(logits)))[:, None]
    seed = int(rng.integers(2**63))
    return np.array(
        [
            played(game, parameters, table, games, np.random.default_rng(seed))
            for parameters, table in zip(tried, logits, strict=True)
        ]
    )


def played(
    game: MechanismGame, parameters: np.ndarray, logits: np.ndarray, games: int, rng: np.random.Generator
) -> np.ndarray:
    """Play ``games`` whole games in which w (D,) is announced and a table is played; return its rewards, (games,)."""
    state = game.initial_state(games, rng)
    state, *_ = game.advance(state, np.broadcast_to(parameters, (games, parameters.size)), {})
    earned = np.zeros(games)
    for step in rollout(game, {"participant": TablePolicy(game, logits)}, state, rng):
        earned += step.rewards["mechanism"][:, 0]
    return earned
