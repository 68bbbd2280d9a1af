"""Participants of bounded rationality under a planner who looks at the pool alone, by soft backward induction.

If offers depend on nothing but the pool R, so does everything that participants can want. In round t they choose
returns, at the same time, and with p_t the chance of another round

    Q_t(R, c) = e(R) - c + p_t E[V_{t+1}(R')],    R' = min(C, R - sum e + g sum c),
    pi_t(c | R) = pi_0(c) exp(lambda (Q_t(R, c) - V_t(R))),    V_t(R) = 1 / lambda log E_{pi_0}[exp(lambda Q_t(R, c))],

expectations being over what the others return. At each pool and round that is the logit equilibrium of a game of one
round (:mod:`lawgiver.envs.solvers.equilibrium.logit`), with lambda the inverse temperature and pi_0 uniform. V counts
what leaving the prior costs; ``payoffs`` are the points alone. Participants reckon with the number of rounds.

Pools lie on an even grid, between which V is linear; returns are even fractions of the offer. Both are approximations,
which vanish as the grids are refined. Payoffs and pools come from the rules themselves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from lawgiver.envs.core.arrays import evolve
from lawgiver.envs.core.checks import check_policy
from lawgiver.envs.core.errors import NoSolution, integer, number
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.solvers.equilibrium.joint_grid import LARGEST_GRID, JointGrid, grid_size, joint_grid
from lawgiver.envs.solvers.equilibrium.logit import expected, joint_probabilities, solve_tables, utilities
from lawgiver.envs.solvers.equilibrium.one_round import SOLVED, inexact, mean_outcome

if TYPE_CHECKING:
    from lawgiver.envs.commons_trust.game import CommonsTrust
    from lawgiver.envs.commons_trust.state import CommonsTrustState

LARGEST_TABLE = 10_000_000
"""Payoffs of all seats at all pools and joint returns."""
SAME = 1e-6
"""Largest difference between two offers that counts as none, by the capacity: float32."""


@dataclass(frozen=True)
class BoundedPlay:
    """Behaviour of participants of bounded rationality at T rounds, K pools, n seats and A fractions.

    Attributes:
        pools: (K,), even, from 0 to the capacity.
        fractions: of the offer that can be returned, (A,).
        offers: to each seat at each pool, (K, n).
        strategies: probability of each fraction, (T, K, n, A).
        values: V from each round on, (T, K, n).
        payoffs: expected points kept from each round on, (T, K, n).
        residual: largest difference between a strategy and the logit response to it.
    """

    pools: np.ndarray
    fractions: np.ndarray
    offers: np.ndarray
    strategies: np.ndarray
    values: np.ndarray
    payoffs: np.ndarray
    residual: float

    def kept(self, first_pool: float) -> np.ndarray:
        """Compute the expected points that each seat keeps over the game from a first pool, (n,)."""
        return np.array([np.interp(first_pool, self.pools, seat) for seat in self.payoffs[0].T])


def solve(
    game: CommonsTrust,
    mechanism: Policy,
    inverse_temperature: float,
    *,
    n_pools: int = 101,
    n_fractions: int = 11,
) -> BoundedPlay | NoSolution:
    """Solve the participants' game by backward induction over ``n_rounds`` rounds.

    Args:
        game: the game; returns are fractions of the offer, also where the game asks for whole points.
        mechanism: a mechanism whose offers depend on the pool alone.
        inverse_temperature: of the participants, per point, >= 0 and finite.
        n_pools: size K of the grid of pools, >= 2.
        n_fractions: number A of returns to choose from, >= 2.

    Returns:
        The solution, in which seats with equal offers behave alike; or why there is none: a mechanism that remembers,
        draws at random or looks at the last round, too many joint returns, or no convergence.

    Raises:
        ParameterError: if the inverse temperature or the size of a grid is outside its range.
    """
    level = number("inverse_temperature", inverse_temperature, "[0, inf)")
    n_pools, n_fractions = integer("n_pools", n_pools, 2), integer("n_fractions", n_fractions, 2)
    check_policy(game, "mechanism", mechanism, distribution=True)
    pools = np.linspace(0.0, game.capacity, n_pools)
    offers = offers_by_pool(game, mechanism, pools)
    if isinstance(offers, NoSolution):
        return offers
    alike = tuple(
        next(j for j in range(i + 1) if np.allclose(offers[:, i], offers[:, j], rtol=0, atol=SAME * game.capacity))
        for i in range(game.n)
    )
    size = grid_size((n_fractions,) * game.n, alike)
    if size > LARGEST_GRID or size * n_pools * game.n > LARGEST_TABLE:
        return NoSolution(
            f"no solution on this grid: {size:,} joint returns at {n_pools:,} pools, allowed: {LARGEST_GRID:,}, and"
            f" {LARGEST_TABLE:,} numbers in all; take fewer pools or fractions"
        )
    found = _induction(game, pools, offers, joint_grid((n_fractions,) * game.n, alike), level)
    if found.residual > SOLVED:
        return NoSolution(f"no equilibrium found: the residual stays at {found.residual:.1e}")
    return found


def offers_by_pool(game: CommonsTrust, mechanism: Policy, pools: np.ndarray) -> np.ndarray | NoSolution:
    """Compute a mechanism's offers (K, n) at pools (K,); none if they depend on anything else."""
    fault = inexact(game, mechanism, game.initial_state_from(pools))
    if fault is not None:
        return fault
    once = game.announces and game.announce_every == "game"
    opening = game.initial_state_from(np.full(len(pools), game.first_pool))

    def made(state: CommonsTrustState) -> np.ndarray:
        sent = mean_outcome(game, mechanism, opening if once else state)
        return np.asarray(game.advance(state, sent, {})[0].offers)

    state, rng = game.initial_state_from(pools), np.random.default_rng(0)
    offers = made(state)
    for _ in range(2):  # last rounds drawn once for all
        last = rng.random(offers.shape) * game.capacity / game.n
        after = evolve(state, offers=last, last_offers=last, returns=last * rng.random(last.shape))
        if np.abs(made(after) - offers).max() > SAME * game.capacity:
            return NoSolution("no solution by the pool alone: the mechanism's offers depend on the last round too")
    return offers


def _induction(game: CommonsTrust, pools: np.ndarray, offers: np.ndarray, grid: JointGrid, level: float) -> BoundedPlay:
    n_fractions = grid.groups[0].n_actions
    fractions = np.linspace(0.0, 1.0, n_fractions)
    kept, nearest, share = _rounds(game, pools, offers, fractions[grid.actions])
    log_priors = tuple(np.full(n_fractions, -np.log(n_fractions)) for _ in grid.groups)
    levels = np.full(len(pools), level)
    value, payoff = np.zeros((len(pools), game.n)), np.zeros((len(pools), game.n))
    strategies, values, payoffs, residual = [], [], [], 0.0

    def ahead(table: np.ndarray) -> np.ndarray:  # (K, n) at the grid to (K, S, n) at the next pools
        return np.asarray(table[nearest] * (1 - share) + table[nearest + 1] * share)

    for completed in range(game.n_rounds, 0, -1):
        goes_on = _another_round(game, completed)
        tables = utilities(grid, kept + goes_on * ahead(value))
        found = solve_tables(grid, tables, log_priors, levels)
        residual = max(residual, float(found.residual.max()))
        earned = expected(grid, tables, found.strategies)
        joint = joint_probabilities(grid, found.strategies)[:, None, :]
        payoff = (joint @ (kept + goes_on * ahead(payoff)))[:, 0]
        strategy, value = np.zeros((len(pools), game.n, n_fractions)), np.zeros_like(payoff)
        for group, p, q in zip(grid.groups, found.strategies, earned, strict=True):
            seats = list(group.seats)
            strategy[:, seats] = p[:, None]
            value[:, seats] = _soft_mean(q, level)[:, None]
            payoff[:, seats] = payoff[:, seats].mean(axis=1, keepdims=True)  # a multiset seats members in one order
        strategies.append(strategy)
        values.append(value)
        payoffs.append(payoff)
    return BoundedPlay(
        pools,
        fractions,
        offers,
        strategies=np.stack(strategies[::-1]),
        values=np.stack(values[::-1]),
        payoffs=np.stack(payoffs[::-1]),
        residual=residual,
    )


def _another_round(game: CommonsTrust, completed: int) -> float:
    """Return the chance of another round after ``completed`` ones."""
    if completed == game.n_rounds:
        return 0.0
    return 1.0 if game.continuation is None or completed < game.min_rounds else game.continuation


def _soft_mean(q: np.ndarray, level: float) -> np.ndarray:
    """Compute 1 / level log mean exp(level q) over the last axis, the mean at level 0."""
    if level == 0:
        return np.asarray(q.mean(axis=-1))
    top = q.max(axis=-1)
    return np.asarray(top + np.log(np.exp(level * (q - top[:, None])).mean(axis=-1)) / level)


def _rounds(
    game: CommonsTrust, pools: np.ndarray, offers: np.ndarray, fractions: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Play a round at every pool with every joint return (S, n), by the rules.

    Returns:
        What is kept (K, S, n); and where the next pool lies on the grid: the point below (K, S), and the share of the
        way to the next (K, S, 1).
    """
    count, joint = len(pools), len(fractions)
    plain = replace(game, mechanism_mode="allocate", announce_every="round", integer_returns=False)
    state = plain.initial_state_from(np.repeat(pools, joint))
    made = np.repeat(offers, joint, axis=0)
    state, *_ = plain.advance(state, made, {})
    state, *_ = plain.advance(state, made * np.tile(fractions, (count, 1)), {"going_on": np.zeros(count * joint)})
    place = np.asarray(state.pool).reshape(count, joint) / game.capacity * (count - 1)
    below = np.minimum(place.astype(int), count - 2)
    return np.asarray(state.payoffs).reshape(count, joint, game.n), below, (place - below)[..., None]
