"""One round of the taxed dilemma against a memoryless mechanism: its logit equilibrium and the best it can be."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lawgiver.envs.core.errors import NoSolution
from lawgiver.envs.core.objectives import LOG_GUARD
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.core.policy_check import check_policy
from lawgiver.envs.solvers.equilibrium import logit
from lawgiver.envs.solvers.equilibrium.joint_grid import joint_grid
from lawgiver.envs.solvers.equilibrium.one_round import (
    SOLVED,
    divergence,
    expected_scores,
    inexact,
    log_of,
    mean_outcome,
    prior,
    temperatures,
)
from lawgiver.envs.taxed_dilemma.game import REWARD, TaxedDilemma

CEILINGS = {
    "surplus": 2 * REWARD,
    "log_nash_welfare": 2 * math.log(REWARD + LOG_GUARD),
    "rawlsian": REWARD,
    "gini": 0.0,
}
"""Mutual cooperation has the largest sum of payoffs, equally shared; a tax of 0.8 or more makes it dominant."""


def exact_scores(
    game: TaxedDilemma, mechanism: Policy, inverse_temperature: float, anchor: Policy | None
) -> dict[str, Any] | NoSolution:
    """Return the expected values of the first round in the participants' logit equilibrium.

    Beside the objectives and ``gini``: ``cooperation`` (probability) and ``kl`` (nats, from the prior), one number a
    seat; ``residual``; ``by_condition``, a list with the same once more.
    """
    check_policy(game, "mechanism", mechanism, distribution=True)
    if anchor is not None:
        check_policy(game, "participant", anchor, distribution=True)
    grid = joint_grid((2, 2), (0, 1))
    rng = np.random.default_rng(0)
    opening, choices = game.initial_state(len(grid.actions), rng), grid.actions.astype(float)
    first = game.initial_state(1, rng)
    fault = inexact(game, mechanism, opening if game.announces else game.advance(opening, choices, {})[0])
    if fault is not None:
        return fault
    if game.announces:
        tax = mean_outcome(game, mechanism, opening)
        announced, _, _, _ = game.advance(opening, tax, {})
        first, _, _, _ = game.advance(first, tax[:1], {})
        after, _, _, _ = game.advance(announced, choices, game.draw(len(choices), rng))
    else:
        chosen, _, _, _ = game.advance(opening, choices, {})
        after, _, _, _ = game.advance(chosen, mean_outcome(game, mechanism, chosen), game.draw(len(choices), rng))
    priors = prior(game, first, anchor)
    found = logit.logit_equilibrium(grid, after.payoffs[None], tuple(log_of(priors)), temperatures(inverse_temperature))
    residual = float(found.residual[0])
    if residual > SOLVED:
        return NoSolution(f"no exact equilibrium: the residual stays at {residual:.1e}")
    strategies = np.concatenate(found.strategies)
    scored = expected_scores(game.objective, logit.joint_probabilities(grid, found.strategies)[0], after) | {
        "cooperation": strategies[:, 1].tolist(),
        "kl": divergence(strategies, priors),
        "residual": residual,
    }
    return scored | {"by_condition": [scored]}
