"""The trainer ``commons``: a planner for a common pool, judged among people who return whole points."""

from __future__ import annotations

from typing import Any

from lawgiver.agents.planner import LearnedPlanner, planner
from lawgiver.envs.commons_trust.game import CommonsTrust
from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.trainers.commons.evaluation import judged, people_of, voters_of
from lawgiver.trainers.commons.learner import Learner, Returning, described, on_the_continuum
from lawgiver.trainers.commons.settings import CommonsConfig
from lawgiver.trainers.runs import loop
from lawgiver.trainers.runs.training_run import TrainingRun
from lawgiver.trainers.settings.base import AnyConfig, keyed
from lawgiver.trainers.statistics.streams import torch_generator


def planned_game(config: AnyConfig) -> CommonsTrust:
    """Make the game of a config; raises UnsupportedGameError unless a planner can play it."""
    game = config.game.make()
    if not isinstance(game, CommonsTrust) or game.announces:
        raise UnsupportedGameError(
            f"trainer {config.trainer.name!r} makes planners of commons_trust with mechanism_mode='allocate', not"
            f" {game.name}{' in announce mode' if isinstance(game, CommonsTrust) else ''}"
        )
    if game.n_rounds == 1 or (game.continuation == 0 and game.min_rounds == 1):
        raise UnsupportedGameError(
            f"trainer {config.trainer.name!r} makes planners that answer to returns, allowed: games of two rounds or"
            f" more, not {game.name} with one round"
        )
    if not game.integer_returns:
        raise UnsupportedGameError(
            f"trainer {config.trainer.name!r} judges planners by elections among people who return whole points:"
            " game.integer_returns is False, allowed: True"
        )
    return game


def train(config: CommonsConfig, run: TrainingRun) -> dict[str, Any]:
    """Train a planner in the run's folder; return what :func:`lawgiver.trainers.commons.evaluation.judged` does.

    Raises:
        UnsupportedGameError: if the game is not commons_trust in allocate mode, or its participants are not given by
            the fractions that they return.
        RunError: if welfare or a gradient is not finite; the last checkpoint is then the last good state.
    """
    game, settings = planned_game(config), config.trainer
    people = people_of(config, game)
    if not isinstance(people, Returning):
        raise UnsupportedGameError(
            f"agents.participants are {config.agents.participants.policy!r}, who have no gradient, allowed: people"
            " given by the fractions that they return, such as simulated_people"
        )
    device = config.resources.torch_device()
    with keyed("agents.mechanism", config.agents.mechanism) as network:
        mechanism = planner(game, **network, seed=config.seed)
    assert isinstance(mechanism, LearnedPlanner)
    mechanism.network.to(device)
    learner = Learner(mechanism, on_the_continuum(game), people, settings, torch_generator(device, config.seed))
    loop.train(
        run,
        loop.Averaged(learner, described),
        updates=settings.updates,
        log_every=settings.log_every,
        checkpoint_every=settings.checkpoint_every,
    )
    mechanism.network.to("cpu").requires_grad_(False)
    run.save_policy("mechanism", mechanism)
    trained = run.wall_s
    found = judged(game, mechanism, people, voters_of(config), settings.evaluation, [config.seed])
    return {
        **found,
        "updates": settings.updates,
        "timing": {"training_s": trained, "evaluation_s": run.wall_s - trained},
    }
