"""A batch of games in play, in which policies play some roles and the rest are played from outside.

Every view is a thin wrapper around :class:`Session`. :meth:`Session.step` plays the phase of the role from outside,
then all phases of roles with policies, until a role from outside acts again or the game is over.

Ends and beginnings. A game that its rules end is *terminated*, one that is cut off is *truncated*, never both. Where
the games of a batch end at different times, finished games keep their last state and the others continue;
:class:`~lawgiver.envs.views.batch.Batch` restarts games. Rewards from before the first turn of a role from outside
are dropped.

Randomness. Everything random is drawn from ``rng``, always with the batch as leading axis: game i of a batch depends
on the i-th row of what is drawn, and on nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lawgiver.envs.core.arrays import Array, Rng, where_games
from lawgiver.envs.core.checks import mismatch_errors
from lawgiver.envs.core.errors import ActionError, ParameterError, brief
from lawgiver.envs.core.game import Game, Rewards
from lawgiver.envs.core.policy import Memory, OutcomePolicy, Policy
from lawgiver.envs.core.rollout import kept_waiting
from lawgiver.envs.core.validation import check_given, check_outcome
from lawgiver.envs.views.streams import among


class Session:
    """A batch of games in play (NumPy).

    Args:
        game: the rules.
        policies: policies of the roles that are not played from outside, by role.
        partners: policies of the other seats of the role of which only some seats are played from outside.
        seats: those seats, in ascending order; without partners all seats are played from outside.

    Attributes:
        outside: the roles played from outside, in the game's order.
        rewards: what every role earned in the last step, (B, n_role) each; do not write into it.
        terminated: games that their rules have ended, (B,); ``truncated``: games that were cut off.
        rng: a ``numpy.random.Generator``; set it before :meth:`reset` to seed the games. None until the first reset,
            which draws entropy, so that copies of a session that has not begun play games of their own.
        partners_rng: from which the partners draw; None for ``rng``.
        played: role and outcome (B, ...) of each phase of roles with policies in the last step or reset, in order.

    Raises:
        ParameterError: if no role is left to be played from outside, or seats are none of that role.
        ActionError: if a given policy acts outside its space or makes an outcome that the game does not allow. Its
            first play after :meth:`reset` is looked at, and any other whose shape or type differs.
    """

    def __init__(
        self,
        game: Game[Any],
        policies: Mapping[str, Policy],
        partners: Policy | None = None,
        seats: Sequence[int] = (0,),
    ) -> None:
        """See the class."""
        self.game = game
        self.outside = tuple(role for role in game.roles if role not in policies)
        if not self.outside:
            raise ParameterError(f"{game.name}: every role is given a policy, allowed: all but one or more roles")
        self.policies = dict(policies)
        self.partners = partners
        if partners is not None:
            self.policies[self.outside[0]] = partners
            self._places = _places(game, self.outside[0], seats)
        self.partners_rng: Rng | None = None
        self.played: list[tuple[str, Array]] = []
        self._considered: tuple[Array, Memory] | None = None
        self._outcomes = {role: p.outcome for role, p in self.policies.items() if isinstance(p, OutcomePolicy)}
        self.rng: Rng | None = None
        self._state: Any = None
        self._forms: dict[str, Any] = {}
        self.memory: dict[str, Memory] = {}
        self.rewards: Rewards = {}
        self.terminated = self.truncated = np.zeros(0, bool)

    def require_begun(self) -> None:
        """Raise ActionError before the first :meth:`reset`."""
        if self._state is None:
            raise ActionError(f"{self.game.name} has not begun: call reset() first")

    @property
    def state(self) -> Any:
        """The state of all games; raises ActionError before the first :meth:`reset`."""
        self.require_begun()
        return self._state

    def reset(self, batch: int, opening: Any = None) -> None:
        """Start ``batch`` new games and play until a role from outside is to act.

        Args:
            batch: B.
            opening: the state of B games in which they start; None for new ones.
        """
        self.batch = batch
        self.rng = np.random.default_rng() if self.rng is None else self.rng
        self._forms = {}
        self._considered = None
        self._state = self.game.initial_state(batch, self.rng) if opening is None else opening
        self.memory = {}
        for role, policy in self.policies.items():
            with mismatch_errors(self.game, role, policy):
                self.memory[role] = policy.initial_state(batch, self._rng_of(role))
        self.terminated = np.zeros(batch, bool)
        self.truncated = np.zeros(batch, bool)
        nothing = {role: np.zeros((batch, count)) for role, count in self.game.roles.items()}
        self.rewards, self.played = nothing, []
        self._play_given()
        self.rewards = nothing

    @property
    def acting(self) -> str:
        """The role that is to act: one from outside, unless the games are over."""
        return self.game.phase(self.state)

    def step(self, actions: np.ndarray) -> None:
        """Play the acting role's actions, (B, n_role[, k]), and everything up to the next turn from outside.

        With partners, ``actions`` are those of ``seats``, (B, len(seats)[, k]). Afterwards ``rewards`` are those of
        this step.
        Games that had ended before ignore their actions, earn nothing, and stay as they are.
        """
        self.require_begun()
        self.played = []
        alive = self._alive()
        if alive is not None and not alive.any():
            self.rewards = {role: np.zeros((self.batch, count)) for role, count in self.game.roles.items()}
            return
        self.rewards = self._apply(self._outcome(actions), alive)
        if self.policies:
            self._play_given()

    @property
    def considered(self) -> Array:
        """Actions of the partners now, (B, n_role[, k]), of which those of seats from outside are replaced.

        They are asked once a turn: the first time that somebody looks, or by :meth:`step`.
        """
        return self._partners_choice()[0]

    def _partners_choice(self) -> tuple[Array, Memory]:
        """Return the partners' actions of this turn, and their memory after it."""
        if self._considered is None:
            assert self.partners is not None
            role = self.outside[0]
            obs, mask = self._seen(role)
            self._considered = self._chosen(role, self.partners.act, obs, mask, self._alive())
            self._check(check_given, role, self._considered[0])
        return self._considered

    def _alive(self) -> np.ndarray | None:
        """Flag the games that are not over, (B,); None if none is."""
        over = self.terminated | self.truncated
        return ~over if np.count_nonzero(over) else None

    def snapshot(self) -> tuple[Any, ...]:
        """Return the state of all games in play, a tree of arrays (B, ...)."""
        return self._state, self.memory, self.rewards, self.terminated, self.truncated

    def restore(self, kept: tuple[Any, ...]) -> None:
        """Restore a snapshot; it may be of other games, and of more or fewer."""
        self._state, self.memory, self.rewards, self.terminated, self.truncated = kept
        self._forms = dict(self._forms)
        self._considered = None

    def _play_given(self) -> None:
        """Play the phases of roles with policies until a role from outside acts or every game is over."""
        while self.acting not in self.outside:
            ended = self.terminated | self.truncated
            if ended.all():
                return
            self._play_phase(~ended if ended.any() else None)

    def _play_phase(self, alive: np.ndarray | None) -> None:
        role = self.acting
        obs, mask = self._seen(role)
        if role in self._outcomes:
            outcome, self.memory[role] = self._chosen(role, self._outcomes[role], obs, mask, alive)
            self._check(check_outcome, role, outcome)
            outcome = np.array(outcome)
        else:
            actions, self.memory[role] = self._chosen(role, self.policies[role].act, obs, mask, alive)
            self._check(check_given, role, actions)
            outcome = self.game.outcome(self._state, np.array(actions))
        self.played.append((role, outcome))
        paid = self._apply(outcome, alive)
        self.rewards = {earner: self.rewards[earner] + paid[earner] for earner in paid}

    def _apply(self, outcome: Array, alive: np.ndarray | None) -> Rewards:
        """Advance the rules; games that are not alive stay as they ended and earn nothing."""
        draws = self.game.draw(self.batch, among(self.rng, alive))
        state, rewards, terminated, truncated = self.game.advance(self._state, outcome, draws)
        if alive is None:
            self._state, self.terminated, self.truncated = state, terminated, truncated
            return rewards
        self._state = where_games(alive, state, self._state)
        self.terminated = np.where(alive, terminated, self.terminated)
        self.truncated = np.where(alive, truncated, self.truncated)
        return {role: np.where(alive[:, None], reward, 0.0) for role, reward in rewards.items()}

    def _outcome(self, actions: np.ndarray) -> Array:
        """Return the outcome of the actions from outside, the partners' included."""
        if self.partners is not None:
            everyone, self.memory[self.outside[0]] = self._partners_choice()
            actions = np.concatenate([actions, everyone], axis=1)[:, self._places]
            self._considered = None
        return self.game.outcome(self._state, actions)

    def _rng_of(self, role: str) -> Rng:
        """Return the generator from which the policy of a role draws."""
        partners = self.partners_rng is not None and role == self.outside[0]
        return self.partners_rng if partners else self.rng

    def _chosen(
        self,
        role: str,
        choose: Callable[..., tuple[Any, Memory]],
        obs: Array,
        mask: Array | None,
        alive: np.ndarray | None,
    ) -> Any:
        """Return a supplied policy's choice and memory; its first play shows whether it was made for this game."""
        rng, before = among(self._rng_of(role), alive), self.memory[role]
        if role in self._forms:
            made, after = choose(obs, mask, before, rng)
        else:
            with mismatch_errors(self.game, role, self.policies[role]):
                made, after = choose(obs, mask, before, rng)
        return made, kept_waiting(self.game, self.policies[role], self._state, before, after)

    def _seen(self, role: str) -> tuple[np.ndarray, np.ndarray | None]:
        """Return a supplied policy's observations, in arrays of its own: it may write into them."""
        mask = self.game.legal_actions(self._state, role)
        if getattr(self.policies[role], "blind", False):
            return np.zeros((self.batch, self.game.roles[role], 0)), mask
        obs = self.game.observe(self._state, role)
        return obs if obs.base is None else obs.copy(), None if mask is None else mask.copy()

    def _check(self, check: Callable[..., None], role: str, made: Any) -> None:
        """Check a supplied policy's result on its first play, and when its form changes."""
        form = getattr(made, "shape", None), getattr(made, "dtype", None)
        if self._forms.get(role) != form:
            check(self.game, self._state, role, made, self.batch)
            self._forms[role] = form


def _places(game: Game[Any], role: str, seats: Sequence[int]) -> np.ndarray:
    """Find, for each seat of a role, its place among the actions of ``seats`` and, after them, of all partners.

    Raises:
        ParameterError: unless they are one or more different seats of the role, in ascending order.
    """
    count = game.roles[role]
    if not seats or list(seats) != sorted(set(seats)) or seats[0] < 0 or seats[-1] >= count:
        told = f"allowed: one or more of 0 to {count - 1}, in ascending order"
        raise ParameterError(f"seats of {role} in {game.name} are {brief(list(seats))}, {told}")
    places = len(seats) + np.arange(count)
    places[list(seats)] = np.arange(len(seats))
    return places
