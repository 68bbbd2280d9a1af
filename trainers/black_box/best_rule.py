"""The trainer ``exact_search``: the best announced rule in the exact equilibrium of participants who learn."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import differential_evolution

from lawgiver.agents.anchor import make_anchor
from lawgiver.agents.network_policies import LearnedMechanism
from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.core.fields import bounds, width
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.families.mechanism_game import MechanismGame
from lawgiver.envs.solvers.equilibrium.subgame_equilibrium import best_in_box
from lawgiver.trainers.black_box.settings import ExactConfig
from lawgiver.trainers.evaluation.score_table import exact_objective
from lawgiver.trainers.runs.training_run import TrainingRun
from lawgiver.trainers.settings.base import anchor_of

LARGEST = 8
"""Announced numbers up to which the box is searched."""


def train(config: ExactConfig, run: TrainingRun) -> dict[str, Any]:
    """Search, save the best rule, and return it with its score.

    Raises:
        UnsupportedGameError: if the game has no exact equilibrium, or no rule of few numbers that is announced.
    """
    game, people = config.game.make(), config.agents.participants
    if people.inverse_temperature is None or config.agents.mechanism.given is not None:
        raise UnsupportedGameError("trainer 'exact_search' needs a mechanism and participants who both learn")
    anchor = make_anchor(game, anchor_of(people))
    layout = game.action_layout("mechanism")
    if isinstance(layout, int) or width(layout) > LARGEST:
        raise UnsupportedGameError(f"trainer 'exact_search' needs a Box of at most {LARGEST} numbers in {game.name}")
    if isinstance(game, MechanismGame):
        found = best_in_box(game, people.inverse_temperature, anchor)
        best, score = found.parameters, found.value
    else:
        best, score = _searched(game, bounds(layout), people.inverse_temperature, anchor, config.seed)
    run.save_policy("mechanism", LearnedMechanism(game, start=np.asarray(best).tolist(), hidden=None))
    return {"rule": dict(zip(game.rule_names, np.asarray(best).tolist(), strict=True)), "score": score}


def _searched(
    game: Game[Any], box: tuple[np.ndarray, np.ndarray], inverse_temperature: float, anchor: Policy | None, seed: int
) -> tuple[np.ndarray, float]:
    low, high = box

    def loss(rule: np.ndarray) -> float:
        policy = LearnedMechanism(game, start=np.clip(rule, low, high).tolist(), hidden=None)
        return -exact_objective(game, policy, inverse_temperature=inverse_temperature, anchor=anchor)

    found = differential_evolution(loss, list(zip(low, high, strict=True)), seed=seed, maxiter=12, popsize=8, tol=1e-8)
    return np.asarray(found.x), -float(found.fun)
