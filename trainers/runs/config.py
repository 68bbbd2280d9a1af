"""Reading configs: one YAML file per experiment, validated before anything runs."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from lawgiver.envs.core.errors import ParameterError, UnknownNameError, allowed
from lawgiver.envs.core.registry import GAMES, TRAINERS, game_name, lookup, names
from lawgiver.envs.files.reading import read_text
from lawgiver.trainers.runs.config_errors import config_error, leaves, one_line, stray_parameter, unknown_key
from lawgiver.trainers.runs.overrides import Overrides, apply_overrides, read_overrides
from lawgiver.trainers.runs.packaged_configs import CONFIGS, config_names
from lawgiver.trainers.runs.trainer import find_trainer
from lawgiver.trainers.runs.yaml_text import LARGEST, parse_yaml
from lawgiver.trainers.settings.base import AnyConfig, Config, TrainerSettings

_LOGGER = logging.getLogger("lawgiver")

SHARED = {"participants": ("inverse_temperature", "kl_budget", "anchor"), "mechanism": ("start",)}
"""Settings of ``agents`` with the same meaning for every trainer that has them."""

SettingsT = TypeVar("SettingsT", bound=BaseModel)


class _Kept(BaseModel):
    """Settings of any trainer, with any keys."""

    model_config = ConfigDict(extra="allow")


class _KeptTrainer(TrainerSettings):
    model_config = ConfigDict(extra="allow")


def config_name(source: str | Path) -> str:
    """Derive the name of a config from its name or path."""
    return Path(source).name.removesuffix(".yaml").removesuffix(".yml")


def read_mapping(source: str | Path, model: type[BaseModel] = Config) -> dict[str, Any]:
    """Read a config as plain data: a packaged one by its name, or a YAML file by its path.

    Args:
        source: the name or path.
        model: of the config, whose keys are named if it is no mapping.

    Raises:
        UnknownNameError: if there is no such config.
        ParameterError: if the file is not readable or not a YAML mapping.
    """
    text = str(source)
    is_path = isinstance(source, Path) or "/" in text or text.endswith((".yaml", ".yml"))
    if not is_path and text not in config_names():
        raise UnknownNameError(f"unknown config {text!r}: {allowed(text, config_names())}, or a YAML file")
    file = Path(text) if is_path else CONFIGS / f"{text}.yaml"
    try:
        data = parse_yaml(read_text(str(file), LARGEST))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ParameterError(f"config {text!r} cannot be read: {reason}") from error
    except yaml.YAMLError as error:
        raise ParameterError(f"config {text!r} is not YAML: {one_line(error)}") from error
    if not isinstance(data, dict):
        raise ParameterError(f"config {text!r} is not a mapping of {', '.join(model.model_fields)}")
    return data


def validate(data: Mapping[str, Any]) -> AnyConfig:
    """Validate a config given as plain data, the game's parameters included.

    Raises:
        LawgiverError: naming the first wrong key or value, what is allowed, and the nearest match.
    """
    name = _name(data, "trainer")
    unknown = [str(key) for key in data if key not in Config.model_fields]
    if not isinstance(name, str) or (unknown and name not in names(TRAINERS)):
        if unknown:
            raise ParameterError(unknown_key(Config, data, unknown[0]))
        raise ParameterError(f"trainer.name is {name!r}, allowed: the name of a trainer")
    model = find_trainer(name).config
    if unknown:
        raise ParameterError(unknown_key(model, data, unknown[0]))
    config = checked(model, data)
    try:
        config.game.make()
    except ParameterError:
        stray = stray_parameter(model, data)
        if stray is None:
            raise
        raise ParameterError(stray) from None
    return config


def checked(model: type[SettingsT], data: Mapping[str, Any]) -> SettingsT:
    """Validate settings given as plain data.

    Raises:
        ParameterError: naming the first wrong key or value, what is allowed, and the nearest match.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ParameterError(config_error(model, data, error)) from None


def stored_config_error(settings: Mapping[str, Any]) -> str | None:
    """Describe the first error in the stored settings of a run, None if there is none; the trainer may be missing."""
    model = Config[_Kept, _KeptTrainer]
    try:
        model.model_validate(settings)
    except ValidationError as error:
        return config_error(model, settings, error)
    # A config may leave these out; a run keeps them whatever they are.
    return next((f"{key} is missing" for key in ("agents", "seed") if key not in settings), None)


def _name(data: Mapping[str, Any], section: str) -> Any:
    """Read the name in a section of a config, None if there is none."""
    found = data.get(section)
    return found.get("name") if isinstance(found, dict) else None


def _named(changes: Mapping[str, Any], section: str, data: Mapping[str, Any]) -> Any:
    """Read the name in a section of a config after changes by full path."""
    name = _name(data, section)
    for path, value in changes.items():
        if path == section:
            name = _name(changes, section)
        elif path == f"{section}.name":
            name = value
    return name


def load_config(source: str | Path, overrides: Overrides = ()) -> AnyConfig:
    """Load and validate a config.

    The sections ``agents`` and ``trainer`` are written for the config's own trainer. If the overrides name another one,
    these sections come from the overrides, except for the settings that both trainers share (``SHARED``). If they name
    another game, the parameters that this game has are kept. A warning of the logger ``lawgiver`` names the keys that
    are dropped.

    Args:
        source: the name of a packaged config, or the path of a YAML file.
        overrides: values by the full paths of their keys; see :func:`read_overrides`.

    Raises:
        LawgiverError: one line that names the wrong key or value, what is allowed, and the nearest match.
    """
    data = original = read_mapping(source)
    changes = read_overrides(overrides)
    trainer, game = (_named(changes, section, data) for section in ("trainer", "game"))
    if trainer != _name(data, "trainer"):
        data = {**data, "agents": _shared(data.get("agents"), trainer), "trainer": {}}
    if game != _name(data, "game"):
        data = {**data, "game": _known(data.get("game"), game)}
    config = validate(apply_overrides(data, changes))
    dropped = sorted(leaves(original).keys() - leaves(data).keys() - {"trainer.name"})
    if dropped:
        _LOGGER.warning("of config %s, not used: %s", config_name(source), ", ".join(dropped))
    return config


def _known(parameters: Any, name: Any) -> Any:
    """Keep the parameters of one game that another game has as well."""
    if not isinstance(parameters, dict) or not isinstance(name, str) or game_name(name) not in names(GAMES):
        return parameters
    accepted = inspect.signature(lookup(GAMES, game_name(name))).parameters
    return {key: value for key, value in parameters.items() if key == "name" or key in accepted}


def _shared(agents: Any, name: Any) -> dict[str, Any]:
    """Keep the settings of ``agents`` that have the same meaning for another trainer, if that trainer has them."""
    if not isinstance(agents, dict) or not isinstance(name, str):
        return {}
    known = _fields(find_trainer(name).config, "agents")
    kept: dict[str, Any] = {}
    for role, keys in SHARED.items():
        given, model = agents.get(role), _fields(known, role)
        if isinstance(given, dict) and model is not None:
            kept[role] = {key: given[key] for key in keys if key in given and key in model.model_fields}
    return {role: settings for role, settings in kept.items() if settings}


def _fields(model: type[BaseModel] | None, key: str) -> type[BaseModel] | None:
    """Look up the settings model under a key of another, None where there is none."""
    field = None if model is None else model.model_fields.get(key)
    inner = None if field is None else field.annotation
    return inner if isinstance(inner, type) and issubclass(inner, BaseModel) else None
