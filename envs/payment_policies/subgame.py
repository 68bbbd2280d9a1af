"""The payment game in tables: what each principal gets, by its own payment and by the other's.

A state is a participant, an action an amount of the menu, and the aggregates are the distributions of both over the
menu. Agents learn once under a mechanism for every pair of amounts; a principal's expected payoff is then linear in
what the other does. Slopes in w are differences: no gradient goes back through all rounds of learning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lawgiver.envs.core.arrays import Array, as_numpy, constant, detached, namespace
from lawgiver.envs.solvers.equilibrium.subgame import Subgame

if TYPE_CHECKING:
    from lawgiver.envs.payment_policies.game import PaymentPolicies

KEPT = 2**22
"""Numbers in the tables of mechanisms that are kept, about."""
TOGETHER = 2**17
"""Mixed actions of agents, in numbers, that are played at once: beyond a processor's cache rounds take longer."""
TABLES_MEMORY = 128.0
"""MiB of the tables of different mechanisms under which agents learn at once."""
NUDGE = 1e-4
"""Step of differences in w, as a share of the box."""
WORTH, MONEY = np.array([1.0, 0.0, 0.0, 0.0]), np.array([0.0, -1.0, -1.0, 1.0])
"""Signs of worth, price, payments made and payments received, in what agents get is worth, and in transfers."""
NET = WORTH + MONEY
"""Their signs in payoffs."""


class PaymentSubgame(Subgame):
    """See the module's docstring."""

    game: PaymentPolicies

    def __init__(self, game: PaymentPolicies) -> None:
        """List the pairs of amounts."""
        self.game = game
        self.shape = (1, 2, len(game.menu))
        self._kept: dict[bytes, np.ndarray] = {}

    def __getstate__(self) -> dict[str, object]:
        """Leave out the tables: they can be played again."""
        return {**self.__dict__, "_kept": {}}

    def initial_distribution(self) -> np.ndarray:
        """Return 1/2 for each participant."""
        return np.array([0.5, 0.5])

    def common_knowledge(self) -> np.ndarray:
        """Return the participants' numbers, which everybody knows."""
        return np.arange(2)

    def aggregates(self, policy: Array) -> Array:
        """Return the distributions of both over the menu, flat."""
        return namespace(policy).reshape(policy, (*policy.shape[:-3], -1))

    # -- what pairs of amounts lead to --------------------------------------------------------------------------

    def tables(self, parameters: Array, like: Array) -> Array:
        """Compute worth, price, payments made and received of each participant, (..., 2, M, M, 4), under w (..., D).

        By the own amount and by the other's. Those of one and the same mechanism in all rows have no leading axes.
        """
        xp = namespace(parameters)
        flat = np.asarray(as_numpy(xp.reshape(parameters, (-1, parameters.shape[-1]))), float)
        if getattr(parameters, "requires_grad", False):
            return self._with_slopes(parameters, flat, like)
        distinct, which = np.unique(flat, axis=0, return_inverse=True)
        known = self._known(distinct)
        if len(known) == 1:
            return constant(known[0], like)
        chosen = known[which.ravel()]
        return constant(chosen.reshape(*parameters.shape[:-1], *chosen.shape[1:]), like)

    def _known(self, rows: np.ndarray) -> np.ndarray:
        """Compute the tables of mechanisms (K, D), (K, 2, M, M, 4), or find them again."""
        missing = np.array([row for row in rows if row.tobytes() not in self._kept])
        found = {row.tobytes(): self._kept[row.tobytes()] for row in rows if row.tobytes() in self._kept}
        profiles, actions = self.shape[-1] ** 2, self.game.agents.legal.shape[-1]
        fit = int(TABLES_MEMORY * 2**20 / 8 / self.game.numbers)
        at_once = max(1, min(fit, TOGETHER // (2 * profiles * actions)))
        for i in range(0, len(missing), at_once):
            some = missing[i : i + at_once]
            found |= {row.tobytes(): table for row, table in zip(some, self._played(some), strict=True)}
        self._kept |= found
        while len(self._kept) > max(1, KEPT // (8 * profiles)):
            self._kept.pop(next(iter(self._kept)))
        return np.stack([found[row.tobytes()] for row in rows])

    def _played(self, parameters: np.ndarray) -> np.ndarray:
        """Let agents learn under w (K, D) for all pairs of amounts, (K, 2, M, M, 4)."""
        amounts = np.array(self.game.menu)
        size = len(amounts)
        pairs = np.stack(np.meshgrid(amounts, amounts, indexing="ij"), axis=-1).reshape(1, -1, 2)
        learned = self.game.learned(parameters, pairs).reshape(len(parameters), size, size, 2, 4)
        return np.stack([learned[..., 0, :], learned[..., 1, :].swapaxes(1, 2)], axis=1)

    def _with_slopes(self, parameters: Array, flat: np.ndarray, like: Array) -> Array:
        """Compute tables that tell their slopes in w, by differences."""
        xp = namespace(parameters)
        low, high = self.game.action_bounds("mechanism")
        shape = (*parameters.shape[:-1], *(1,) * 4)
        found = constant(self._known(flat).reshape(*parameters.shape[:-1], 2, *self.shape[-1:] * 2, 4), like)
        for j, nudge in enumerate(np.diag(NUDGE * (high - low))):
            above, below = np.minimum(flat + nudge, high), np.maximum(flat - nudge, low)
            slopes = self._known(above) - self._known(below)
            slopes = slopes / (above - below)[:, j].reshape(-1, 1, 1, 1, 1)
            off = xp.reshape(parameters[..., j] - detached(parameters)[..., j], shape)
            found = found + off * constant(slopes.reshape(found.shape), like)
        return found

    def _expected(self, parameters: Array, aggregates: Array, signs: np.ndarray) -> Array:
        """Average what own amounts lead to over the other's, (..., 1, 2, M), with signs (4,) of what counts."""
        xp = namespace(aggregates)
        others = xp.flip(xp.reshape(aggregates, (*aggregates.shape[:-1], 2, self.shape[-1])), axis=-2)
        tables = self.tables(parameters, aggregates) @ constant(signs, aggregates)
        return (tables @ others[..., None])[..., None, :, :, 0]

    # -- payoffs ------------------------------------------------------------------------------------------------

    def rewards(self, parameters: Array, aggregates: Array) -> Array:
        """Compute the expected payoff of each amount."""
        return self._expected(parameters, aggregates, NET)

    def utilities(self, parameters: Array, aggregates: Array) -> Array:
        """Compute the expected worth of what agents get."""
        return self._expected(parameters, aggregates, WORTH)

    def transfers(self, parameters: Array, aggregates: Array) -> Array:
        """Compute expected receipts less what is paid."""
        return self._expected(parameters, aggregates, MONEY)

    def measures(self, parameters: Array, policy: Array) -> dict[str, Array]:
        """Compute the expected revenue, welfare and surplus."""
        xp, z = namespace(policy), self.aggregates(policy)

        def both(table: Array) -> Array:
            return xp.sum(policy * table, axis=(-3, -2, -1))

        return {
            "revenue": both(self._expected(parameters, z, -MONEY)),
            "welfare": both(self.utilities(parameters, z)),
            "surplus": both(self.rewards(parameters, z)),
        }

    # -- the table and the game ---------------------------------------------------------------------------------

    def observations(self, parameters: np.ndarray) -> np.ndarray:
        """Return the participant's number and w, (1, 2, d)."""
        rule = np.broadcast_to(parameters, (2, len(parameters)))
        return np.concatenate([np.arange(2.0)[:, None], rule], axis=-1)[None]

    def locate(self, obs: Array) -> tuple[Array, Array, Array]:
        """Return the participant that observes."""
        xp = namespace(obs)
        states = xp.astype(obs[..., :1], xp.int64)
        return xp.zeros_like(states[..., 0]), states, xp.ones_like(obs[..., :1])

    def behaviour(self, policy: np.ndarray) -> dict[str, float]:
        """Summarise the mean payment that each participant offers, ``payment_0`` and ``payment_1``."""
        means = policy[0] @ np.array(self.game.menu)
        return {f"payment_{i}": float(mean) for i, mean in enumerate(means)}
