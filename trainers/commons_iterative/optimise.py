"""The Optimise step: a planner trained before clones, by the gradient of their welfare."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from lawgiver.agents.clones import Clones
from lawgiver.agents.planner import LearnedPlanner
from lawgiver.envs.commons_trust.game import CommonsTrust
from lawgiver.trainers.commons.learner import Learner
from lawgiver.trainers.commons.settings import Ascent
from lawgiver.trainers.elections.virtual_people.losses import DivergedError
from lawgiver.trainers.statistics.streams import torch_generator


def optimise(
    planner: LearnedPlanner,
    clones: Clones,
    game: CommonsTrust,
    settings: Ascent,
    device: str,
    seed: tuple[int, ...],
    report: Callable[[int, Mapping[str, float]], None],
) -> None:
    """Train a planner in place.

    Args:
        planner: that learns; it is on the CPU again in the end.
        clones: who return fractions.
        game: with returns on the continuum.
        settings: of the ascent.
        device: of torch.
        seed: of all games.
        report: called with the number of each update and what was measured.

    Raises:
        DivergedError: if welfare or a gradient is not finite.
    """
    planner.network.to(device).requires_grad_(True)
    clones.network.to(device)
    learner = Learner(planner, game, clones, settings, torch_generator(device, *seed))
    for number in range(1, settings.updates + 1):
        measured = learner.update(number)
        for name, value in measured.items():
            if not math.isfinite(value):
                raise DivergedError(
                    f"the planner diverged: {name} is {value} in update {number}, with learning_rate"
                    f" {settings.learning_rate}; a lower trainer.optimise.learning_rate may help"
                )
        report(number, measured)
    planner.network.to("cpu").requires_grad_(False)
    clones.network.to("cpu")
