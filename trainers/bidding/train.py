"""The trainer ``bidding``: bid functions that climb their payoffs against each other, judged at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lawgiver.agents.bidders import LearnedBidders, bid_layout
from lawgiver.envs.core.make import make_policy
from lawgiver.trainers.bidding.evaluation import judged
from lawgiver.trainers.bidding.learner import Learner
from lawgiver.trainers.bidding.seats import alike
from lawgiver.trainers.bidding.settings import BiddingConfig
from lawgiver.trainers.evaluation.announcement import announcement
from lawgiver.trainers.runs import loop
from lawgiver.trainers.runs.training_run import TrainingRun
from lawgiver.trainers.statistics.streams import torch_seeded

PROBE = 1
"""Stream of the draws that every line of metrics is judged on."""


def train(config: BiddingConfig, run: TrainingRun) -> dict[str, Any]:
    """Train bidders in the run's folder; return their judgement.

    Returns:
        ``bidders``: by group of seats, what :meth:`lawgiver.trainers.bidding.judge.Judged.data` has.

    Raises:
        UnsupportedGameError: if the game has no bids in a Box, or the method does not apply to it.
        RunError: if a gradient is not finite; the last checkpoint is then the last good state.
    """
    game: Any = config.game.make()
    settings = config.trainer
    bid_layout(game)
    parameters = announcement(game, make_policy(game, "mechanism", **config.agents.mechanism.given.model_dump()))
    device = config.resources.torch_device()
    with torch_seeded(config.seed):
        groups = alike(game, parameters)
        bidders = LearnedBidders(game, groups=groups, **config.agents.participants.model_dump())
    bidders.network.to(device)
    learner = Learner(game, parameters, bidders, settings, config.seed, device)
    learner.check()
    loop.train(
        run,
        Training(learner),
        updates=settings.updates,
        log_every=settings.log_every,
        checkpoint_every=settings.checkpoint_every,
    )
    bidders.network.cpu()
    run.save_policy("participant", bidders)
    trained = run.wall_s
    found = judged(game, parameters, bidders, settings.evaluation.draws, [config.seed])
    return {
        "bidders": found.data(),
        "method": settings.method,
        "updates": settings.updates,
        "timing": {"training_s": trained, "judgement_s": run.wall_s - trained},
    }


@dataclass
class Training:
    """A learner whose bidders are judged on the same draws for each line of metrics.

    Attributes:
        learner: of the networks.
    """

    learner: Learner

    def update(self, number: int) -> Mapping[str, float]:
        """Take one step."""
        return self.learner.update(number)

    def report(self, numbers: Mapping[str, float]) -> loop.Report:
        """Report payoff, loss (by the estimate that is too large) and L2 of the group that loses most."""
        learner = self.learner
        learner.bidders.network.cpu()
        draws = learner.settings.evaluation.probe
        found = judged(learner.game, learner.parameters, learner.bidders, draws, [learner.seed, PROBE]).worst
        learner.bidders.network.to(learner.device)
        metrics = {"payoff": found.payoff, "loss": found.loss[1], "l2": found.l2}
        return loop.Report({**metrics, **numbers}, f"loss {found.loss[1]:.5f} of {found.payoff:.4f}")

    def state(self) -> dict[str, Any]:
        """Collect the learner's state."""
        return self.learner.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what :meth:`state` returned."""
        self.learner.restore(state)
