"""The games in RLlib without lawgiver's own trainer: environments for ``tune.register_env``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from lawgiver.envs.core.registry import extras
from lawgiver.envs.views.parallel import make_parallel_env
from lawgiver.envs.views.single import make_env

__all__ = ["env_creator"]


def env_creator(game: str, **params: Any) -> Callable[[Mapping[str, Any]], Any]:
    """Return a function that makes a game's environment in any process of Ray.

    Ray's workers start without lawgiver, so that an id such as ``lawgiver/lanes-v0`` is unknown there. Unpickling this
    function imports it::

        tune.register_env("lanes", lawgiver.rllib.env_creator("lanes", n=5))
        config = PPOConfig().environment("lanes", env_config={"base": 0.5})

    Args:
        game: a registered game, with or without ``lawgiver/`` before its name.
        params: parameters of the game and of the view; RLlib's ``env_config`` overrides them. With ``role`` the
            environment is a Gymnasium Env in which that role learns; without it a MultiAgentEnv of all agents, in
            which only those that act appear.

    Returns:
        A function of RLlib's ``env_config``.

    Raises:
        UnknownNameError, ParameterError: at once, where the game is unknown or ``params`` are wrong for it.
        MissingExtraError: without Ray.
    """
    _make(game, params, {}).close()
    return partial(_make, game, params)  # pickled by reference, so that whoever loads it imports lawgiver


def _make(game: str, params: Mapping[str, Any], config: Mapping[str, Any]) -> Any:
    with extras("an environment of RLlib"):
        from lawgiver.trainers.rllib.stock import TurnEnv
    merged = {**params, **config}
    if "role" in merged:
        return make_env(game, **merged)
    return TurnEnv(make_parallel_env(game, **{"flag_turns": False, **merged}))
