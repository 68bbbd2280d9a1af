"""One round of a taxed game against a memoryless mechanism: its logit equilibrium and scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lawgiver.envs.core.checks import check_policy
from lawgiver.envs.core.errors import NoSolution
from lawgiver.envs.core.policy import Policy
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

if TYPE_CHECKING:
    from lawgiver.envs.families.taxed_game import TaxedGame


def exact_scores(
    game: TaxedGame, mechanism: Policy, inverse_temperature: float, anchor: Policy | None
) -> dict[str, Any] | NoSolution:
    """Return the expected values of the first round in the participants' logit equilibrium.

    Beside the objectives and ``gini``: the game's :meth:`~TaxedGame.behaviour` and ``kl`` (nats, from the prior), one
    number a seat; ``residual``; ``by_condition``, a list with the same once more.
    """
    check_policy(game, "mechanism", mechanism, distribution=True)
    if anchor is not None:
        check_policy(game, "participant", anchor, distribution=True)
    grid = joint_grid(game.counts, (0, 1))
    rng = np.random.default_rng(0)
    opening, choices = game.initial_state(len(grid.actions), rng), grid.actions.astype(float)
    first = game.initial_state(1, rng)
    chosen = opening if game.announces else game.advance(opening, choices, {})[0]
    fault = inexact(game, mechanism, chosen)
    if fault is not None:
        return fault
    tax = mean_outcome(game, mechanism, chosen)
    draws = game.draw(len(choices), rng)
    if game.announces:
        first = game.advance(first, tax[:1], {})[0]
        after = game.advance(game.advance(opening, tax, {})[0], choices, draws)[0]
    else:
        after = game.advance(chosen, tax, draws)[0]
    priors = [one[:count] for one, count in zip(prior(game, first, anchor), game.counts, strict=True)]
    found = logit.logit_equilibrium(
        grid, after.payoffs[None], tuple(log_of(one) for one in priors), temperatures(inverse_temperature)
    )
    residual = float(found.residual[0])
    if residual > SOLVED:
        return NoSolution(f"no exact equilibrium: the residual stays at {residual:.1e}")
    strategies = [np.asarray(strategy[0]) for strategy in found.strategies]
    expected = expected_scores(game.objective, logit.joint_probabilities(grid, found.strategies)[0], after)
    scored: dict[str, Any] = {
        **expected,
        **game.behaviour(strategies),
        "kl": [divergence(one[None], p[None])[0] for one, p in zip(strategies, priors, strict=True)],
        "residual": residual,
    }
    return scored | {"by_condition": [scored]}
