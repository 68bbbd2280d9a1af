"""The trainer ``ordinal``: a network that decides by rankings, between its objective and the regret of the truth.

It chooses an alternative by votes, for welfare, or matches two sides by their lists, for stability. Regret is that of
first-order stochastic dominance: what the worst of all utility functions with a participant's ranking gains by the best
of all reports. A rule without regret is truthful for every utility function. Where all profiles can be listed nothing
is left to chance, neither in training nor in what is reported, and the frontier of voting rules is known exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from lawgiver.trainers.ordinal.learner import Learner
from lawgiver.trainers.ordinal.settings import OrdinalConfig
from lawgiver.trainers.ordinal.subjects import subject_of
from lawgiver.trainers.runs import loop
from lawgiver.trainers.runs.training_run import TrainingRun
from lawgiver.trainers.settings.base import keyed
from lawgiver.trainers.statistics.streams import torch_seeded


def train(config: OrdinalConfig, run: TrainingRun) -> dict[str, Any]:
    """Train a rule in the run's folder; return its measures beside those of known rules.

    Returns:
        what :func:`lawgiver.trainers.ordinal.voting.judge` or :func:`lawgiver.trainers.ordinal.matching.judge` does.

    Raises:
        UnsupportedGameError: if the game neither chooses by rankings nor matches two sides, or has another objective,
            too many reports, or profiles that cannot be listed as asked for.
        ParameterError: if there are too many profiles to list, or a setting is for the other kind of game.
        RunError: if the loss is not finite; the last checkpoint is then the last good state.
    """
    settings, made = config.trainer, config.game.make()
    subject = subject_of(made)
    game = subject.checked(made, settings)
    device = config.resources.torch_device()
    with torch_seeded(config.seed), keyed("agents.mechanism", config.agents.mechanism) as given:
        mechanism = subject.mechanism(game, **given)
    network = mechanism.network.to(device)
    profiles = subject.profiles(game, settings, config.seed, device)
    learner = Learner(network, profiles, settings, subject.measure, subject.optimiser)
    loop.train(
        run,
        loop.Averaged(learner, partial(described, subject.measure)),
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


def judge(game: Any, mechanism: Any, *how: Any) -> Mapping[str, Any]:
    """Measure a learned rule by what it is; see :class:`lawgiver.trainers.ordinal.subjects.Subject`."""
    return subject_of(game).judge(game, mechanism, *how)


def described(measure: str, means: Mapping[str, float]) -> loop.Report:
    """Describe the updates since the last line of metrics by their means."""
    return loop.Report(means, f"{measure} {means[measure]:.5f}, regret {means['regret']:.5f}")
