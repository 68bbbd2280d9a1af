"""Overrides of a config: values by the full paths of their keys, from Python or the command line."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date
from typing import Any

import numpy as np
import yaml

from lawgiver.envs.core.errors import ParameterError, brief
from lawgiver.envs.core.game import Game
from lawgiver.trainers.runs.config_errors import one_line
from lawgiver.trainers.runs.yaml_text import parse_yaml

Overrides = Mapping[str, Any] | Sequence[str]
"""Changes to a config, by the full paths of keys; see :func:`read_overrides`."""


def read_overrides(overrides: Overrides) -> dict[str, Any]:
    """Reduce overrides to plain data by full path, in the order in which they apply.

    Args:
        overrides: ``{"game.n": 5}``, in which a string is a string (``"no"``, ``"1e3"``), or ``["game.n=5"]`` as on the
            command line, whose values are YAML. Arrays, tuples and paths become lists and strings.

    Raises:
        ParameterError: if one has no full path, no ``=``, or a value that is neither YAML nor plain data.
    """
    found: dict[str, Any] = {}
    pairs = overrides.items() if isinstance(overrides, Mapping) else map(_parsed, overrides)
    for path, value in pairs:
        if not isinstance(path, str) or not all(path.split(".")):
            raise ParameterError(f"override {brief(path)} is no key, allowed: its full path, such as 'trainer.name'")
        found.pop(path, None)
        found[path] = _plain(path, value)
    return found


def _parsed(override: str) -> tuple[str, Any]:
    """Parse ``a.b=value``."""
    path, equals, text = override.partition("=")
    if not equals or not all(path.split(".")):
        raise ParameterError(f"override {override!r} is not of the form key=value")
    try:
        return path, parse_yaml(text)
    except yaml.YAMLError as error:
        raise ParameterError(f"override {override!r} is not YAML: {one_line(error)}") from error


_SCALARS = (bool, int, float, str, date, type(None))


def _plain(path: str, value: Any) -> Any:
    """Reduce a value to what YAML knows."""
    if isinstance(value, (np.ndarray, np.generic)):
        return _plain(path, value.tolist())
    if isinstance(value, Mapping) and all(isinstance(key, _SCALARS) for key in value):
        return {key: _plain(f"{path}.{key}", item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(path, item) for item in value]
    if isinstance(value, _SCALARS):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise ParameterError(
        f"{path} is {brief(value)}, allowed: None, a bool, number, string or path, a list or mapping of these"
    )


def apply_overrides(data: Mapping[str, Any], overrides: Overrides) -> dict[str, Any]:
    """Apply overrides, see :func:`read_overrides`, to a copy of ``data``.

    Raises:
        ParameterError: if an override is none, or its path leads through a value without keys.
    """
    result = dict(data)
    for path, value in read_overrides(overrides).items():
        result = _with(result, path.split("."), value, path)
    return result


def require_given_once(overrides: Overrides) -> None:
    """Check that no override undoes an earlier one, as in a user's typing error.

    Raises:
        ParameterError: if one sets what an earlier one has set, or a part of it.
    """
    paths = [override if isinstance(overrides, Mapping) else override.partition("=")[0] for override in overrides]
    for place, path in enumerate(paths):
        for earlier in paths[:place]:
            if f"{earlier}.".startswith(f"{path}."):
                raise ParameterError(f"override {path!r} would undo {earlier!r}: allowed: each key once")


def described(mechanism: Any) -> Any:
    """Parse a policy given as the text ``{policy: NAME, ...}`` of the command line; leave any other as it is.

    Raises:
        ParameterError: if what begins with a brace is not YAML.
    """
    if not isinstance(mechanism, str) or not mechanism.startswith("{"):
        return mechanism
    try:
        return parse_yaml(mechanism)
    except yaml.YAMLError as error:
        raise ParameterError(f"mechanism {mechanism!r} is not YAML: {one_line(error)}") from error


def label(policy: Any) -> Any:
    """Label a policy by its name or parameters, or by its class if it is an object."""
    return policy if isinstance(policy, (str, Mapping)) else type(policy).__name__


def _with(data: Any, keys: list[str], value: Any, override: str) -> Any:
    if not keys:
        return value
    if data is not None and not isinstance(data, dict):
        raise ParameterError(f"override {override!r}: {data!r} has no keys, so no {keys[0]!r}")
    return {**(data or {}), keys[0]: _with((data or {}).get(keys[0]), keys[1:], value, override)}


def game_settings(game: str | Mapping[str, Any] | Game[Any]) -> dict[str, Any]:
    """Write a game given by name, as ``{"name": NAME, **parameters}``, or as an object in the second form.

    Raises:
        ParameterError: if it is none of these, or a game with a parameter that is no plain data.
    """
    if isinstance(game, str):
        return {"name": game}
    if isinstance(game, Game) and is_dataclass(game):
        parameters = {field.name: getattr(game, field.name) for field in fields(game) if field.init}
        return {"name": game.name, **read_overrides(parameters)}
    if isinstance(game, Mapping):
        return apply_overrides({}, game)
    raise ParameterError(f"game is {brief(game)}, allowed: a name, {{'name': NAME, **parameters}}, or a Game")
