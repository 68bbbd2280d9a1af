"""Rollouts of given policies: the mean of each measure a round, and what agents earn in a game."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lawgiver.envs.core.checks import check_game, check_policy
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.core.rollout import rollout
from lawgiver.trainers.statistics.estimate import Estimate


def simulate(
    game: Game[Any], policies: Mapping[str, Policy], games: int, rng: np.random.Generator
) -> dict[str, Estimate]:
    """Estimate the means over the rounds of ``games`` games, which are independent.

    Args:
        game: the rules; its states count completed rounds in ``state.round`` (B,).
        policies: who plays, for every role.
        games: number of games, played in parallel.
        rng: generator of policies and rules.

    Returns:
        of each of the game's measures (:meth:`Game.measures`), a round.
    """
    check_game(game)
    for role in game.roles:
        check_policy(game, role, policies.get(role))
    measured = game.measures()
    rounds = np.zeros(games)
    sums: dict[str, np.ndarray] = {}
    for step in rollout(game, policies, game.initial_state(games, rng), rng):
        counted = (step.after.round > step.state.round) & step.alive
        if counted.any():
            rounds += counted
            for name, measure in measured.items():
                sums[name] = sums.get(name, 0.0) + np.where(counted, measure(step.after), 0.0)
    return {name: _a_round(total, rounds) for name, total in sums.items()}


def earnings(
    game: Game[Any], policies: Mapping[str, Policy], role: str, games: int, rng: np.random.Generator
) -> np.ndarray:
    """Play games; return the rewards of each agent of a role in each game, (games, n_role).

    Args:
        game: the rules.
        policies: who plays, for every role.
        role: whose rewards.
        games: number of games, played in parallel.
        rng: generator of policies and rules.
    """
    total = np.zeros((games, game.roles[role]))
    for step in rollout(game, policies, game.initial_state(games, rng), rng):
        total += np.where(np.asarray(step.alive)[:, None], step.rewards[role], 0.0)
    return total


def _a_round(total: np.ndarray, rounds: np.ndarray) -> Estimate:
    """Estimate the mean a round of sums over games of different lengths, a ratio; its error is that of residuals."""
    mean = float(total.sum() / rounds.sum())
    residual = total - mean * rounds
    error = float(np.sqrt(np.mean(residual**2) / len(total)) / rounds.mean())
    return Estimate.normal(mean, error, len(total))
