"""The movers' subgame: situations are starts on an even grid over [0, H], actions are moves on an even grid.

What a mover has to know of the others is where they end on average, m = E[y], and E[y^2]: with A = b (n - 1),

    E[sum_j b (y_i - y_j)^2] = A (y_i^2 - 2 y_i m + E[y^2]),    welfare = -n (2 A Var(y) + d E[u])
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace
from lawgiver.envs.core.subgame import Subgame

if TYPE_CHECKING:
    from lawgiver.envs.lanes.game import Lanes

STARTS = 101
"""Starts on the grid."""
MOVES = 101
"""Moves on the grid, where the game allows any."""


class LanesSubgame(Subgame):
    """See the module's docstring. Blind movers have one situation, and average over starts."""

    def __init__(self, game: Lanes) -> None:
        """Lay the grids."""
        self.game = game
        self.blind = game.agent_objective == "blind"
        self.coupled = game.agent_objective != "local"
        self.starts = np.linspace(0, game.half, STARTS)
        self.moves = np.linspace(0, game.half, game.n_moves or MOVES)
        self.ends = self.starts[:, None] + self.moves
        weights = 2.0 + 2.0 * (np.arange(STARTS) % 2)  # Simpson's rule: exact for the moments of those who stay
        weights[[0, -1]] = 1.0
        self.weights = weights / weights.sum()
        self.shape = (1, 1 if self.blind else STARTS, self.moves.size)
        self._strength = game.coordination_weight * (game.n - 1)

    def opening(self) -> np.ndarray:
        """Return the probability of each start."""
        return np.ones(1) if self.blind else self.weights

    def _seen(self, table: Array) -> Array:
        """Return a table (..., starts, moves) by situations, (..., 1, S, moves)."""
        if self.blind:
            table = constant(self.weights, table) @ table
            return table[..., None, None, :]
        return table[..., None, :, :]

    def _paid(self, parameters: Array) -> Array:
        base = {"xT": self.ends, "x0": self.starts[:, None] + 0 * self.moves, "u": self.moves + 0 * self.ends}
        points = constant(base[self.game.payment_on], parameters)
        return self.game.payment(points, parameters[..., None, None, :])

    def _intrinsic(self, aggregates: Array) -> Array:
        mean, square = aggregates[..., 0, None, None], aggregates[..., 1, None, None]
        ends, moves = constant(self.ends, aggregates), constant(self.moves, aggregates)
        return -self._strength * (ends**2 - 2 * ends * mean + square) - self.game.movement_cost * moves

    def rewards(self, parameters: Array, aggregates: Array) -> Array:
        """Return payment and cost of movement, and where they count it the distance to the others."""
        paid = self._paid(parameters)
        if self.coupled:
            return self._seen(paid + self._intrinsic(aggregates))
        return self._seen(paid - self.game.movement_cost * constant(self.moves, paid))

    def utilities(self, aggregates: Array) -> Array:
        """Return expected utilities without payments."""
        return self._seen(self._intrinsic(aggregates))

    def transfers(self, parameters: Array) -> Array:
        """Return payments."""
        return self._seen(self._paid(parameters))

    def _moments(self, policy: Array) -> tuple[Array, Array, Array]:
        """Return E[y], E[y^2] and E[u], (...)."""
        xp = namespace(policy)
        joint = constant(self.weights[:, None], policy) * policy[..., 0, :, :]  # blind rows are the same for all starts
        ends = constant(self.ends, policy)
        return (
            xp.sum(joint * ends, axis=(-2, -1)),
            xp.sum(joint * ends**2, axis=(-2, -1)),
            xp.sum(joint * constant(self.moves, policy), axis=(-2, -1)),
        )

    def aggregates(self, policy: Array) -> Array:
        """Return E[y] and E[y^2], (..., 2)."""
        mean, square, _ = self._moments(policy)
        return namespace(policy).stack([mean, square], axis=-1)

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
        place = obs[..., 0] * (self.game.length / self.game.half * (STARTS - 1))
        below = xp.clip(xp.floor(place), 0, STARTS - 2)
        situations = xp.astype(xp.stack([below, below + 1], axis=-1), xp.int64)
        nearness = place - below
        return xp.zeros_like(situations[..., 0]), situations, xp.stack([1 - nearness, nearness], axis=-1)

    def behaviour(self, policy: np.ndarray) -> dict[str, float]:
        """Return ``threshold``, the mean terminal position of those who start at 0 (blind: the mean move)."""
        return {"threshold": float(policy[0, 0] @ self.moves)}
