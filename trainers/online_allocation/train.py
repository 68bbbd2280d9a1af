"""The trainer ``online_allocation``: a network that assigns items, and chooses whom to ask about their values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lawgiver.agents.allocator_net import LearnedAllocator
from lawgiver.trainers.online_allocation.evaluation import judged
from lawgiver.trainers.online_allocation.game import asking_one
from lawgiver.trainers.online_allocation.learner import Learner
from lawgiver.trainers.online_allocation.settings import OnlineAllocationConfig
from lawgiver.trainers.runs import loop
from lawgiver.trainers.runs.training_run import TrainingRun
from lawgiver.trainers.settings.base import keyed
from lawgiver.trainers.statistics.streams import torch_generator, torch_seeded


def train(config: OnlineAllocationConfig, run: TrainingRun) -> dict[str, Any]:
    """Train an allocator in the run's folder; return what :func:`~.evaluation.judged` does on fresh games.

    Raises:
        UnsupportedGameError: if the game is not online_allocation with one question a round and no payments, or its
            criterion is ``stability``.
        RunError: if a gradient is not finite; the last checkpoint is then the last good state.
    """
    game, settings = asking_one(config.game.make(), config.trainer.name), config.trainer
    device = config.resources.torch_device()
    with torch_seeded(config.seed), keyed("agents.mechanism", config.agents.mechanism) as network:
        mechanism = LearnedAllocator(game, **network)
    mechanism.network.to(device)
    loop.train(
        run,
        loop.Averaged(Learner(mechanism, settings, torch_generator(device, config.seed)), described),
        updates=settings.updates,
        log_every=settings.log_every,
        checkpoint_every=settings.checkpoint_every,
    )
    mechanism.network.to("cpu")
    run.save_policy("mechanism", mechanism)
    trained = run.wall_s
    return {
        **judged(game, mechanism, settings.evaluation, [config.seed]),
        "updates": settings.updates,
        "timing": {"training_s": trained, "evaluation_s": run.wall_s - trained},
    }


def described(means: Mapping[str, float]) -> loop.Report:
    """Make a line of metrics of means over updates."""
    return loop.Report(dict(means), f"regret {means['regret']:.2f}")
