"""Mechanisms of the common-pool trust game that send offers every round (allocate mode)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lawgiver.agents.policies import Memoryless, RulePolicy
from lawgiver.envs.commons_trust.game import CommonsTrust
from lawgiver.envs.commons_trust.rule_family import family_offers
from lawgiver.envs.core.arrays import Array, Rng, constant, namespace, total, uniform
from lawgiver.envs.core.errors import UnsupportedGameError, allowed
from lawgiver.envs.core.fields import columns
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Memory, Policy


class FamilyOffers(RulePolicy):
    """Offers all of the pool by a member of the game's family of rules."""

    def __init__(self, game: CommonsTrust, parameters: Sequence[float]) -> None:
        """Keep the parameters (3,): weight, exponent and floor."""
        self._columns = columns(game.observation_layout("mechanism"))
        self._capacity = game.capacity
        self.parameters = np.asarray(parameters, float)

    def action(self, obs: Array) -> Array:
        """Compute the offers (B, 1, n)."""
        pool, returns = obs[..., self._columns["pool"]][..., 0], obs[..., self._columns["returns"]]
        return family_offers(constant(self.parameters, obs), pool, returns, self._capacity)


class RandomOffers(Memoryless):
    """Offers a share of the pool drawn uniformly from [0, 1], divided uniformly on the simplex."""

    def __init__(self, game: CommonsTrust) -> None:
        """Read where the pool is observed."""
        self._pool, self._n = columns(game.observation_layout("mechanism"))["pool"], game.n

    def distribution(self, obs: Array, mask: Array | None, state: Memory) -> tuple[Array, Memory]:
        """Compute the mean and the standard deviation of the offers, (B, 1, 2, n).

        The share U has moments 1/2 and 1/3, a part D of n on the simplex 1/n and 2 / (n (n + 1)).
        """
        n = self._n
        mean = 1 / (2 * n)
        deviation = (2 / (3 * n * (n + 1)) - mean**2) ** 0.5
        moments = constant(np.broadcast_to([[mean], [deviation]], (2, n)), obs)
        return obs[..., self._pool][..., None] * moments, state

    def act(self, obs: Array, mask: Array | None, state: Memory, rng: Rng) -> tuple[Array, Memory]:
        """Draw the offers (B, 1, n)."""
        drawn = uniform(rng, (*obs.shape[:2], self._n + 1))
        parts = -namespace(drawn).log1p(-drawn[..., 1:])  # exponential: their proportions are uniform on the simplex
        whole = total(parts)[..., None]
        tiny = constant(np.finfo(np.float32).tiny, drawn)
        return obs[..., self._pool] * drawn[..., :1] * parts / namespace(drawn).maximum(whole, tiny), state


def random_offers(game: Game[Any]) -> Policy:
    """Return the mechanism that offers a random share of the pool, uniformly divided (allocate mode only).

    Raises:
        UnsupportedGameError: of a game other than the common-pool trust game, or in announce mode.
    """
    if not isinstance(game, CommonsTrust):
        raise UnsupportedGameError(f"mechanism 'random_offers' plays commons_trust, not {game.name}")
    if game.announces:
        announced = allowed("random", [*game.members, "random"])
        raise UnsupportedGameError(f"mechanism 'random_offers' is no rule that can be announced: {announced}")
    return RandomOffers(game)
