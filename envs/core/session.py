"""Playing: a batch of games in which some roles are given policies and the rest is played from outside.

Every view is a session with a coat. ``step`` plays the phase of the role that waits, then all phases of the given
roles, until a role from outside is to act again or the game is over.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from lawgiver.envs.core.arrays import Rng, merge_games
from lawgiver.envs.core.game import Game, Rewards
from lawgiver.envs.core.policy import Memory, OutcomePolicy, Policy


class Session:
    """A batch of games in play (NumPy).

    Args:
        game: the rules.
        policies: who plays the roles that are not played from outside, by role.
        partners: who plays the other seats of the role that is played from outside, where only seat 0 is.
    """

    def __init__(
        self, game: Game[Any], policies: Mapping[str, Policy], partners: Policy | None = None
    ) -> None:
        """See the class."""
        self.game = game
        self.policies = dict(policies)
        self.partners = partners
        self.outside = tuple(role for role in game.roles if role not in self.policies)
        if partners is not None:
            self.policies[self.outside[0]] = partners
        self._gives_outcomes = {role: isinstance(p, OutcomePolicy) for role, p in self.policies.items()}
        self.rng: Rng = np.random.default_rng()
        self.state: Any = None
        self.memory: dict[str, Memory] = {}
        self.rewards: Rewards = {}

    def reset(self, batch: int) -> None:
        """Start ``batch`` new games and play until a role from outside is to act."""
        self.batch = batch
        self.state = self.game.initial_state(batch, self.rng)
        self.memory = {role: policy.initial_state(batch) for role, policy in self.policies.items()}
        self.rewards = {role: np.zeros((batch, count)) for role, count in self.game.roles.items()}
        self.terminated = np.zeros(batch, bool)
        self.truncated = np.zeros(batch, bool)
        self._play_given()

    @property
    def acting(self) -> str:
        """The role from outside that is to act."""
        return self.game.phase(self.state)

    def step(self, actions: np.ndarray) -> None:
        """Play the acting role's actions and everything up to the next turn of a role from outside.

        Afterwards ``rewards`` holds what every role earned meanwhile, ``terminated`` and ``truncated`` which games
        have ended. Games that had ended before this call are started anew instead (their actions are ignored).
        """
        over = self.terminated | self.truncated
        restart = bool(over.any())
        if self.partners is not None:
            actions = self._fill_seats(actions)
        if not restart:
            self.rewards = self._apply(self.game.outcome(self.state, actions), alive=None)
        elif over.all():
            self.reset(self.batch)
            return
        else:
            self.rewards = self._apply(self.game.outcome(self.state, actions), alive=~over)
            self._restart(over)
        if self.policies:
            self._play_given()

    def _restart(self, over: np.ndarray) -> None:
        fresh = self.game.initial_state(self.batch, self.rng)
        while fresh.turn != self.state.turn:  # the others have not finished their round yet
            if self.game.phase(self.state) in self.outside:
                raise RuntimeError(f"{self.game.name}: games that end apart must share the turn at which they start")
            self._play_given_phase(~over)
        self.state = merge_games(self.state, fresh, over)
        for role, policy in self.policies.items():
            if self.memory[role] is not None:
                self.memory[role] = merge_games(self.memory[role], policy.initial_state(self.batch), over)
        self.terminated = self.terminated & ~over
        self.truncated = self.truncated & ~over

    def _play_given(self) -> None:
        """Play the phases of the given roles until somebody from outside acts or every game is over."""
        while self.game.phase(self.state) not in self.outside:
            ended = self.terminated | self.truncated
            if ended.all():
                return
            self._play_given_phase(None if not ended.any() else ~ended)

    def _play_given_phase(self, alive: np.ndarray | None) -> None:
        role = self.game.phase(self.state)
        policy = self.policies[role]
        obs = self.game.observe(self.state, role)
        mask = self.game.legal_actions(self.state, role)
        if self._gives_outcomes[role]:
            outcome, self.memory[role] = policy.outcome(obs, mask, self.memory[role], self.rng)  # type: ignore[attr-defined]
        else:
            actions, self.memory[role] = policy.act(obs, mask, self.memory[role], self.rng)
            outcome = self.game.outcome(self.state, actions)
        for role_, reward in self._apply(outcome, alive).items():
            self.rewards[role_] = self.rewards[role_] + reward

    def _apply(self, outcome: np.ndarray, alive: np.ndarray | None) -> Rewards:
        """Advance the rules; games that are not alive stay as they ended and earn nothing."""
        draws = self.game.draw(self.batch, self.rng)
        state, rewards, terminated, truncated = self.game.advance(self.state, outcome, draws)
        if alive is None:
            self.state, self.terminated, self.truncated = state, terminated, truncated
            return rewards
        self.state = merge_games(state, dataclasses.replace(self.state, turn=state.turn), ~alive)
        self.terminated = np.where(alive, terminated, self.terminated)
        self.truncated = np.where(alive, truncated, self.truncated)
        return {role: np.where(alive[:, None], reward, 0.0) for role, reward in rewards.items()}

    def _fill_seats(self, actions: np.ndarray) -> np.ndarray:
        """Let the partners act for every seat but the first."""
        role = self.outside[0]
        obs = self.game.observe(self.state, role)
        mask = self.game.legal_actions(self.state, role)
        everyone, self.memory[role] = self.partners.act(obs, mask, self.memory[role], self.rng)  # type: ignore[union-attr]
        everyone[:, :1] = actions
        return everyone
