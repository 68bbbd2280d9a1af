"""The consumers' subgame: states are appetites 0 .. K, actions are quantities 0 .. ration, there are T rounds.

Participants begin, choose and recover independently of one another. What round t costs one of them that gets x is then
a matter of two moments of the others' quantities, m_t = E[x] and s_t = E[x^2]:

    E[(x + X_others)^2] = x^2 + 2 (n - 1) m_t x + (n - 1) s_t + (n - 1) (n - 2) m_t^2

and only m_t, the path of mean consumption, bears on what to do: the aggregates are m_1 .. m_T, s_1 .. s_T. Welfare is

    n sum_t (E[gain] - supply_cost / 2 (s_t / n + (1 - 1 / n) m_t^2)).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace
from lawgiver.envs.solvers.equilibrium.subgame import Subgame

if TYPE_CHECKING:
    from lawgiver.envs.divisible_good.game import DivisibleGood


class DivisibleGoodSubgame(Subgame):
    """See the module's docstring. What is illegal, more than the appetite, counts as the appetite.

    Attributes:
        quantities: units that one gets, (S, A).
        gains: without prices and the cost of supply, (S, A).
    """

    game: DivisibleGood

    def __init__(self, game: DivisibleGood) -> None:
        """Build the tables."""
        self.game = game
        self.coupled = game.agent_objective == "full"
        self.shape = (game.rounds, game.appetite + 1, game.ration + 1)
        self._appetites = np.arange(self.shape[1])[:, None] + np.zeros(self.shape[1:])
        self.quantities = np.minimum(np.arange(self.shape[2]), self._appetites)
        self.gains = np.asarray(game.gain(self._appetites, self.quantities))
        left = (self._appetites - self.quantities).astype(int)
        stays = np.eye(self.shape[1])[left]
        grows = np.eye(self.shape[1])[np.minimum(left + 1, game.appetite)]
        self._transitions: np.ndarray = (1 - game.recovery) * stays + game.recovery * grows

    def initial_distribution(self) -> np.ndarray:
        """Return the probability of each opening appetite."""
        return np.asarray(self.game.initial_distribution)

    def transitions(self) -> np.ndarray:
        """Return the probability of the next appetite."""
        return self._transitions

    def legal(self) -> np.ndarray:
        """Mask the quantities that do not exceed the appetite."""
        return np.asarray(np.arange(self.shape[2]) <= self._appetites)

    def transfers(self, parameters: Array, aggregates: Array) -> Array:
        """Return minus the cost of quantities, by round, whatever the others do."""
        return -self.charges(parameters)

    def charges(self, parameters: Array) -> Array:
        """Compute the cost of quantities under w (..., D), by round, (..., T, S, A)."""
        quantities = constant(self.quantities, parameters)
        prices = parameters[..., :-1, None, None]
        if self.game.prices == "flat":
            prices = prices + constant(np.zeros((self.shape[0], 1, 1)), parameters)
        return prices * quantities + parameters[..., -1, None, None, None] * quantities**2 / 2

    def _shares(self, aggregates: Array) -> Array:
        """Compute a participant's share of the cost of supply, (..., T, S, A)."""
        n, rounds = self.game.n, self.shape[0]
        mean, square = aggregates[..., :rounds, None, None], aggregates[..., rounds:, None, None]
        own = constant(self.quantities, aggregates)
        supplied = own**2 + 2 * (n - 1) * mean * own + (n - 1) * square + (n - 1) * (n - 2) * mean**2
        return self.game.supply_cost * supplied / (2 * n**2)

    def rewards(self, parameters: Array, aggregates: Array) -> Array:
        """Return gains less prices, and where they count it less the share of the cost of supply."""
        reckoned = constant(self.gains, parameters) + self.transfers(parameters, aggregates)
        return reckoned - self._shares(aggregates) if self.coupled else reckoned

    def utilities(self, parameters: Array, aggregates: Array) -> Array:
        """Return gains less the share of the cost of supply."""
        return constant(self.gains, aggregates) - self._shares(aggregates)

    def _means(self, joint: Array, table: np.ndarray) -> Array:
        """Return the mean of a table (S, A) in each round, (..., T), for the occupancy (..., T, S, A)."""
        return namespace(joint).sum(joint * constant(table, joint), axis=(-2, -1))

    def aggregates(self, policy: Array) -> Array:
        """Return E[x] and E[x^2] by round, (..., 2 T)."""
        joint = self.occupancy(policy)
        moments = [self._means(joint, self.quantities), self._means(joint, self.quantities**2)]
        return namespace(policy).concat(moments, axis=-1)

    def measures(self, parameters: Array, policy: Array) -> dict[str, Array]:
        """Compute the expected welfare, which w bears on through play alone."""
        return {"welfare": self.welfare(policy)}

    def welfare(self, policy: Array) -> Array:
        """Return the expected sum of utilities over all rounds."""
        n, joint = self.game.n, self.occupancy(policy)
        mean, square = self._means(joint, self.quantities), self._means(joint, self.quantities**2)
        supply = self.game.supply_cost / 2 * (square / n + (1 - 1 / n) * mean**2)
        return n * namespace(policy).sum(self._means(joint, self.gains) - supply, axis=-1)

    def observations(self, parameters: np.ndarray) -> np.ndarray:
        """Return appetite, round (of several) and w, (T, S, d)."""
        rounds, count = self.shape[:2]
        own = np.broadcast_to(self._appetites[:, :1], (rounds, count, 1))
        when = np.broadcast_to(np.arange(rounds, dtype=float)[:, None, None], (rounds, count, 1))
        rule = np.broadcast_to(parameters, (rounds, count, parameters.shape[-1]))
        return np.concatenate([own, when, rule] if rounds > 1 else [own, rule], axis=-1)

    def locate(self, obs: Array) -> tuple[Array, Array, Array]:
        """Return round and appetite, of weight one."""
        xp = namespace(obs)
        states = xp.astype(xp.round(obs[..., :1]), xp.int64)
        first = xp.zeros_like(states[..., 0])
        rounds = xp.astype(xp.round(obs[..., 1]), xp.int64) if self.shape[0] > 1 else first
        return xp.clip(rounds, 0, self.shape[0] - 1), states, xp.ones_like(obs[..., :1])

    def behaviour(self, policy: np.ndarray) -> dict[str, float]:
        """Return ``consumption_1`` .. ``consumption_T``, the mean quantity in each round."""
        means = self._means(self.occupancy(policy), self.quantities)
        return {f"consumption_{t + 1}": float(mean) for t, mean in enumerate(means)}
