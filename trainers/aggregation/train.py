"""The trainer ``aggregation``: a network that makes a policy of reports, between welfare and what misreports bring.

Where nobody may be charged, it pays all annotators to exaggerate under the policy that is best for the truth. The
network gives up some of its welfare for truthfulness. Misreports are searched at each update by a short ascent, which
underestimates their gains, or all tried where they are finitely many. Reported gains are those of an audit on fresh
profiles.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from lawgiver.agents.aggregation_net import LearnedAggregation
from lawgiver.agents.reporting import named_rule
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError
from lawgiver.envs.core.game import Game
from lawgiver.envs.preference_aggregation.game import PreferenceAggregation
from lawgiver.trainers.aggregation.evaluation import judge, values
from lawgiver.trainers.aggregation.learner import Learner
from lawgiver.trainers.aggregation.settings import AggregationConfig
from lawgiver.trainers.runs import loop
from lawgiver.trainers.runs.training_run import TrainingRun
from lawgiver.trainers.settings.base import keyed
from lawgiver.trainers.statistics.streams import torch_generator, torch_seeded

PROBE = 500
"""Profiles on which the objective is computed for each line of metrics, always the same ones."""
FRESH = 10
"""Stream of random numbers, beside those of the learner."""


def train(config: AggregationConfig, run: TrainingRun) -> dict[str, Any]:
    """Train a network in the run's folder; return its measures on fresh profiles.

    Returns:
        what :func:`lawgiver.trainers.aggregation.evaluation.judge` does.

    Raises:
        UnsupportedGameError: if the game is not preference_aggregation in allocate mode without payments, or what is
            reported is answered or ranked so that misreports cannot be searched, or it lacks a rule to stand beside.
        ParameterError: if there are fewer stored profiles than a batch has.
        RunError: if the loss is not finite; the last checkpoint is then the last good state.
    """
    game, settings = aggregating(config.game.make()), config.trainer
    if settings.samples < settings.batch:
        raise ParameterError(
            f"trainer.samples is {settings.samples}, allowed: at least trainer.batch, {settings.batch}"
        )
    for name in settings.evaluation.rules:
        named_rule(game, name)  # an unknown one is not to end a training
    device = config.resources.torch_device()
    with torch_seeded(config.seed), keyed("agents.mechanism", config.agents.mechanism) as network:
        mechanism = LearnedAggregation(game, **network)
    learner = Learner(game, mechanism.network.to(device), settings, config.seed, device)
    probe = game.initial_state(PROBE, torch_generator("cpu", config.seed, FRESH)).types.double().numpy()
    loop.train(
        run,
        loop.Averaged(learner, partial(described, learner, mechanism, probe)),
        updates=settings.updates,
        log_every=settings.log_every,
        checkpoint_every=settings.checkpoint_every,
    )
    mechanism.network.eval().cpu()
    run.save_policy("mechanism", mechanism)
    trained = run.wall_s
    return {
        **judge(game, mechanism, settings.evaluation, [config.seed]),
        "updates": settings.updates,
        "timing": {"training_s": trained, "evaluation_s": run.wall_s - trained},
    }


def aggregating(game: Game[Any]) -> PreferenceAggregation:
    """Return the game as one that a network can learn to aggregate without payments; see :func:`train`."""
    what = "trainer 'aggregation' needs preference_aggregation with mechanism_mode='allocate' and payments=False"
    if not isinstance(game, PreferenceAggregation):
        raise UnsupportedGameError(f"{what}, not {game.name}")
    if game.announces:
        raise UnsupportedGameError(f"{what}: mechanism_mode is {game.mechanism_mode!r}")
    if game.payments:
        raise UnsupportedGameError(f"{what}: payments is {game.payments}")
    if game.comparisons is not None:
        raise UnsupportedGameError(f"{what}, and answers that are not drawn: comparisons is {game.comparisons}")
    if game.feedback == "ranking" and game.menu() is None:
        raise UnsupportedGameError(f"{what}, and rankings that can all be tried: {game.menu_absence}")
    return game


def described(
    learner: Learner, mechanism: LearnedAggregation, probe: np.ndarray, means: Mapping[str, float]
) -> loop.Report:
    """Describe a training by what it gives up on profiles ``probe`` (P, n, K), and by the means of updates."""
    learner.network.cpu()
    best = values(learner.game, named_rule(learner.game, "mean"), probe)
    given_up = float((best - values(learner.game, mechanism, probe)).mean())
    learner.network.to(learner.device)
    note = f"{learner.game.objective} given up {given_up:.4f}, gain {means['gain']:.5f}"
    return loop.Report({"given_up": given_up, **means}, note)
