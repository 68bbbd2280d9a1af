"""The Gymnasium Env of any game: one agent learns, policies play the others."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

from lawgiver.envs.core.errors import ActionError, seed_number
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import PolicyLike
from lawgiver.envs.core.validation import check_actions
from lawgiver.envs.views.choices import Choices
from lawgiver.envs.views.learner import check_role, forget_entropy, learner_session
from lawgiver.envs.views.observation import learner_masks, learner_obs, mask_key, masks, observation, observation_space
from lawgiver.envs.views.registration import make_view
from lawgiver.envs.views.rendering import METADATA, Screen


class GameEnv(gymnasium.Env[Any, Any]):
    """A game with one learner as a Gymnasium Env; arguments as in :class:`~lawgiver.envs.views.vector.GameVectorEnv`.

    One step is one turn of the learner and everything up to its next turn; where agents of one role take turns it
    is asked while others act too, and ``acts_now``, the last number it sees, is then 0. ``info["action_mask"]``
    (int8, 1 for legal) marks the legal actions of a Discrete role of which the rules forbid some; with
    ``mask_in_observation`` the observation of a Discrete role is ``{"observation": ..., "action_mask": ...}``
    instead. Infos are those of :meth:`Game.infos`. An illegal action inside the space is
    played as the nearest legal one. The reward is what the learner earned since the step before, in the game's own
    units. A game that ends by its rules is terminated; one that is cut off is truncated. No autoreset.

    Raises:
        ParameterError: if the role or the render mode is unknown.
        ActionError: from ``step``, if the action is NaN or outside its space, or the game is over; from ``step`` and
            ``render``, before the first ``reset``.
    """

    metadata = METADATA
    _seeded = False

    def __init__(
        self,
        game: Game[Any],
        *,
        role: str | None = None,
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
        self._screen = Screen(game, render_mode)
        self.render_mode = render_mode
        self.session = learner_session(game, self.role, mechanism, participants)
        self._choices = Choices(game, self.role, discretise, clip_actions)
        self._key = mask_key(mask_in_observation)
        self.observation_space = observation_space(
            game, self.role, self._choices.space, key=self._key, flagged=game.seats_take_turns
        )
        self.action_space = self._choices.space
        self._who = (game.agents_of(self.role)[0],)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start a new game; see :func:`forget_entropy` for ``seed``. ``options`` has no keys that are read."""
        forget_entropy(self, seed)
        super().reset(seed=None if seed is None else seed_number("seed", seed))
        self.session.rng = self.np_random
        self.session.reset(1)
        self._screen.print_frame(self.session.state, self._over)
        return self._observe()

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Play the learner's turn and everything up to its next turn."""
        session = self.session
        session.require_begun()
        if session.terminated[0] or session.truncated[0]:
            raise ActionError("the game is over: call reset() first")
        session.step(check_actions(self.game, self.role, self._choices.sent([action], self._who), self._who)[None])
        observation, info = self._observe()
        self._screen.print_frame(self.session.state, self._over)
        reward = float(session.rewards[self.role][0, 0])
        return observation, reward, bool(session.terminated[0]), bool(session.truncated[0]), info

    def action_masks(self) -> np.ndarray:
        """Mask the learner's legal actions, bool (n_actions,), under the name that MaskablePPO of sb3-contrib uses.

        Raises:
            UnsupportedGameError: if the learner's actions are not Discrete.
        """
        legal: np.ndarray = learner_masks(self.game, self.session.state, self.role, self.action_space)[0]
        return legal

    def _observe(self) -> tuple[Any, dict[str, Any]]:
        state = self.session.state
        seen = learner_obs(self.game, state, self.role)[0]
        mask = masks(self.game, state, self.role, self._choices.space, everywhere=self._key is not None)
        infos = {name: np.array(value[0]) for name, value in self.game.infos(state).items()}
        return observation(seen, None if mask is None else mask[0, 0], self._key, infos)

    def render(self) -> Any:
        """Return the game as text or image, by ``render_mode``; None where ``human`` has printed it already."""
        return self._screen.frame(self.session.state, 0, self._over)

    @property
    def _over(self) -> bool:
        return bool(self.session.terminated[0] or self.session.truncated[0])


def make_env(game: str, **kwargs: Any) -> GameEnv:
    """Return the Env of a registered game; keywords are the view's or the game's parameters."""
    return make_view(GameEnv, game, kwargs)


make_env.metadata = METADATA  # type: ignore[attr-defined]  # Gymnasium looks here before it makes the environment
