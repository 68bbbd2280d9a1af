"""The movers' subgame: states are starts on an even grid over [0, H], actions are moves on an even grid.

Starts are continuous, and the grid must not pretend otherwise. Were its steps those of the moves, all could end at
exactly one point, from which nobody would leave alone: each of several points would be an equilibrium of rational
participants (13 for n = 20 and 101 moves). Between the points of the grid, though, participants can only end near where
they want to, on this side of it or that, and the equilibrium is unique but for fractions of a step. Hence a number of
starts whose steps stand to those of the moves in the golden ratio or nearly so: how far they miss where they want to
end is spread evenly over a step.

What a mover has to know of the others is where they end on average, m = E[y], and E[y^2]: with A = b (n - 1),

    E[sum_j b (y_i - y_j)^2] = A (y_i^2 - 2 y_i m + E[y^2]),    welfare = -n (2 A Var(y) + d E[u])
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace
from lawgiver.envs.solvers.equilibrium.subgame import Subgame

if TYPE_CHECKING:
    from lawgiver.envs.lanes.game import Lanes

INTERVALS = range(128, 256)
"""Candidate numbers of intervals between starts."""
GOLDEN = (5**0.5 - 1) / 2
MOVES = 101
"""Moves on the grid, where the game allows any."""


class LanesSubgame(Subgame):
    """See the module's docstring. Blind movers have one state, and average over starts."""

    game: Lanes

    def __init__(self, game: Lanes) -> None:
        """Build the grids."""
        self.game = game
        self.blind = game.agent_objective == "blind"
        self.coupled = game.agent_objective != "local"
        self.moves = np.linspace(0, game.half, game.n_moves or MOVES)
        self.starts = np.linspace(0, game.half, n_starts(self.moves.size))
        self.ends = self.starts[:, None] + self.moves
        self.weights = even_weights(self.starts.size)
        self.shape = (1, 1 if self.blind else self.starts.size, self.moves.size)
        self._strength = game.coordination_weight * (game.n - 1)
        base = {"xT": self.ends, "x0": self.starts[:, None], "u": self.moves[None]}[game.payment_on]
        points = np.broadcast_to(base, self.ends.shape)
        each = [game.payment(points, one) - game.constant for one in np.eye(game.degree)]
        self._powers = self._seen(np.stack(each))  # what a coefficient of 1 pays, (P, T, S, A)

    def initial_distribution(self) -> np.ndarray:
        """Return the probability of each start."""
        return np.ones(1) if self.blind else self.weights

    def cell_weights(self) -> np.ndarray:
        """Return trapezoidal weights of the grid of moves: half at both ends."""
        shares = np.ones(self.moves.size)
        if self.game.n_moves is None:
            shares[[0, -1]] = 0.5
        return shares

    def announcements(self) -> np.ndarray:
        """Return the moves of the grid, (A, 1)."""
        return self.moves[:, None]

    def _seen(self, table: Array) -> Array:
        """Return a table (..., starts, moves) by states, (..., 1, S, moves)."""
        if self.blind:
            table = constant(self.weights, table) @ table
            return table[..., None, None, :]
        return table[..., None, :, :]

    def _intrinsic(self, aggregates: Array) -> Array:
        mean, square = aggregates[..., 0, None, None], aggregates[..., 1, None, None]
        ends, moves = constant(self.ends, aggregates), constant(self.moves, aggregates)
        return self._strength * (ends * (2 * mean - ends) - square) - self.game.movement_cost * moves

    def rewards(self, parameters: Array, aggregates: Array) -> Array:
        """Return payment and cost of movement, and where they count it the distance to the others."""
        paid = self.transfers(parameters, aggregates)
        if self.coupled:
            return paid + self.utilities(parameters, aggregates)
        return paid - self.game.movement_cost * constant(self.moves, paid)

    def utilities(self, parameters: Array, aggregates: Array) -> Array:
        """Return expected utilities without payments."""
        return self._seen(self._intrinsic(aggregates))

    def transfers(self, parameters: Array, aggregates: Array) -> Array:
        """Return payments, which are linear in the coefficients."""
        powers = constant(self._powers.reshape(self._powers.shape[0], -1), parameters)
        return (parameters @ powers).reshape(*parameters.shape[:-1], *self.shape) + self.game.constant

    def _moments(self, policy: Array) -> tuple[Array, Array, Array]:
        """Return E[y], E[y^2] and E[u], (...)."""
        xp = namespace(policy)
        played, moves = policy[..., 0, :, :], constant(self.moves, policy)
        move, square = played @ moves, played @ moves**2  # E[u | x] and E[u^2 | x], (..., S); blind: whatever x
        starts, weights = constant(self.starts, policy), constant(self.weights, policy)
        return (
            xp.sum(weights * (starts + move), axis=-1),
            xp.sum(weights * (starts**2 + 2 * starts * move + square), axis=-1),
            xp.sum(weights * move, axis=-1),
        )

    def aggregates(self, policy: Array) -> Array:
        """Return E[y] and E[y^2], (..., 2)."""
        mean, square, _ = self._moments(policy)
        return namespace(policy).stack([mean, square], axis=-1)

    def measures(self, parameters: Array, policy: Array) -> dict[str, Array]:
        """Compute the expected welfare, which w bears on through play alone."""
        return {"welfare": self.welfare(policy)}

    def welfare(self, policy: Array) -> Array:
        """Return -n (2 A Var(y) + d E[u])."""
        mean, square, moved = self._moments(policy)
        return -self.game.n * (2 * self._strength * (square - mean**2) + self.game.movement_cost * moved)

    def observations(self, parameters: np.ndarray) -> np.ndarray:
        """Return the start, unless blind, and the coefficients, (1, S, d)."""
        rule = np.broadcast_to(parameters, (self.shape[1], parameters.shape[-1]))
        seen = rule if self.blind else np.concatenate([self.starts[:, None] / self.game.length, rule], axis=-1)
        return seen[None]

    def locate(self, obs: Array) -> tuple[Array, Array, Array]:
        """Return the two starts of the grid on either side, weighted by nearness."""
        xp = namespace(obs)
        if self.blind:
            nothing = xp.zeros_like(obs[..., :1], dtype=xp.int64)
            return nothing[..., 0], nothing, xp.ones_like(obs[..., :1])
        intervals = self.starts.size - 1
        place = obs[..., 0] * (self.game.length / self.game.half * intervals)
        below = xp.clip(xp.floor(place), 0, intervals - 1)
        states = xp.astype(xp.stack([below, below + 1], axis=-1), xp.int64)
        nearness = place - below
        return xp.zeros_like(states[..., 0]), states, xp.stack([1 - nearness, nearness], axis=-1)

    def behaviour(self, policy: np.ndarray) -> dict[str, float]:
        """Return ``threshold``, the mean terminal position of those who start at 0 (blind: the mean move)."""
        return {"threshold": float(policy[0, 0] @ self.moves)}


def n_starts(n_moves: int) -> int:
    """Return the number of starts for a number of moves; see the module's docstring."""
    ratios = {k: (n_moves - 1) / k % 1 for k in INTERVALS}
    return 1 + min(INTERVALS, key=lambda k: abs(abs(ratios[k] - 0.5) - (GOLDEN - 0.5)))


def even_weights(size: int) -> np.ndarray:
    """Return weights (size,) that sum to one, even but for the ends: Gregory's rule, exact for polynomials to degree 3.

    Unlike Simpson's they do not favour every other point, so that edges in what is integrated do little harm.
    """
    weights = np.ones(size)
    weights[:3] = weights[:-4:-1] = 3 / 8, 7 / 6, 23 / 24
    return np.asarray(weights / weights.sum())
