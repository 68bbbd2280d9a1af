"""The Gymnasium VectorEnv of any game, and the games-with-one-learner that the scalar Env shares with it."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from lawgiver.envs.core.actions import check_actions
from lawgiver.envs.core.choices import Choices
from lawgiver.envs.core.errors import ParameterError, allowed, integer
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import PolicyLike
from lawgiver.envs.core.registry import make_policy, make_view
from lawgiver.envs.core.rendering import METADATA, Screen
from lawgiver.envs.core.session import Session
from lawgiver.envs.core.shown import learners_masks, mask_key, masks, seen_by_learner, shown, shown_space


def check_role(game: Game[Any], role: str | None) -> str:
    """Return the role that learns.

    Raises:
        ParameterError: if it is missing or unknown.
    """
    if role is None:
        raise ParameterError(f"role is missing: {allowed('', game.roles)} (who learns; the others are given)")
    game.check_role(role)
    return role


def learner_session(
    game: Game[Any], role: str, mechanism: PolicyLike | None, participants: PolicyLike | None
) -> Session:
    """Return a session in which one agent (the mechanism, or the first of a role) is played from outside.

    Raises:
        ParameterError: if the role that learns is given a policy, or a policy is none.
    """
    if role == "mechanism" and mechanism is not None and game.roles[role] == 1:
        raise ParameterError("role='mechanism' is played from outside: leave out mechanism=")
    given = {"mechanism": mechanism, "participant": participants}
    policies = {}
    for other in game.roles:
        if other == role and game.roles[role] == 1:
            continue
        policy = given[other]
        policies[other] = make_policy(game, other, "random" if policy is None else policy)
    partners = policies.pop(role, None)
    return Session(game, policies, partners)


def forget_entropy(env: Any, seed: Any) -> None:
    """Have an env that nobody ever seeded draw new entropy at this reset.

    Its copies, deep or pickled, then play games of their own from their next reset on. After ``reset(seed=...)``, or
    with an ``np_random`` that was set from outside, later resets go on with that generator, in copies too.
    """
    env._seeded = env._seeded or seed is not None
    if not env._seeded and env._np_random_seed != -1:
        env._np_random = None


class GameVectorEnv(VectorEnv[Any, Any, Any]):
    """A batch of games with one learner each, as a Gymnasium VectorEnv. No Python loop runs over the games.

    Observations are float32 (num_envs, d), the fields of the game's ``observation_layout``; rewards (num_envs,) are
    what the learner earned since the step before, in the game's own units. Autoreset is ``NEXT_STEP``: the step
    after a game's end ignores its action and returns the first observation of a new game, reward 0 and both flags
    False. ``infos["action_mask"]``, int8 (num_envs, n_actions), marks the legal actions of a Discrete role of which
    the rules forbid some; with ``mask_in_observation`` the observations of a Discrete role are ``{"observation":
    ..., "action_mask": ...}`` instead. Infos hold what the game tells besides. An illegal action inside the space
    is played as the nearest legal one.

    Args:
        game: the rules.
        role: who learns: ``mechanism``, or ``participant`` (participant 0, the others play ``participants``).
        num_envs: number of games.
        mechanism: plays the mechanism where a participant learns, the other mechanisms where there are several
            (default ``random``).
        participants: plays the (other) participants (default ``random``).
        mask_in_observation: see above.
        render_mode: None, ``human`` (prints game 0 at every step), ``ansi`` or ``rgb_array``.
        discretise: levels of each component of a Box action, whose space is Discrete then; see :class:`Choices`.
        clip_actions: whether Box actions beyond their bounds are cut to them instead of being refused.

    Raises:
        ParameterError: if the role or the render mode is unknown, or ``num_envs`` is below 1.
        ActionError: from ``step``, if the action of a game that is not over is NaN or outside its space, or their
            number is wrong; from ``step`` and ``render``, before the first ``reset``.
    """

    metadata = {**METADATA, "autoreset_mode": AutoresetMode.NEXT_STEP}  # noqa: RUF012
    _seeded = False

    def __init__(
        self,
        game: Game[Any],
        *,
        role: str | None = None,
        num_envs: int = 1,
        mechanism: PolicyLike | None = None,
        participants: PolicyLike | None = None,
        mask_in_observation: bool | str = False,
        render_mode: str | None = None,
        discretise: int | None = None,
        clip_actions: bool = False,
    ) -> None:
        """See the class."""
        self.game, self.role = game, check_role(game, role)
        self.metadata = dict(self.metadata)  # Gymnasium writes into it
        self.num_envs = integer("num_envs", num_envs, 1)
        self._screen = Screen(game, render_mode)
        self.render_mode = render_mode
        self.session = learner_session(game, self.role, mechanism, participants)
        self._choices = Choices(game, self.role, discretise, clip_actions)
        self._key = mask_key(mask_in_observation)
        self.single_observation_space = shown_space(
            game, self.role, self._choices.space, key=self._key, flagged=game.seats_take_turns
        )
        self.single_action_space = self._choices.space
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._who = tuple(f"game {i}" for i in range(self.num_envs))

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start every game anew. One seed serves the whole batch; ``options`` has no keys that are read."""
        forget_entropy(self, seed)
        super().reset(seed=None if seed is None else integer("seed", seed, 0))
        self.session.rng = self.np_random
        self.session.reset(self.num_envs)
        self._screen.print_frame(self.session.state, over=False)
        return self._observe()

    def step(self, actions: Any) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Play the learner's turn in every game and everything up to its next turn."""
        session = self.session
        over = session.terminated | session.truncated
        if np.count_nonzero(over):
            actions = _ignoring(actions, over, self.single_action_space)
        checked = check_actions(self.game, self.role, self._choices.sent(actions, self._who), self._who)
        session.step(checked[:, None])
        observation, info = self._observe()
        self._screen.print_frame(session.state, bool(self._over[0]))
        rewards = session.rewards[self.role][:, 0].copy()  # the caller may write into what it gets
        return observation, rewards, session.terminated.copy(), session.truncated.copy(), info

    def action_masks(self) -> np.ndarray:
        """Return which actions of each learner are legal now, bool (num_envs, n_actions).

        Raises:
            UnsupportedGameError: if the learner's actions are not Discrete.
        """
        return learners_masks(self.game, self.session.state, self.role, self.single_action_space)

    def _observe(self) -> tuple[Any, dict[str, Any]]:
        state = self.session.state
        seen = seen_by_learner(self.game, state, self.role)
        mask = masks(self.game, state, self.role, self._choices.space, everywhere=self._key is not None)
        told = {name: np.array(value) for name, value in self.game.told(state).items()}
        return shown(seen, None if mask is None else mask[:, 0], self._key, told)

    def render(self) -> Any:
        """Return every game as text or image, by ``render_mode``; None without one, and for ``human``."""
        state, over = self.session.state, self._over
        frames = (self._screen.frame(state, index, bool(over[index])) for index in range(self.num_envs))
        return None if self.render_mode in (None, "human") else tuple(frames)

    @property
    def _over(self) -> np.ndarray:
        return np.asarray(self.session.terminated | self.session.truncated)

    def close_extras(self, **kwargs: Any) -> None:
        """Nothing is held open."""


def _ignoring(actions: Any, over: np.ndarray, space: gymnasium.Space[Any]) -> Any:
    """Return actions in which those of games that are over (B,), whatever they are, have become some of the space."""
    filler: Any = space.low if isinstance(space, gymnasium.spaces.Box) else space.start  # type: ignore[attr-defined]
    if isinstance(actions, np.ndarray):
        if actions.shape != (len(over), *(space.shape or ())):
            return actions  # refused by the check that follows
        filled = actions.copy()
        filled[over] = filler
        return filled
    if not isinstance(actions, (list, tuple)) or len(actions) != len(over):
        return actions
    return [filler if ended else action for action, ended in zip(actions, over.tolist(), strict=True)]


def make_vector_env(game: str, **kwargs: Any) -> GameVectorEnv:
    """Return the VectorEnv of a registered game; keywords are the view's or the game's parameters."""
    return make_view(GameVectorEnv, game, kwargs)
