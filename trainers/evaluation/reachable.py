"""The best memoryless mechanism that exact gradients find: a free table of weights for each condition."""

from __future__ import annotations

import logging
import math
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from lawgiver.envs.core.errors import LawgiverError, NoSolution
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.public_investment.game import PublicInvestment
from lawgiver.envs.public_investment.one_round import RoundEquilibrium, mean_scores, scores, solve_weights
from lawgiver.envs.public_investment.rule_families import FAMILIES, normalised
from lawgiver.envs.solvers.equilibrium.joint_grid import grid_size
from lawgiver.trainers.evaluation.ascent import STEEPEST, Ascent
from lawgiver.trainers.evaluation.equilibrium_gradient import Round, rounds, value

_LOGGER = logging.getLogger("lawgiver")

STARTS = ((1.0, 1.0), (1.0, 0.0), (3.0, 0.0))
"""Members (p, q) of the power family near which ascents of a free table begin: libertarian, liberal egalitarian, and a
steeper rule."""
LARGEST_TABLE = 20_000
"""Maximum number of joint contributions of a free table."""


class FreeTable(torch.nn.Module):
    """Table of free weights, one set for each joint contribution; equal participants with equal actions share one."""

    def __init__(self, at: Round, start: tuple[float, float] = (1.0, 1.0)) -> None:
        """Make the table of one condition, near the member (p, q) of the power family."""
        super().__init__()
        actions = at.grid.actions
        first = np.tile(np.arange(at.grid.n), (len(actions), 1))  # the first seat that is and acts the same
        for j in range(at.grid.n):
            for i in reversed(range(j)):
                if at.labels[i] == at.labels[j]:
                    first[:, j] = np.where(actions[:, i] == actions[:, j], i, first[:, j])
        self.register_buffer("first", torch.as_tensor(first))
        p, q = start
        shares = normalised(at.given**q * (at.contributions / at.given) ** p)
        self.logits = torch.nn.Parameter(torch.log(shares + 1e-3))

    def forward(self, endowments: torch.Tensor, contributions: torch.Tensor) -> torch.Tensor:
        """Compute the weights (S, n) at every joint contribution of the condition, in the order of its grid."""
        return self.logits.gather(1, self.first).softmax(-1)  # type: ignore[arg-type]


def reachable(
    game: Game[Any], inverse_temperature: float, anchor: Policy | None = None, *, updates: int = 1000
) -> dict[str, Any] | NoSolution:
    """Score the best memoryless mechanism that exact gradients find, optimised for each condition separately.

    The scores are no bound: the ascent starts from several rules for a tenth of the updates each, and continues from
    the best of them.

    The mechanism is a free table of weights, of which every family is a part; a better table may be found with more
    updates (about 1e-5 in log Nash welfare beyond the default number). Where a canonical rule is better than the
    table, it is taken instead.

    Args:
        game: whose objective counts.
        inverse_temperature: of the participants, per point; infinity for the rational limit.
        anchor: the participants' prior policy; None for uniform.
        updates: gradient steps a condition.

    Returns:
        Scores as :meth:`Game.exact_scores` gives them; none for another game or too large a table.
    """
    if not isinstance(game, PublicInvestment):
        return NoSolution(f"no exact designer for {game.name}")
    largest = max(grid_size(tuple(e + 1 for e in endowments), endowments) for endowments in game.conditions)
    if largest > LARGEST_TABLE:
        return NoSolution(f"no exact designer for {largest} joint contributions, at most {LARGEST_TABLE}")
    conditions = rounds(game, anchor, weights=True)
    _LOGGER.info("searching for the best mechanism: %s updates in each of %s conditions", updates, len(conditions))
    by_condition = []
    for at in conditions:
        best = _best(at, _designed(at, inverse_temperature, updates), inverse_temperature)
        if isinstance(best, NoSolution):
            return best
        by_condition.append(scores(at.game, best))
    return mean_scores(by_condition)


@lru_cache(maxsize=64)  # the seeds of an experiment and its evaluation have the same conditions
def _designed(at: Round, inverse_temperature: float, updates: int) -> np.ndarray:
    """Optimise the weights (S, n) by gradient ascent, from the most promising of several starts."""

    def climb(table: FreeTable, steps: int) -> float:
        ascent = Ascent(
            table.parameters(),
            lambda level: value(at, table, level),
            inverse_temperature=inverse_temperature,
            updates=steps,
            learning_rate=0.15,
        )
        for step in range(1, steps + 1):
            reached = ascent.update(step)["score"]
            if not math.isfinite(reached):
                raise LawgiverError(f"the value is {reached} at update {step} of the ascent of a free table")
        with torch.no_grad():
            return float(value(at, table, min(inverse_temperature, STEEPEST)))

    tables = [FreeTable(at, start) for start in STARTS]
    reached = [climb(table, max(1, updates // 10)) for table in tables]
    best = tables[int(np.argmax(reached))]
    climb(best, updates)
    with torch.no_grad():
        weights = np.asarray(best(at.given, at.contributions))
    weights.flags.writeable = False  # whoever asks again gets the same array
    return weights


def _best(at: Round, designed: np.ndarray, inverse_temperature: float) -> RoundEquilibrium | NoSolution:
    """Select the best of the optimised and the canonical weights, by the game's objective in equilibrium."""
    given, contributions = at.given.numpy(), at.contributions.numpy()
    members = FAMILIES["power"].members.values()
    tables = [designed, *(FAMILIES["power"].weights(np.array(member), given, contributions) for member in members)]

    def solved(table: np.ndarray) -> RoundEquilibrium | NoSolution:
        return solve_weights(at.game, lambda e, c: table, at.endowments, at.labels, at.priors, inverse_temperature)

    played = [solved(table) for table in tables]
    found = [one for one in played if not isinstance(one, NoSolution)]
    if not found:
        return played[0]
    return max(found, key=lambda one: float(scores(at.game, one)[at.game.objective]))
