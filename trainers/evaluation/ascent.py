"""Gradient ascent of a mechanism on its value at the exact equilibrium, and the best free table found by it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import torch

from lawgiver.envs.core.errors import LawgiverError, NoSolution
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.public_investment.families import FAMILIES, normalised
from lawgiver.envs.public_investment.game import PublicInvestment
from lawgiver.envs.public_investment.one_round import RoundEquilibrium, mean_scores, scores, solve_weights
from lawgiver.envs.solvers.equilibrium.joint_grid import grid_size
from lawgiver.trainers.evaluation.equilibrium_gradient import Round, rounds, value
from lawgiver.trainers.runs.loop import Report

STARTS = ((1.0, 1.0), (1.0, 0.0), (3.0, 0.0))
"""Members (p, q) of the power family near which ascents of a free table begin: libertarian, liberal egalitarian, and a
steeper rule."""
LARGEST_TABLE = 20_000
"""Maximum number of joint contributions of a free table."""
STEEPEST = 50.0
"""Inverse temperature at which a mechanism for more rational participants is designed: beyond it gradients vanish."""


class Ascent:
    """Adam on the value at the exact equilibrium, the learning rate falling to 0 along a cosine.

    Above 1 the inverse temperature itself rises to its target during the first half, geometrically: at once at a high
    one, the ascent ends in poor local optima.

    Args:
        parameters: to be moved.
        value_at: the value to be raised, at an inverse temperature.
        inverse_temperature: the target, at most ``STEEPEST`` of it is used.
        updates: over which the rise and the fall take place; both stay at their end afterwards.
        learning_rate: at the start.
    """

    def __init__(
        self,
        parameters: Iterable[torch.nn.Parameter],
        value_at: Callable[[float], torch.Tensor],
        *,
        inverse_temperature: float,
        updates: int,
        learning_rate: float,
    ) -> None:
        """Begin with the parameters as they are."""
        self.parameters, self.value_at = list(parameters), value_at
        self.target, self.over = min(inverse_temperature, STEEPEST), updates
        self.optimiser = torch.optim.Adam(self.parameters, lr=learning_rate, betas=(0.9, 0.99))
        self.learning_rates = _cosine(learning_rate, updates)

    def update(self, number: int) -> dict[str, float]:
        """Take one step; return the ``score`` before it, and the ``inverse_temperature`` of that score."""
        level = self.target ** min(1.0, 2 * number / self.over) if self.target > 1 else self.target
        self.optimiser.param_groups[0]["lr"] = self.learning_rates[min(number, self.over) - 1]
        self.optimiser.zero_grad()
        reached = self.value_at(level)
        (-reached).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.parameters, 5.0)
        self.optimiser.step()
        return {"score": float(reached.detach()), "inverse_temperature": level}

    def report(self, numbers: Mapping[str, float]) -> Report:
        """Report the score of the last update."""
        return Report(numbers, f"score {numbers['score']:.3f}")

    def state(self) -> dict[str, Any]:
        """Collect the parameters and the state of Adam."""
        return {"parameters": [each.detach() for each in self.parameters], "optimiser": self.optimiser.state_dict()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what :meth:`state` returned."""
        with torch.no_grad():
            for own, kept in zip(self.parameters, state["parameters"], strict=True):
                own.copy_(kept)
        self.optimiser.load_state_dict(state["optimiser"])


def _cosine(start: float, updates: int) -> list[float]:
    """Compute the learning rate of each update, by the recursion of torch's ``CosineAnnealingLR``."""

    def fallen(rate: float, done: int) -> float:
        before, after = (1 + math.cos(math.pi * at / updates) for at in (done - 1, done))
        return after / before * rate

    return list(itertools.accumulate(range(1, updates), fallen, initial=start))


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
    by_condition = []
    for at in rounds(game, anchor, weights=True):
        best = _best(at, _designed(at, inverse_temperature, updates), inverse_temperature)
        if isinstance(best, NoSolution):
            return best
        by_condition.append(scores(at.game, best))
    return mean_scores(by_condition)


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
        return np.asarray(best(at.given, at.contributions))


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
