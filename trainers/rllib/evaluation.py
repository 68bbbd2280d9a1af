"""Evaluation of RLlib's runs: of a planner as the trainer ``commons`` does, of all others in games."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lawgiver.envs.core.make import make_policy
from lawgiver.envs.core.policy import Policy
from lawgiver.trainers.commons.evaluation import judged
from lawgiver.trainers.commons.settings import CommonsAgents, Evaluation
from lawgiver.trainers.evaluation import in_games
from lawgiver.trainers.rllib.settings import RLlibConfig
from lawgiver.trainers.runs.config import checked
from lawgiver.trainers.runs.loading import load
from lawgiver.trainers.runs.run import Run


def evaluate_run(run: Run, games: int, seed: Sequence[int]) -> dict[str, Any]:
    """Judge a planner anew by :func:`judged_planner`, and any other run by what it does in games."""
    config = checked(RLlibConfig, run.settings)
    if config.agents.mechanism.network != "planner" or config.agents.mechanism.given is not None:
        return in_games.evaluate_run(run, games, seed)
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
