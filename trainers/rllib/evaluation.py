"""Evaluation of RLlib's runs: of a planner as the trainer ``commons`` does, of all others in games."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lawgiver.envs.core.make import make_policy
from lawgiver.envs.core.policy import Policy
from lawgiver.trainers.commons.evaluation import judged
from lawgiver.trainers.commons.settings import CommonsAgents, Evaluation
from lawgiver.trainers.evaluation import in_games
from lawgiver.trainers.online_allocation import evaluation as online
from lawgiver.trainers.online_allocation.settings import Evaluation as OnlineEvaluation
from lawgiver.trainers.rllib.settings import RLlibConfig
from lawgiver.trainers.runs.config import checked
from lawgiver.trainers.runs.loading import load
from lawgiver.trainers.runs.run import Run


def evaluate_run(run: Run, games: int, seed: Sequence[int]) -> dict[str, Any]:
    """Judge planners anew by :func:`judged_planner`, allocators likewise, and any other run by its games."""
    config = checked(RLlibConfig, run.settings)
    network = config.agents.mechanism.network
    if network == "gaussian" or config.agents.mechanism.given is not None:
        return in_games.evaluate_run(run, games, seed)
    if network == "allocator":
        return judged_allocator(run.game(), load(run.path, role="mechanism", game=run.game()), seed, games)
    game, given = run.game(), config.agents.participants.given
    policies = load(run.path, game=game)
    people = policies["participant"] if given is None else make_policy(game, "participant", given.model_dump())
    return judged_planner(game, policies["mechanism"], people, seed, games)


def judged_planner(
    game: Any, planner: Policy, people: Policy, seed: Sequence[int], games: int = Evaluation().games
) -> dict[str, Any]:
    """Compare a planner with rules of thumb and its distillate, before the voters of the trainer ``commons``.

    See :func:`lawgiver.trainers.commons.evaluation.judged`.
    """
    voters = CommonsAgents().voters.model_dump()
    return judged(game, planner, people, voters, Evaluation(games=games), seed)


def judged_allocator(
    game: Any, allocator: Any, seed: Sequence[int], games: int = OnlineEvaluation().games
) -> dict[str, Any]:
    """Compare an allocator with mechanisms by name among agents who tell the truth.

    See :func:`lawgiver.trainers.online_allocation.evaluation.judged`.
    """
    return online.judged(game, allocator, OnlineEvaluation(games=games), seed)
