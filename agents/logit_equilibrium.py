"""Participants who play the exact logit equilibrium of the public investment game under a given mechanism."""

from __future__ import annotations

from typing import Any

import numpy as np

from lawgiver.agents.policies import DiscretePolicy
from lawgiver.agents.tables import equilibrium_table
from lawgiver.envs.core.arrays import Array, constant, namespace
from lawgiver.envs.core.errors import NoSolution, UnsupportedGameError, number
from lawgiver.envs.core.fields import columns
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.make import make_policy
from lawgiver.envs.core.policy import Memory, Policy, PolicyLike
from lawgiver.envs.families.mechanism_game import MechanismGame
from lawgiver.envs.public_investment.game import PublicInvestment
from lawgiver.envs.public_investment.one_round import solve


class LogitEquilibrium(DiscretePolicy):
    """Participants who play a table of log-probabilities, indexed by the observed endowments."""

    def __init__(self, game: PublicInvestment, mechanism: Policy, inverse_temperature: float) -> None:
        """Solve every condition of the game.

        Raises:
            UnsupportedGameError: if there is no exact equilibrium, or participants cannot tell from what they see
                which of several equilibria they are in.
        """
        found = columns(game.observation_layout("participant"))
        self._seen = found.get("endowments", found["own_endowment"])
        keys, rows = [], []
        for endowments in game.conditions:
            played = solve(game, mechanism, endowments, inverse_temperature)
            if isinstance(played, NoSolution):
                raise UnsupportedGameError(f"participant 'logit_equilibrium': {played}")
            for seat, own in enumerate(endowments):
                others = sorted(endowments[:seat] + endowments[seat + 1 :])
                keys.append([own, *others][: self._seen.stop - self._seen.start])
                rows.append(played.distributions[seat])
        self._keys, index = np.unique(np.array(keys, float), axis=0, return_index=True)
        table = np.array(rows)
        self._table = table[index]
        for key, row in zip(keys, table, strict=True):
            if np.abs(row - self._table[(self._keys == key).all(axis=1)]).max() > 1e-4:
                raise UnsupportedGameError(
                    f"participant 'logit_equilibrium': a participant with {key[0]} points plays differently from one "
                    "condition to the next and does not see which it is in; use participant_observation='paper'"
                )

    def distribution(self, obs: Array, mask: Array | None, state: Memory) -> tuple[Array, Memory]:
        """Return the equilibrium's log-probabilities (B, n_role, n_actions) and the memory."""
        xp = namespace(obs)
        seen = obs[..., self._seen]
        key = xp.concat([seen[..., :1], xp.sort(seen[..., 1:], axis=-1)], axis=-1)[..., None, :]
        distance = xp.sum(xp.abs(key - constant(self._keys, obs)), axis=-1)
        probabilities = constant(self._table, obs)[xp.argmin(distance, axis=-1)]
        possible = probabilities > 0
        logs = xp.log(xp.where(possible, probabilities, xp.ones_like(probabilities)))
        return xp.where(possible, logs, constant(-np.inf, obs)), state


def logit_equilibrium(game: Game[Any], *, inverse_temperature: float, mechanism: PolicyLike) -> Policy:
    """Return participants in the logit equilibrium under a mechanism: of the public investment game and its like.

    Each takes an action a with probability proportional to exp(inverse_temperature * E[payoff | a]), everybody doing
    so (McKelvey and Palfrey 1995). They play the equilibrium under ``mechanism`` whatever is announced to them.

    Args:
        game: the game.
        inverse_temperature: per point of payoff, >= 0; infinity for rational participants.
        mechanism: a policy in any form that :func:`make_policy` takes; it must not remember or draw at random.

    Raises:
        ParameterError: if the inverse temperature is negative or not a number.
        UnsupportedGameError: if the game is another, or there is no exact equilibrium (see ``exact_scores``).
    """
    if not isinstance(game, (PublicInvestment, MechanismGame)):
        raise UnsupportedGameError(
            f"participant 'logit_equilibrium' plays public_investment, not {game.name}; or games that are solved in "
            "tables (lawgiver.envs.solvers.equilibrium.subgame)"
        )
    level = number("inverse_temperature", inverse_temperature, "[0, inf]")
    rules = make_policy(game, "mechanism", mechanism)
    if isinstance(game, MechanismGame):
        return equilibrium_table(game, rules, level)
    return LogitEquilibrium(game, rules, level)
