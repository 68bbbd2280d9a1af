"""Participants by name."""

from __future__ import annotations

from typing import Any

import gymnasium

from lawgiver.agents.policies import DiscretePolicy, point_mass, require_field, uniform_policy
from lawgiver.envs.core.arrays import Array, Rng, constant, namespace, total
from lawgiver.envs.core.errors import UnsupportedGameError, number
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Memory, Policy


def _choices(game: Game[Any], who: str) -> int:
    space = game.action_space("participant")
    if not isinstance(space, gymnasium.spaces.Discrete):
        raise UnsupportedGameError(f"participant {who!r} needs Discrete actions; those of {game.name} are {space}")
    return int(space.n)


class Always(DiscretePolicy):
    """Takes the lowest or the highest legal action."""

    blind = True

    def __init__(self, n_actions: int, highest: bool) -> None:
        """Keep the settings."""
        self.n_actions, self.highest = n_actions, highest

    def _choose(self, obs: Array, mask: Array | None) -> Array:
        xp = namespace(obs)
        if mask is None:
            return xp.full(obs.shape[:2], self.n_actions - 1 if self.highest else 0, dtype=xp.int64)
        extreme = self.n_actions - 1 if self.highest else 0
        if bool(xp.all(mask[..., extreme])):
            return xp.full(obs.shape[:2], extreme, dtype=xp.int64)
        legal = xp.astype(mask, xp.int8)
        return (
            self.n_actions - 1 - xp.argmax(xp.flip(legal, axis=-1), axis=-1)
            if self.highest
            else xp.argmax(legal, axis=-1)
        )

    def distribution(self, obs: Array, mask: Array | None, state: Memory) -> tuple[Array, Memory]:
        """Return certainty of the one action."""
        return point_mass(self._choose(obs, mask), self.n_actions, obs), state

    def act(self, obs: Array, mask: Array | None, state: Memory, rng: Rng) -> tuple[Array, Memory]:
        """Return the one action."""
        return self._choose(obs, mask), state


class ConditionalCooperators(DiscretePolicy):
    """People who give about as much as the others gave, and more where giving has paid."""

    def __init__(self, game: Game[Any], first: float, conformity: float, reaction: float) -> None:
        """Read the last round's columns of the observation."""
        self.n_actions = _choices(game, "conditional_cooperators")
        self._columns = require_field(
            game, "participant", "payouts", "participant 'conditional_cooperators'",
            "play public_investment with participant_observation='paper'",
        )  # fmt: skip
        self.first, self.conformity, self.reaction = first, conformity, reaction

    def _choose(self, obs: Array) -> Array:
        xp = namespace(obs)
        at = self._columns
        endowments, contributions = obs[..., at["endowments"]], obs[..., at["contributions"]]
        ratios = contributions / endowments
        own = ratios[..., 0]
        others = (total(ratios) - own) / (ratios.shape[-1] - 1)
        gain = (obs[..., at["payouts"]][..., 0] - contributions[..., 0]) / endowments[..., 0]
        fraction = (1 - self.conformity) * own + self.conformity * others + self.reaction * gain
        fraction = xp.where(obs[..., at["round"]][..., 0] > 0, fraction, constant(self.first, obs))
        amount = xp.floor(xp.clip(fraction, 0.0, 1.0) * endowments[..., 0] + 0.5)
        return xp.astype(amount, xp.int64)

    def distribution(self, obs: Array, mask: Array | None, state: Memory) -> tuple[Array, Memory]:
        """Return certainty of the one action."""
        return point_mass(self._choose(obs), self.n_actions, obs), state

    def act(self, obs: Array, mask: Array | None, state: Memory, rng: Rng) -> tuple[Array, Memory]:
        """Return the one action."""
        return self._choose(obs), state


def random(game: Game[Any]) -> Policy:
    """Return participants who draw uniformly from their legal actions, or from their Box. Every game has them."""
    return uniform_policy(game, "participant")


def free_rider(game: Game[Any]) -> Policy:
    """Return participants who take their lowest legal action: contribute nothing, defect."""
    return Always(_choices(game, "free_rider"), highest=False)


def full_contributor(game: Game[Any]) -> Policy:
    """Return participants who take their highest legal action: contribute everything, cooperate."""
    return Always(_choices(game, "full_contributor"), highest=True)


def conditional_cooperators(
    game: Game[Any], *, first: float = 0.5, conformity: float = 0.5, reaction: float = 0.1
) -> Policy:
    """Return participants of the public investment game who follow the others and what has paid.

    With rho = c / e the fraction contributed in the last round, the next one is

        rho_i' = clip((1 - conformity) rho_i + conformity mean_{j != i} rho_j + reaction (payout_i - c_i) / e_i, 0, 1)

    and ``first`` in the first round; the contribution is e_i rho_i', rounded half up. A stylised population, fitted to
    nobody; it needs ``participant_observation="paper"``.

    Raises:
        ParameterError: if ``first`` or ``conformity`` is outside [0, 1] or ``reaction`` is negative.
    """
    first, conformity = number("first", first, "[0, 1]"), number("conformity", conformity, "[0, 1]")
    reaction = number("reaction", reaction, "[0, inf)")
    return ConditionalCooperators(game, first, conformity, reaction)
