"""Playing: a batch of games in which some roles are given policies and the rest is played from outside.

Every view is a session with a coat. :meth:`Session.step` plays the phase of the role that waits, then all phases of
the given roles, until a role from outside is to act again or the game is over.

Ends and beginnings. A game that its rules end is *terminated*, one that is cut off is *truncated*, never both. Where
the games of a batch end apart, the step after a game's end starts it anew (Gymnasium's ``NEXT_STEP`` autoreset): that
step ignores the game's action, pays nobody in it, and leaves it at the first turn of a role from outside. What given
policies earn before that turn is paid to nobody, in a new game as after :meth:`Session.reset`.

Randomness. Everything random is drawn from ``rng``, always with the batch as leading axis: game i of a batch depends
on the i-th row of what is drawn, and on nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from lawgiver.envs.core.arrays import Array, Rng, merge_games
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError
from lawgiver.envs.core.game import Game, Rewards
from lawgiver.envs.core.policy import Memory, OutcomePolicy, Policy


class Session:
    """A batch of games in play (NumPy).

    Args:
        game: the rules.
        policies: who plays the roles that are not played from outside, by role.
        partners: who plays the other seats of the role that is played from outside, where only seat 0 is.

    Attributes:
        outside: the roles played from outside, in the game's order.
        state: of all games.
        rewards: what every role earned in the last step, (B, n_role) each; do not write into it.
        terminated: games that their rules have ended, (B,); ``truncated``: games that were cut off.
        rng: a ``numpy.random.Generator``; set it before :meth:`reset` to seed the games.

    Raises:
        ParameterError: if no role is left to be played from outside.
    """

    def __init__(self, game: Game[Any], policies: Mapping[str, Policy], partners: Policy | None = None) -> None:
        """See the class."""
        self.game = game
        self.outside = tuple(role for role in game.roles if role not in policies)
        if not self.outside:
            raise ParameterError(f"{game.name}: every role is given a policy, allowed: all but one or more roles")
        self.policies = dict(policies)
        self.partners = partners
        if partners is not None:
            self.policies[self.outside[0]] = partners
        self._outcomes = {role: p.outcome for role, p in self.policies.items() if isinstance(p, OutcomePolicy)}
        self.rng: Rng = np.random.default_rng()
        self.state: Any = None
        self.memory: dict[str, Memory] = {}
        self.rewards: Rewards = {}

    def reset(self, batch: int) -> None:
        """Start ``batch`` new games and play until a role from outside is to act."""
        self.batch = batch
        self.state = self.game.initial_state(batch, self.rng)
        self.memory = {role: policy.initial_state(batch) for role, policy in self.policies.items()}
        self.terminated = np.zeros(batch, bool)
        self.truncated = np.zeros(batch, bool)
        nothing = {role: np.zeros((batch, count)) for role, count in self.game.roles.items()}
        self.rewards = nothing
        self._play_given()
        self.rewards = nothing

    @property
    def acting(self) -> str:
        """The role that is to act: one from outside, unless the games are over."""
        return self.game.phase(self.state)

    def step(self, actions: np.ndarray) -> None:
        """Play the acting role's actions, (B, n_role[, k]), and everything up to the next turn from outside.

        With partners, ``actions`` are those of seat 0, (B, 1[, k]). Afterwards ``rewards``, ``terminated`` and
        ``truncated`` are those of this step. Games that had ended before are started anew.
        """
        over = self.terminated | self.truncated
        if not np.count_nonzero(over):
            self.rewards = self._apply(self._outcome(actions), alive=None)
            if self.policies:
                self._play_given()
        elif over.all():
            self.reset(self.batch)
        else:
            self.rewards = self._apply(self._outcome(actions), alive=~over)
            self._restart(over)
            self._play_given()
            self.rewards = {role: np.where(over[:, None], 0.0, paid) for role, paid in self.rewards.items()}

    def _restart(self, over: np.ndarray) -> None:
        """Put new games in the place of those that are over, once the others have finished their round."""
        fresh = self.game.initial_state(self.batch, self.rng)
        while fresh.turn != self.state.turn:
            if self.acting in self.outside:
                raise UnsupportedGameError(
                    f"{self.game.name}: games of a batch that end apart must begin at the turn at which others end"
                )
            self._play_phase(~(self.terminated | self.truncated))
        self.state = merge_games(self.state, fresh, over)
        for role, policy in self.policies.items():
            if self.memory[role] is not None:
                self.memory[role] = merge_games(self.memory[role], policy.initial_state(self.batch), over)
        self.terminated = self.terminated & ~over
        self.truncated = self.truncated & ~over

    def _play_given(self) -> None:
        """Play the phases of the given roles until somebody from outside acts or every game is over."""
        while self.acting not in self.outside:
            ended = self.terminated | self.truncated
            if ended.all():
                return
            self._play_phase(~ended if ended.any() else None)

    def _play_phase(self, alive: np.ndarray | None) -> None:
        role = self.acting
        obs, mask = self.game.observe(self.state, role), self.game.legal_actions(self.state, role)
        if role in self._outcomes:
            outcome, self.memory[role] = self._outcomes[role](obs, mask, self.memory[role], self.rng)
        else:
            actions, self.memory[role] = self.policies[role].act(obs, mask, self.memory[role], self.rng)
            outcome = self.game.outcome(self.state, actions)
        paid = self._apply(outcome, alive)
        self.rewards = {earner: self.rewards[earner] + paid[earner] for earner in paid}

    def _apply(self, outcome: Array, alive: np.ndarray | None) -> Rewards:
        """Advance the rules; games that are not alive stay as they ended and earn nothing."""
        draws = self.game.draw(self.batch, self.rng)
        state, rewards, terminated, truncated = self.game.advance(self.state, outcome, draws)
        if alive is None:
            self.state, self.terminated, self.truncated = state, terminated, truncated
            return rewards
        self.state = merge_games(replace(self.state, turn=state.turn), state, alive)
        self.terminated = np.where(alive, terminated, self.terminated)
        self.truncated = np.where(alive, truncated, self.truncated)
        return {role: np.where(alive[:, None], reward, 0.0) for role, reward in rewards.items()}

    def _outcome(self, actions: np.ndarray) -> Array:
        """Return the outcome of the actions from outside, the partners' included."""
        if self.partners is not None:
            role = self.outside[0]
            obs, mask = self.game.observe(self.state, role), self.game.legal_actions(self.state, role)
            everyone, self.memory[role] = self.partners.act(obs, mask, self.memory[role], self.rng)
            actions = np.concatenate([actions, everyone[:, 1:]], axis=1)
        return self.game.outcome(self.state, actions)
