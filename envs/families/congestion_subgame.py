"""The subgame of agents who choose among options that share resources: expected payoffs of options.

States are the groups, actions their options, and the aggregates z are the strategies themselves: how many others an
agent meets depends on how each group mixes. Expectations are exact, see
:mod:`lawgiver.envs.solvers.congestion.anonymous`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace
from lawgiver.envs.solvers.congestion.anonymous import check_size, expected_payoffs, expected_welfare
from lawgiver.envs.solvers.equilibrium.subgame import Subgame

if TYPE_CHECKING:
    from lawgiver.envs.families.congestion_game import CongestionMechanism


class CongestionSubgame(Subgame):
    """See the module's docstring. Participants see their group, where there are several, and w."""

    game: CongestionMechanism

    def __init__(self, game: CongestionMechanism) -> None:
        """Take the groups and options of the game.

        Raises:
            UnsupportedGameError: if slopes of the aggregates, differenced both ways at once, take too much memory.
        """
        self.game = game
        self.shape = (1, *game.congestion.legal.shape)
        check_size(game.congestion, 2 * game.congestion.legal.size, steep=game.congestion.steep)

    def initial_distribution(self) -> np.ndarray:
        """Return the share of each group among all agents."""
        return np.asarray(self.game.congestion.counts) / self.game.n

    def common_knowledge(self) -> np.ndarray:
        """Return the states themselves: groups go with seats."""
        return np.arange(self.shape[1])

    def legal(self) -> np.ndarray:
        """Mask the options of each group."""
        return self.game.congestion.legal

    def _strategies(self, aggregates: Array) -> Array:
        return namespace(aggregates).reshape(aggregates, (*aggregates.shape[:-1], *self.shape[1:]))

    def rewards(self, parameters: Array, aggregates: Array) -> Array:
        """Compute the expected payoffs of options, transfers included."""
        paid = self.game.resource_transfers(parameters)
        return expected_payoffs(self.game.congestion, self._strategies(aggregates), paid)[..., None, :, :]

    def utilities(self, parameters: Array, aggregates: Array) -> Array:
        """Compute the expected payoffs of options without transfers."""
        return expected_payoffs(self.game.congestion, self._strategies(aggregates))[..., None, :, :]

    def transfers(self, parameters: Array, aggregates: Array) -> Array:
        """Return the sum of transfers over the resources that each option uses."""
        paid = self.game.resource_transfers(parameters)[..., None, None, None, :]
        return namespace(paid).sum(constant(self.game.congestion.uses, paid) * paid, axis=-1)

    def aggregates(self, policy: Array) -> Array:
        """Return the strategies, (..., G * O)."""
        return namespace(policy).reshape(policy, (*policy.shape[:-3], -1))

    def measures(self, parameters: Array, policy: Array) -> dict[str, Array]:
        """Compute the expected welfare, which w bears on through play alone."""
        return {"welfare": self.welfare(policy)}

    def welfare(self, policy: Array) -> Array:
        """Return the expected sum of utilities, exactly."""
        return expected_welfare(self.game.congestion, policy[..., 0, :, :])

    def observations(self, parameters: np.ndarray) -> np.ndarray:
        """Return the group, one-hot, and w, (1, G, d)."""
        n_groups = self.shape[1]
        seen = np.eye(n_groups) if n_groups > 1 else np.zeros((1, 0))
        return np.concatenate([seen, np.broadcast_to(parameters, (n_groups, len(parameters)))], axis=-1)[None]

    def locate(self, obs: Array) -> tuple[Array, Array, Array]:
        """Return the group, for certain."""
        xp, n_groups = namespace(obs), self.shape[1]
        nothing = xp.zeros_like(obs[..., :1], dtype=xp.int64)
        group = xp.argmax(obs[..., :n_groups], axis=-1)[..., None] if n_groups > 1 else nothing
        return nothing[..., 0], group, xp.ones_like(obs[..., :1])

    def behaviour(self, policy: np.ndarray) -> dict[str, float]:
        """Summarise the shares of agents on the options; see the game."""
        return self.game.behaviour(self.initial_distribution()[:, None] * policy[0])
