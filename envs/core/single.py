"""The Gymnasium Env of any game: one agent learns, the others are given."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

from lawgiver.envs.core.actions import check_actions
from lawgiver.envs.core.errors import ActionError
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import PolicyLike
from lawgiver.envs.core.rendering import RENDER_MODES, check_render_mode, render
from lawgiver.envs.core.vector import learner_session, view_and_game


class GameEnv(gymnasium.Env[Any, Any]):
    """A game with one learner as a Gymnasium Env; arguments as in :class:`~lawgiver.envs.core.vector.GameVectorEnv`.

    One step is one turn of the learner and everything up to its next turn. ``info["action_mask"]`` (int8, 1 for
    legal) marks the legal actions where actions are Discrete. An illegal action inside the space is played as the
    nearest legal one. The reward is what the learner earned since the step before, in the game's own units. A game
    that ends by its rules is terminated; one that is cut off is truncated. No autoreset.

    Raises:
        ParameterError: if the role or the render mode is unknown.
        ActionError: from ``step``, if the action is NaN or outside its space, or the game is over.
    """

    metadata = {"render_modes": list(RENDER_MODES)}  # noqa: RUF012

    def __init__(
        self,
        game: Game[Any],
        *,
        role: str,
        mechanism: PolicyLike | None = None,
        participants: PolicyLike | None = None,
        render_mode: str | None = None,
    ) -> None:
        """See the class."""
        self.game, self.role = game, role
        self.render_mode = check_render_mode(render_mode)
        self.session = learner_session(game, role, mechanism, participants)
        self.observation_space = game.observation_space(role)
        self.action_space = game.action_space(role)
        self._who = (game.agents_of(role)[0],)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start a new game. ``options`` has no keys that are read."""
        super().reset(seed=seed)
        self.session.rng = self.np_random
        self.session.reset(1)
        return self._observe()

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Play the learner's turn and everything up to its next turn."""
        session = self.session
        if session.state is None or session.terminated[0] or session.truncated[0]:
            raise ActionError("the game is over or has not begun: call reset() first")
        session.step(check_actions(self.action_space, [action], self._who)[None])
        observation, info = self._observe()
        reward = float(session.rewards[self.role][0, 0])
        return observation, reward, bool(session.terminated[0]), bool(session.truncated[0]), info

    def _observe(self) -> tuple[np.ndarray, dict[str, Any]]:
        state = self.session.state
        observation = self.game.observe(state, self.role)[0, 0].astype(np.float32)
        mask = self.game.legal_actions(state, self.role)
        return observation, {} if mask is None else {"action_mask": mask[0, 0].astype(np.int8)}

    def render(self) -> Any:
        """Return the game as text or image, by ``render_mode``."""
        return render(self.game, self.session.state, self.render_mode)


def make_env(game: str, **kwargs: Any) -> GameEnv:
    """Return the Env of a registered game; keywords are the view's or the game's parameters."""
    made, view = view_and_game(game, kwargs)
    return GameEnv(made, **view)
