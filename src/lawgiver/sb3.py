"""Train with Stable-Baselines3: a game with one learner as its VecEnv, all copies played at once.

    from stable_baselines3 import PPO
    from lawgiver.sb3 import make_vec_env

    env = make_vec_env("public_investment", num_envs=256, role="mechanism", participants="conditional_cooperators")
    PPO("MlpPolicy", env, n_steps=32).learn(100_000)

Needs Stable-Baselines3: ``pip install 'lawgiver[sb3]'``. No other module of the library imports it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode

from lawgiver.envs.core.errors import ParameterError, brief, integer, seed_number
from lawgiver.envs.core.registry import extras
from lawgiver.envs.views.registration import make_view
from lawgiver.envs.views.vector import GameVectorEnv

with extras("lawgiver.sb3"):
    from stable_baselines3.common.vec_env import VecEnv

__all__ = ["GameVecEnv", "make_vec_env"]


class GameVecEnv(VecEnv):  # type: ignore[misc]
    """The batched vector view of a game as a Stable-Baselines3 VecEnv.

    The games of a batch may end apart: each is started anew in the step that ends it. Its info then holds
    ``terminal_observation`` and ``TimeLimit.truncated`` (cut off, not ended by the rules), and its observation is the
    first of the new game. Observations, masks and infos are otherwise those of :class:`GameVectorEnv`;
    ``env_method("action_masks")`` gives the masks that sb3-contrib's MaskablePPO asks for. One seed serves the whole
    batch.

    Args:
        env: a vector view made with ``autoreset_mode="SameStep"``.

    Raises:
        ParameterError: if the view has another mode.
    """

    def __init__(self, env: GameVectorEnv) -> None:
        """See the class."""
        if env.autoreset_mode != AutoresetMode.SAME_STEP:
            raise ParameterError(f"autoreset_mode is {env.autoreset_mode.value!r}, allowed: 'SameStep'")
        self.env = env
        self.render_mode = env.render_mode  # read by the constructor below
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)
        self._seed: int | None = None
        self._actions: Any = None

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Set the seed of the next reset, None for entropy; return it once a game."""
        self._seed = None if seed is None else seed_number("seed", seed)
        return [self._seed] * self.num_envs

    def reset(self) -> Any:
        """Start every game anew and return the observations (num_envs, d)."""
        observation, infos = self.env.reset(seed=self._seed)
        self._seed = None
        self.reset_infos = _by_game(infos, self.num_envs)
        return observation

    def step_async(self, actions: np.ndarray) -> None:
        """Keep the actions (num_envs[, k]) for :meth:`step_wait`."""
        self._actions = actions

    def step_wait(self) -> tuple[Any, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        """Play the actions and return observations, rewards (float32), ends and infos, one a game."""
        observation, rewards, terminated, truncated, infos = self.env.step(self._actions)
        last, final = infos.pop("final_obs", None), infos.pop("final_info", {})
        by_game = _by_game(infos, self.num_envs)
        ended = terminated | truncated
        for game in np.flatnonzero(ended).tolist():
            told = {key: value[game] for key, value in final.items() if not key.startswith("_")}
            cut = bool(truncated[game] and not terminated[game])
            by_game[game] = {**told, "terminal_observation": last[game], "TimeLimit.truncated": cut}
        return observation, rewards.astype(np.float32), ended, by_game

    def close(self) -> None:
        """Close the games."""
        self.env.close()

    def get_images(self) -> Sequence[np.ndarray | None]:
        """Return a frame of every game, where the view was made with ``render_mode="rgb_array"``."""
        return self.env.render() or [None] * self.num_envs

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return an attribute of some games."""
        return self._of(self.env.get_attr(attr_name), indices)

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set an attribute of all games, which share it.

        Raises:
            ParameterError: if ``indices`` leave a game out.
        """
        if len(set(self._games(indices))) < self.num_envs:
            shared = f"all {self.num_envs} games, which share {attr_name}"
            raise ParameterError(f"indices is {brief(indices)}, allowed: None, or {shared}")
        self.env.set_attr(attr_name, value)

    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> list[Any]:
        """Call a method for some games and return its results."""
        return self._of(self.env.call(method_name, *method_args, **method_kwargs), indices)

    def env_is_wrapped(
        self, wrapper_class: type[gymnasium.Wrapper[Any, Any, Any, Any]], indices: Any = None
    ) -> list[bool]:
        """Return False for every game: wrap the VecEnv instead, for instance with VecMonitor."""
        return self._of([False] * self.num_envs, indices)

    def _of(self, values: Sequence[Any], indices: Any) -> list[Any]:
        return [values[index] for index in self._games(indices)]

    def _games(self, indices: Any) -> list[int]:
        """Return the numbers of games that are given: one, several, or None for all; -1 is the last, as in lists.

        Raises:
            ParameterError: if a number is none, or there is no such game.
        """
        if indices is None:
            return list(range(self.num_envs))
        try:
            given = list(indices)
        except TypeError:
            given = [indices]
        return [
            integer("an index of a game", each, -self.num_envs, self.num_envs - 1) % self.num_envs for each in given
        ]


def _by_game(infos: dict[str, Any], num: int) -> list[dict[str, Any]]:
    """Return infos (num, ...) as one dict a game."""
    columns = {key: list(value) for key, value in infos.items() if not key.startswith("_")}
    if not columns:
        return [{} for _ in range(num)]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def make_vec_env(game: str, num_envs: int = 1, **kwargs: Any) -> GameVecEnv:
    """Make the VecEnv of a registered game.

    Args:
        game: its name.
        num_envs: number of games, >= 1.
        kwargs: options of :class:`GameVectorEnv` (``role``, ``mechanism``, ``participants``, ``max_episode_steps``,
            ...) and parameters of the game.

    Raises:
        ParameterError: if an option is unknown, missing or outside its range.
    """
    fixed = {"num_envs": num_envs, "autoreset_mode": AutoresetMode.SAME_STEP}
    return GameVecEnv(make_view(GameVectorEnv, game, kwargs, **fixed))
