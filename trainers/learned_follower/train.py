"""The trainer ``learned_follower``: value learning of walks that maximise affine welfare."""

from __future__ import annotations

import math
from typing import Any

import torch

from lawgiver.agents.follower import LearnedFollower
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError
from lawgiver.envs.goal_collection.game import GoalCollection
from lawgiver.envs.goal_collection.solutions import MOST
from lawgiver.trainers.learned_follower.evaluation import evaluate
from lawgiver.trainers.learned_follower.learning import Learner
from lawgiver.trainers.learned_follower.settings import Evaluation, FollowerConfig
from lawgiver.trainers.runs import loop
from lawgiver.trainers.runs.compatibility import require_own_objective
from lawgiver.trainers.runs.training_run import TrainingRun
from lawgiver.trainers.settings.base import keyed
from lawgiver.trainers.statistics.streams import torch_seeded

LATE = 1e-3
"""Largest discount at the horizon: best walks are computed for an infinite one."""


def train(config: FollowerConfig, run: TrainingRun) -> dict[str, Any]:
    """Train a follower in the run's folder; return the measures of :func:`evaluate`.

    Raises:
        UnsupportedGameError: if the game is not goal_collection, or has a single participant.
        ParameterError: if more is to be solved or audited than is possible, the horizon is too short, or there is
            no such device.
        RunError: if the loss is not finite; the last checkpoint is then the last good state.
    """
    game, settings = config.game.make(), config.trainer
    if not isinstance(game, GoalCollection) or game.n < 2:
        raise UnsupportedGameError(
            f"trainer 'learned_follower' needs goal_collection with 2 participants or more, not {game.name}"
            f"{' with one' if isinstance(game, GoalCollection) else ''}"
        )
    require_own_objective(game, "learned_follower")
    _check(settings.evaluation, game)
    device = config.resources.torch_device()
    with torch_seeded(config.seed), keyed("agents.mechanism", config.agents.mechanism) as network:
        follower = LearnedFollower(game, **network)
    follower.network.to(device)
    learner = Learner(game, follower, settings, torch.Generator().manual_seed(config.seed))
    loop.train(
        run,
        learner,
        updates=settings.updates,
        log_every=settings.log_every,
        checkpoint_every=settings.checkpoint_every,
    )
    follower.network.cpu()
    run.save_policy("mechanism", follower)
    trained = run.wall_s
    measures = evaluate(game, follower, settings.evaluation, [config.seed])
    timing = {"training_s": trained, **measures.pop("timing")}
    return {**measures, "updates": settings.updates, "timing": timing}


def _check(settings: Evaluation, game: GoalCollection) -> None:
    """Check before the training that its result can be evaluated."""
    left = game.discount**game.horizon
    if left > LATE:
        enough = math.ceil(math.log(LATE) / math.log(game.discount))
        raise ParameterError(
            f"game.horizon is {game.horizon} with game.discount {game.discount:g}: follower and best walks are without"
            f" end, and a reward after the last move would still be worth {left:.2g} of one at once, allowed: no more"
            f" than {LATE:g}, here a horizon of {enough} or more"
        )
    if settings.exact and game.n > MOST:
        raise ParameterError(
            f"trainer.evaluation.exact is {settings.exact} with {game.n} participants, allowed: 0 with more than {MOST}"
        )
    for name, count in (("exact", settings.exact), ("audited", settings.audited)):
        if count > settings.profiles or (name == "audited" and count == 1):
            raise ParameterError(
                f"trainer.evaluation.{name} is {count}, allowed: no more than profiles ({settings.profiles}), and"
                " audited not 1"
            )
