"""The trainer ``regret_net``: a network that sells several items, between revenue and what misreports gain.

Misreports are searched at each update by a short ascent from the previous ones, which underestimates their gains. The
reported regret is therefore that of an audit on fresh profiles, and beside the revenue that is claimed stands what is
left of it when everybody reports the best misreport found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lawgiver.agents.auction_net import LearnedAuction
from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.multi_item_auction.game import MultiItemAuction
from lawgiver.trainers.evaluation.item_auctions import measured
from lawgiver.trainers.regret_net.evaluation import beside_baselines
from lawgiver.trainers.regret_net.learner import Learner
from lawgiver.trainers.regret_net.settings import RegretNetConfig
from lawgiver.trainers.runs import loop
from lawgiver.trainers.runs.training_run import TrainingRun
from lawgiver.trainers.statistics.streams import torch_generator, torch_seeded

PROBE = 10_000
"""Profiles on which revenue is computed for each line of metrics, always the same ones."""
FRESH = 10
"""Stream of random numbers, beside those of the learner."""


def train(config: RegretNetConfig, run: TrainingRun) -> dict[str, Any]:
    """Train a network in the run's folder; return its measures on fresh profiles.

    Returns:
        those of :func:`lawgiver.trainers.regret_net.evaluation.beside_baselines`, and ``regret_budget``, the regret
        that the training allowed each bidder in the end.

    Raises:
        UnsupportedGameError: if the game is not multi_item_auction in allocate mode, paid revenue.
        RunError: if a number is not finite; the last checkpoint is then the last good state.
    """
    game, settings = config.game.make(), config.trainer
    if not isinstance(game, MultiItemAuction) or game.announces or game.objective != "revenue":
        asked = ", ".join(f"{name}={getattr(game, name, None)!r}" for name in ("mechanism_mode", "objective"))
        raise UnsupportedGameError(
            "trainer 'regret_net' needs multi_item_auction with mechanism_mode='allocate' and objective='revenue', not"
            f" {game.name} with {asked}"
        )
    device = config.resources.torch_device()
    with torch_seeded(config.seed):
        mechanism = LearnedAuction(game, **config.agents.mechanism.model_dump())
    learner = Learner(game, mechanism.network.to(device), settings, config.seed, device)
    probe = game.initial_state(PROBE, torch_generator("cpu", config.seed, FRESH)).types.double().numpy()
    loop.train(
        run,
        Training(learner, mechanism, probe),
        updates=settings.updates,
        log_every=settings.log_every,
        checkpoint_every=settings.checkpoint_every,
    )
    mechanism.network.eval().cpu()
    run.save_policy("mechanism", mechanism)
    trained = run.wall_s
    evaluation = settings.evaluation
    judged = beside_baselines(game, mechanism, evaluation.instances, evaluation.effort, [config.seed])
    revenue = judged["revenue"]["learned"]
    return {
        **judged,
        "regret_budget": settings.budget.end * revenue.mean / game.n,
        "updates": settings.updates,
        "timing": {"training_s": trained, "evaluation_s": run.wall_s - trained},
    }


@dataclass
class Training:
    """A learner whose mechanism is evaluated on the same profiles for each line of metrics.

    Attributes:
        learner: of the network.
        mechanism: that plays by it.
        probe: types of the profiles, (PROBE, n, m).
        recent: numbers of the updates since the last line of metrics, which has their means.
    """

    learner: Learner
    mechanism: LearnedAuction
    probe: np.ndarray
    recent: list[dict[str, float]] = field(default_factory=list)

    def update(self, number: int) -> Mapping[str, float]:
        """Take one step."""
        self.recent.append(self.learner.update(number))
        return self.recent[-1]

    def report(self, numbers: Mapping[str, float]) -> loop.Report:
        """Report the revenue on the probe, and the means of the recent updates."""
        learner, recent = self.learner, self.recent
        learner.network.eval().cpu()
        revenue = float(measured(learner.game, self.mechanism, self.probe).mean())
        learner.network.to(learner.device)
        means = {name: sum(each[name] for each in recent) / len(recent) for name in numbers}
        self.recent = []
        return loop.Report({"revenue": revenue, **means}, f"revenue {revenue:.4f}, regret {means['regret']:.5f}")

    def state(self) -> dict[str, Any]:
        """Collect the learner's state, and the numbers that no line of metrics has yet."""
        return {"learner": self.learner.state(), "recent": self.recent}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what :meth:`state` returned."""
        self.learner.restore(state["learner"])
        self.recent = list(state["recent"])
