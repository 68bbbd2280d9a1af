"""Views of games by name, and their registration with Gymnasium and PettingZoo."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import gymnasium
import pettingzoo
from gymnasium.envs.registration import registry as gymnasium_registry

from lawgiver.envs.core.errors import ArgumentError, allowed
from lawgiver.envs.core.make import game_maker, is_folder, make_game, parameter_hint, with_preset
from lawgiver.envs.core.registry import GAMES, ROLES, RUNS, game_name, lookup, names

V = TypeVar("V")


def make_view(view: Callable[..., V], game: str, params: Mapping[str, Any], **fixed: Any) -> V:
    """Return a view of a registered game.

    Args:
        view: a class that takes the game and keyword-only options.
        game: its name.
        params: options of the view and parameters of the game, side by side; what both have is the game's. Where a
            policy is a run's folder, and ``game`` the one that it was trained on, parameters that are not given are
            the run's.
        fixed: options of the view that are not open to choice.

    Raises:
        ArgumentError: if a parameter is neither the view's nor the game's, or is missing; it is a TypeError too.
        ParameterError: if a parameter is outside its range.
    """
    made = game_maker(game_name(game))
    accepted = inspect.signature(made).parameters
    params = {**_of_runs(game, params), **with_preset(made, params)}
    options = [
        p.name
        for p in inspect.signature(view).parameters.values()
        if p.kind is p.KEYWORD_ONLY and p.name not in fixed and p.name not in accepted
    ]
    if not any(p.kind is p.VAR_KEYWORD for p in accepted.values()):
        for key in params:
            if key not in options and key not in accepted:
                hint = parameter_hint(made, params, key) or allowed(key, [*options, *accepted])
                # The first words are Python's own: wrappers look for them before they leave an argument out.
                raise ArgumentError(
                    f"got an unexpected keyword argument {key!r}: neither {game_name(game)!r} nor its view has a "
                    f"parameter {key!r}: {hint}"
                )
    rules = make_game(game, **{key: value for key, value in params.items() if key not in options})
    return view(rules, **{key: value for key, value in params.items() if key in options}, **fixed)


def _of_runs(game: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the game's parameters in the runs of a view's policies; none if these differ in game.

    Raises:
        RunError: if a folder is no run's.
    """
    found: list[dict[str, Any]] = []
    for role in ROLES:
        policy = params.get("participants" if role == "participant" else role)
        if isinstance(policy, (str, os.PathLike)) and policy not in names(ROLES[role]) and is_folder(policy):
            trained = lookup(RUNS, "game")(policy)
            if trained is not None and game_name(trained["name"]) == game_name(game) and trained not in found:
                found.append(trained)
    return {key: value for key, value in found[0].items() if key != "name"} if len(found) == 1 else {}


def register_views() -> None:
    """Register every installed game with Gymnasium and PettingZoo, without importing it."""
    for name in names(GAMES):
        env_id = f"lawgiver/{name}"
        if env_id in gymnasium_registry:
            continue
        gymnasium.register(
            env_id,
            entry_point="lawgiver.envs.views.single:make_env",
            vector_entry_point="lawgiver.envs.views.vector:make_vector_env",
            disable_env_checker=True,
            order_enforce=False,
            kwargs={"game": name},
        )
        pettingzoo.register("parallel", env_id, "lawgiver.envs.views.parallel:make_parallel_env", kwargs={"game": name})
        pettingzoo.register("aec", env_id, "lawgiver.envs.views.aec:make_aec_env", kwargs={"game": name})
