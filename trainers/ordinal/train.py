"""The trainer ``ordinal``: a network that chooses by rankings, between welfare and the regret of telling the truth.

Regret is that of first-order stochastic dominance: what the worst of all utility functions with a voter's ranking gains
by the best of all ballots. A rule without regret is truthful for every utility function. Where all profiles can be
listed nothing is left to chance, neither in training nor in what is reported, and the frontier is known exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lawgiver.agents.ordinal_net import LearnedOrdinal, ranked_choice
from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.families.choice_game import ChoiceGame
from lawgiver.trainers.ordinal.evaluation import judge, listable
from lawgiver.trainers.ordinal.learner import Learner
from lawgiver.trainers.ordinal.profiles import Listed, Profiles, Sampled
from lawgiver.trainers.ordinal.settings import OrdinalConfig
from lawgiver.trainers.runs import loop
from lawgiver.trainers.runs.training_run import TrainingRun
from lawgiver.trainers.statistics.streams import torch_seeded

LARGEST_M = 6
"""Alternatives up to which all ballots are tried."""


def train(config: OrdinalConfig, run: TrainingRun) -> dict[str, Any]:
    """Train a voting rule in the run's folder; return its measures beside those of known rules.

    Returns:
        what :func:`lawgiver.trainers.ordinal.evaluation.judge` does.

    Raises:
        UnsupportedGameError: if the game is none that chooses by rankings, or has another objective than welfare, too
            many alternatives, or profiles that cannot be listed as asked for.
        ParameterError: if there are too many profiles to list, with another number of voters of the evaluation too.
        RunError: if the loss is not finite; the last checkpoint is then the last good state.
    """
    settings = config.trainer
    game = ranked_choice(config.game.make(), "trainer 'ordinal'")
    if game.objective != "welfare":
        raise UnsupportedGameError(f"trainer 'ordinal' maximises welfare, not game.objective={game.objective!r}")
    if game.m > LARGEST_M:
        raise UnsupportedGameError(
            f"trainer 'ordinal' tries all m! ballots: game.m is {game.m}, allowed: {LARGEST_M} at most"
        )
    for n in settings.evaluation.voters:  # refused now, before a training that would be in vain
        other: ChoiceGame = replace(game, n=n)
        if settings.profiles == "all":
            listable(other)
    device = config.resources.torch_device()
    with torch_seeded(config.seed):
        mechanism = LearnedOrdinal(game, **config.agents.mechanism.model_dump())
    network = mechanism.network.to(device)
    profiles: Profiles = (
        Listed.of(listable(game), device)
        if settings.profiles == "all"
        else Sampled(game, settings.batch, settings.deviators, config.seed, device)
    )
    loop.train(
        run,
        loop.Averaged(Learner(network, profiles, settings), described),
        updates=settings.updates,
        log_every=settings.log_every,
        checkpoint_every=settings.checkpoint_every,
    )
    network.cpu()
    run.save_policy("mechanism", mechanism)
    trained = run.wall_s
    return {
        **judge(game, mechanism, settings, [config.seed]),
        "updates": settings.updates,
        "timing": {"training_s": trained, "evaluation_s": run.wall_s - trained},
    }


def described(means: Mapping[str, float]) -> loop.Report:
    """Describe the updates since the last line of metrics by their means."""
    return loop.Report(means, f"welfare {means['welfare']:.5f}, regret {means['regret']:.5f}")
