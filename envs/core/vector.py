"""The Gymnasium VectorEnv of any game, and the games-with-one-learner that the scalar Env shares with it."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from lawgiver.envs.core.actions import check_actions
from lawgiver.envs.core.errors import ParameterError, allowed
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import PolicyLike
from lawgiver.envs.core.registry import make_game, make_policy
from lawgiver.envs.core.rendering import RENDER_MODES, check_render_mode, render
from lawgiver.envs.core.session import Session


def learner_session(
    game: Game[Any], role: str, mechanism: PolicyLike | None, participants: PolicyLike | None
) -> Session:
    """Return a session in which one agent (the mechanism, or participant 0) is played from outside.

    Raises:
        ParameterError: if the role is unknown, or a role that must be given a policy has none.
    """
    if role not in game.roles:
        raise ParameterError(f"unknown role {role!r} of {game.name}: {allowed(role, game.roles)}")
    if role == "mechanism" and mechanism is not None:
        raise ParameterError("role='mechanism' is played from outside: leave out mechanism=")
    given = {"mechanism": mechanism, "participant": participants}
    policies = {}
    for other in game.roles:
        if other == role and game.roles[role] == 1:
            continue
        policies[other] = make_policy(game, other, given[other] or "random")
    partners = policies.pop(role, None)
    return Session(game, policies, partners)


class GameVectorEnv(VectorEnv[Any, Any, Any]):
    """A batch of games with one learner each, as a Gymnasium VectorEnv. No Python loop runs over the games.

    Observations are float32 (num_envs, d), the fields of the game's ``observation_layout``; rewards (num_envs,) are
    what the learner earned since the step before, in the game's own units. Autoreset is ``NEXT_STEP``: the step after
    a game's end ignores its action and returns the first observation of a new game, reward 0 and both flags False.
    ``infos["action_mask"]``, int8 (num_envs, n_actions), marks the legal actions where actions are Discrete, and is
    the only key. An illegal action inside the space is played as the nearest legal one.

    Args:
        game: the rules.
        role: who learns: ``mechanism``, or ``participant`` (participant 0, the others play ``participants``).
        num_envs: number of games.
        mechanism: plays the mechanism where a participant learns (default ``random``).
        participants: plays the (other) participants (default ``random``).
        render_mode: None, ``ansi`` or ``rgb_array``; shows game 0.

    Raises:
        ParameterError: if the role or the render mode is unknown, or ``num_envs`` is below 1.
        ActionError: from ``step``, if an action is NaN or outside its space, or their number is wrong.
    """

    metadata = {"render_modes": list(RENDER_MODES), "autoreset_mode": AutoresetMode.NEXT_STEP}  # noqa: RUF012

    def __init__(
        self,
        game: Game[Any],
        *,
        role: str,
        num_envs: int,
        mechanism: PolicyLike | None = None,
        participants: PolicyLike | None = None,
        render_mode: str | None = None,
    ) -> None:
        """See the class."""
        if num_envs < 1:
            raise ParameterError(f"num_envs is {num_envs}, allowed: 1 or more")
        self.game, self.role, self.num_envs = game, role, num_envs
        self.render_mode = check_render_mode(render_mode)
        self.session = learner_session(game, role, mechanism, participants)
        self.single_observation_space = game.observation_space(role)
        self.single_action_space = game.action_space(role)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._who = tuple(f"game {i}" for i in range(num_envs))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start every game anew. One seed serves the whole batch; ``options`` has no keys that are read."""
        super().reset(seed=seed)
        self.session.rng = self.np_random
        self.session.reset(self.num_envs)
        return self._observe()

    def step(self, actions: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Play the learner's turn in every game and everything up to its next turn."""
        checked = check_actions(self.single_action_space, actions, self._who)
        session = self.session
        session.step(checked[:, None])
        observation, info = self._observe()
        rewards = session.rewards[self.role][:, 0].copy()  # the caller may write into what it gets
        return observation, rewards, session.terminated.copy(), session.truncated.copy(), info

    def _observe(self) -> tuple[np.ndarray, dict[str, Any]]:
        state = self.session.state
        observation = self.game.observe(state, self.role)[:, 0].astype(np.float32)
        mask = self.game.legal_actions(state, self.role)
        return observation, {} if mask is None else {"action_mask": mask[:, 0].astype(np.int8)}

    def render(self) -> Any:
        """Return game 0 as text or image in a tuple, by ``render_mode``, None without one."""
        return None if self.render_mode is None else (render(self.game, self.session.state, self.render_mode),)

    def close_extras(self, **kwargs: Any) -> None:
        """Nothing is held open."""


VIEW_OPTIONS = ("role", "mechanism", "participants", "render_mode")


def view_and_game(game: str, kwargs: dict[str, Any]) -> tuple[Game[Any], dict[str, Any]]:
    """Split keywords into a view's and the game's, and return the game with the view's."""
    view = {key: kwargs.pop(key) for key in VIEW_OPTIONS if key in kwargs}
    if "role" not in view:
        raise ParameterError("role is missing: allowed: mechanism, participant (who learns; the others are given)")
    return make_game(game, **kwargs), view


def make_vector_env(game: str, num_envs: int = 1, **kwargs: Any) -> GameVectorEnv:
    """Return the VectorEnv of a registered game; keywords are the view's or the game's parameters."""
    made, view = view_and_game(game, kwargs)
    return GameVectorEnv(made, num_envs=num_envs, **view)
