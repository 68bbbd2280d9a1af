"""The trainer ``payment_free``: a network that shares resources, between Nash welfare and what misreports bring.

Misreports are searched at each update by a short ascent from the previous ones, which underestimates their gains. The
reported gains are therefore those of an audit of the exact rule on fresh profiles.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch

from lawgiver.agents.exs_net import LearnedExSNet
from lawgiver.agents.rpf_net import LearnedRPFNet
from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.core.make import make_policy
from lawgiver.envs.payment_free_allocation.game import PaymentFreeAllocation
from lawgiver.trainers.payment_free.evaluation import judge, welfare
from lawgiver.trainers.payment_free.learner import Learner, proportionally_fair, thorough
from lawgiver.trainers.payment_free.misreports import Rule
from lawgiver.trainers.payment_free.objective import terms
from lawgiver.trainers.payment_free.settings import ExSNet, PaymentFreeConfig, RPFNet
from lawgiver.trainers.runs import loop
from lawgiver.trainers.runs.training_run import TrainingRun
from lawgiver.trainers.statistics.estimate import mean_of
from lawgiver.trainers.statistics.streams import torch_generator, torch_seeded

PROBE = 500
"""Profiles on which welfare is computed for each line of metrics, always the same ones."""
FRESH, SEARCH = range(10, 12)
"""Streams of random numbers, beside those of the learner."""
EXACT = 1e-6
"""Barrier of the proportional fairness that misreports are searched against for comparison."""


def train(config: PaymentFreeConfig, run: TrainingRun) -> dict[str, Any]:
    """Train a network in the run's folder; return its measures on fresh profiles.

    Returns:
        Those of :func:`lawgiver.trainers.payment_free.evaluation.judge`, ``gap`` (null where each update has fresh
        profiles) and ``baselines``, both null if no profiles are to be ``compared``.

    Raises:
        UnsupportedGameError: if the game is not payment_free_allocation in allocate mode.
        RunError: if the loss is not finite; the last checkpoint is then the last good state.
    """
    game, settings = config.game.make(), config.trainer
    if not isinstance(game, PaymentFreeAllocation) or game.announces:
        raise UnsupportedGameError(
            "trainer 'payment_free' needs payment_free_allocation with mechanism_mode='allocate', not"
            f" {repr(game.mechanism_mode) if isinstance(game, PaymentFreeAllocation) else game.name}"
        )
    device = config.resources.torch_device()
    mechanism = make_mechanism(game, config.agents.mechanism, config.seed)
    network = mechanism.network.to(device)
    learner = Learner(game, network, settings, config.seed, device)
    probe = game.initial_state(PROBE, torch_generator("cpu", config.seed, FRESH)).types.double().numpy()
    loop.train(
        run,
        loop.Averaged(learner, partial(described, learner, mechanism, probe)),
        updates=settings.updates,
        log_every=settings.log_every,
        checkpoint_every=settings.checkpoint_every,
    )
    network.eval().cpu()
    run.save_policy("mechanism", mechanism)
    trained = run.wall_s
    evaluation = settings.evaluation
    judged = judge(game, mechanism, evaluation.instances, evaluation.effort, config.seed)
    network.to(device)
    return {
        **judged,
        **_beside(learner, evaluation.compared),
        "updates": settings.updates,
        "timing": {"training_s": trained, "evaluation_s": run.wall_s - trained},
    }


def described(
    learner: Learner, mechanism: LearnedExSNet | LearnedRPFNet, probe: np.ndarray, means: Mapping[str, float]
) -> loop.Report:
    """Describe a training by the welfare on the profiles ``probe`` (P, n, 2m), and by the means of recent updates."""
    learner.network.eval().cpu()
    reached = {k: mean_of(value) for k, value in welfare(learner.game, mechanism, probe).items()}
    learner.network.to(learner.device)
    note = f"{reached['nash_welfare_ratio_to_pf']:.4f} of Nash welfare, gain {means['relative_gain']:.4f}"
    return loop.Report({**reached, **means}, note)


def make_mechanism(game: PaymentFreeAllocation, settings: ExSNet | RPFNet, seed: int) -> LearnedExSNet | LearnedRPFNet:
    """Make the mechanism whose network learns, its weights drawn from ``seed``."""
    kinds: dict[str, type[LearnedExSNet | LearnedRPFNet]] = {"exs_net": LearnedExSNet, "rpf_net": LearnedRPFNet}
    with torch_seeded(seed):
        return kinds[settings.network](game, **settings.model_dump(exclude={"network"}))


def _beside(learner: Learner, count: int) -> dict[str, Any]:
    if not count:
        return {"gap": None, "baselines": None}
    fresh = learner.truthful(count, torch_generator(learner.device, learner.seed, FRESH, 1))
    stored = learner.stored
    return {
        "gap": None if stored is None else gap(learner, stored.types, fresh),
        "baselines": baselines(learner, fresh),
    }


def _both_sides(learner: Learner, rule: Rule, types: torch.Tensor) -> dict[str, float]:
    """Compute both sides of the objective for types (B, n, 2m), misreports searched from the truth."""
    own = thorough(learner.game, rule, types, torch_generator(learner.device, learner.seed, SEARCH))
    with torch.no_grad():
        found = terms(learner.game, rule, types, own)
    return {"mean_log_utility": float(found.mean_log_utility), "relative_gain": float(found.relative)}


def gap(learner: Learner, stored: torch.Tensor, fresh: torch.Tensor) -> dict[str, Any]:
    """Measure the generalisation gap: both sides of the objective on profiles trained on, and on fresh ones.

    ``train`` and ``fresh`` have ``mean_log_utility`` and ``relative_gain``, the latter by one and the same search;
    ``worse`` is the loss of both from ``train`` to ``fresh``.
    """
    train, other = (_both_sides(learner, learner.network, types) for types in (stored[: len(fresh)], fresh))
    worse = {
        "mean_log_utility": train["mean_log_utility"] - other["mean_log_utility"],
        "relative_gain": other["relative_gain"] - train["relative_gain"],
    }
    return {"train": train, "fresh": other, "worse": worse}


def baselines(learner: Learner, types: torch.Tensor) -> dict[str, dict[str, Any]]:
    """Measure the two baselines: proportional fairness, of maximal Nash welfare, and truthful water filling.

    For types (B, n, 2m): the measures of :func:`welfare`, and the ``relative_gain`` that the search of :func:`gap`
    finds, which is 0 under water filling.
    """
    game, arrays = learner.game, types.double().cpu().numpy()
    gain = _both_sides(learner, proportionally_fair(game, EXACT), types)["relative_gain"]
    return {
        name: {**welfare(game, make_policy(game, "mechanism", name), arrays), "relative_gain": relative}
        for name, relative in {"proportional_fairness": gain, "water_filling": 0.0}.items()
    }
