"""The trainer ``regret_net``: a network that sells several items, between revenue and what misreports gain.

Misreports are searched at each update by a short ascent from the previous ones, which underestimates their gains. The
reported regret is therefore that of an audit on fresh profiles, and beside the revenue that is claimed stands what is
left of it when everybody reports the best misreport found.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
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
from lawgiver.trainers.settings.base import keyed
from lawgiver.trainers.statistics.streams import torch_generator, torch_seeded

PROBE = 10_000
"""Profiles on which revenue is computed for each line of metrics, always the same ones."""
LINES, APART = 50, 100
"""Lines of metrics of a short training; and updates between those of a long one."""
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
    with torch_seeded(config.seed), keyed("agents.mechanism", config.agents.mechanism) as network:
        mechanism = LearnedAuction(game, **network)
    learner = Learner(game, mechanism.network.to(device), settings, config.seed, device)
    probe = game.initial_state(PROBE, torch_generator("cpu", config.seed, FRESH)).types.double().numpy()
    loop.train(
        run,
        loop.Averaged(learner, partial(described, learner, mechanism, probe)),
        updates=settings.updates,
        log_every=settings.log_every or min(max(settings.updates // LINES, 1), APART),
        checkpoint_every=settings.checkpoint_every,
        early=(1,),
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


def described(
    learner: Learner, mechanism: LearnedAuction, probe: np.ndarray, means: Mapping[str, float]
) -> loop.Report:
    """Describe a training by the revenue on the profiles ``probe`` (P, n, m), and by the means of recent updates."""
    learner.network.eval().cpu()
    revenue = float(measured(learner.game, mechanism, probe).mean())
    learner.network.to(learner.device)
    return loop.Report({"revenue": revenue, **means}, f"revenue {revenue:.4f}, regret {means['regret']:.5f}")
