"""Configs: one YAML file per experiment, validated before anything runs.

The top level is the same for every experiment (:class:`Config`). What stands under ``agents`` and ``trainer``
belongs to the trainer that ``trainer.name`` names: its ``config`` (:class:`lawgiver.trainers.runs.trainer.Trainer`) is
a ``Config[MyAgents, MyTrainer]`` of its own models. Nothing here knows any trainer.
"""

from __future__ import annotations

import inspect
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, Protocol, TypeVar

import numpy as np
import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from lawgiver.envs.core.errors import ParameterError, UnknownNameError, allowed, shown
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.make import make_game
from lawgiver.envs.core.registry import GAMES, TRAINERS, game_name, lookup, names
from lawgiver.envs.files.reading import read_text
from lawgiver.trainers.runs.config_errors import complaint, leaves, stray_parameter, unknown_key
from lawgiver.trainers.runs.packaged_configs import CONFIGS
from lawgiver.trainers.runs.packaged_configs import config_names as config_names
from lawgiver.trainers.runs.trainer import find_trainer
from lawgiver.trainers.runs.yaml_text import LARGEST, parse_yaml

_LOGGER = logging.getLogger("lawgiver")

SHARED = {"participants": ("inverse_temperature", "kl_budget", "anchor"), "mechanism": ("start",)}
"""Settings of ``agents`` that mean the same to every trainer that has them."""

Seed = Annotated[int, Field(ge=0, lt=2**31)]
Count = Annotated[int, Field(ge=0)]
Natural = Annotated[int, Field(ge=1)]
Overrides = Mapping[str, Any] | Sequence[str]
"""What differs from a config, by the full paths of keys; see :func:`read_overrides`."""


def _distinct(seeds: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(seeds)) < len(seeds):
        raise ValueError("each seed may be there once")
    return seeds


class Settings(BaseModel):
    """Base of every settings model: frozen, and a key that it does not have is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class EquilibriumAnchor(Settings):
    """The logit equilibrium under a first mechanism, as what participants are used to."""

    mechanism: str | dict[str, Any]
    """A mechanism's name, a run's folder, or ``{policy: NAME, ...}`` with the policy's parameters."""
    inverse_temperature: Annotated[float, Field(ge=0)] = 1.0


Anchor = Literal["uniform"] | EquilibriumAnchor
"""What participants do by themselves: uniform over the legal actions, or an equilibrium of the past."""


class Anchored(Protocol):
    """Settings of participants of bounded rationality."""

    @property
    def anchor(self) -> Anchor:
        """What they do by themselves."""


def anchor_of(participants: Anchored) -> str | dict[str, Any]:
    """Return the anchor as plain data, as :func:`lawgiver.agents.anchor.make_anchor` takes it."""
    return participants.anchor if isinstance(participants.anchor, str) else participants.anchor.model_dump()


class TrainerSettings(Settings):
    """Base of every trainer's settings."""

    name: str
    """The trainer, a name of the entry-point group ``lawgiver.trainers``."""


class GameConfig(BaseModel):
    """A game's name and its parameters, kept as they are given: the game itself checks them."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str

    @property
    def parameters(self) -> dict[str, Any]:
        """The game's parameters, without its name."""
        return dict(self.model_extra or {})

    def make(self) -> Game[Any]:
        """Return the game; raises UnknownNameError or ParameterError as :func:`make_game` does."""
        return make_game(self.name, **self.parameters)


def game_settings(game: str | Mapping[str, Any] | Game[Any]) -> dict[str, Any]:
    """Return a game that is given by name, as ``{"name": NAME, **parameters}``, or itself, as the latter.

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
    raise ParameterError(f"game is {shown(game)}, allowed: a name, {{'name': NAME, **parameters}}, or a Game")


class Resources(Settings):
    """Where a training runs. The default is one local process.

    The same resources give the same numbers. Another ``runner``, device or number of sampling or learning processes
    draws other random numbers and cuts minibatches differently: what is learned differs as it does between seeds.
    ``address`` and ``concurrent_seeds`` change nothing but the time it takes.
    """

    runner: Literal["batched", "stock"] = "batched"
    """``batched`` steps many games at once; ``stock`` is RLlib's own, for other PettingZoo environments."""
    num_env_runners: Count = 0
    """Remote sampling processes; 0 samples in the main process."""
    num_envs_per_env_runner: Annotated[int, Field(ge=1)] | None = None
    """Games that a runner plays at once; None leaves it to the trainer."""
    num_learners: Count = 0
    """Remote learning processes; 0 learns in the main process."""
    num_gpus_per_learner: Annotated[float, Field(ge=0)] = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Of torch; ``auto`` takes a GPU where there is one."""
    address: str | None = None
    """Of a running Ray cluster; None starts a local one where one is needed."""
    concurrent_seeds: Annotated[int, Field(ge=1)] = 1
    """How many of ``seeds`` train at once; more than one makes each a Ray task."""

    def torch_device(self) -> str:
        """Return ``cpu`` or ``cuda``.

        Raises:
            ParameterError: if ``cuda`` is asked for and there is none.
        """
        import torch

        available = torch.cuda.is_available()
        if self.device == "cuda" and not available:
            raise ParameterError("resources.device is 'cuda', but torch sees no GPU: allowed here: auto, cpu")
        return "cuda" if available and self.device != "cpu" else "cpu"


SettingsT = TypeVar("SettingsT", bound=BaseModel)
AgentsT = TypeVar("AgentsT", bound=BaseModel)
TrainerT = TypeVar("TrainerT", bound=TrainerSettings)


class Config(Settings, Generic[AgentsT, TrainerT]):
    """An experiment: a game, who plays it, who trains them, and on what."""

    game: GameConfig
    agents: AgentsT
    trainer: TrainerT
    resources: Resources = Resources()
    seed: Seed = 0
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1), AfterValidator(_distinct)] | None = None
    """Several seeds: one run each in place of ``seed``, and an aggregate over them."""
    run_dir: Path | None = None
    """The run's folder; None for a new one under ``runs/``."""

    @model_validator(mode="before")
    @classmethod
    def _agents_by_default(cls, data: Any) -> Any:
        """Leave it to the settings of ``agents`` to say which of them are needed."""
        return {"agents": {}, **data} if isinstance(data, dict) else data


class _Kept(BaseModel):
    """Settings of some trainer, whichever keys they have."""

    model_config = ConfigDict(extra="allow")


class _KeptTrainer(TrainerSettings):
    model_config = ConfigDict(extra="allow")


AnyConfig = Config[Any, Any]


def one_line(error: Exception) -> str:
    """Return what an error says as one line."""
    return " ".join(str(error).split())


def config_name(source: str | Path) -> str:
    """Return the name of a config that is given by name or as a path."""
    return Path(source).name.removesuffix(".yaml").removesuffix(".yml")


def read_mapping(source: str | Path) -> dict[str, Any]:
    """Return a config as plain data: a packaged one by its name, or a YAML file by its path.

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
        raise ParameterError(f"config {text!r} is not a mapping of {', '.join(Config.model_fields)}")
    return data


def read_overrides(overrides: Overrides) -> dict[str, Any]:
    """Reduce overrides to plain data by full path, in the order in which they count.

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
            raise ParameterError(f"override {shown(path)} is no key, allowed: its full path, such as 'trainer.name'")
        found.pop(path, None)
        found[path] = _plain(path, value)
    return found


def _parsed(override: str) -> tuple[str, Any]:
    """Parse ``a.b=value``."""
    path, equals, text = override.partition("=")
    if not equals or not all(path.split(".")):
        raise ParameterError(f"override {override!r} is not of the form key=value (trainer.name=rllib)")
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
        f"{path} is {shown(value)}, allowed: None, a bool, number, string or path, a list or mapping of these"
    )


def apply_overrides(data: Mapping[str, Any], overrides: Overrides) -> dict[str, Any]:
    """Return a copy of ``data`` in which each override, see :func:`read_overrides`, is set.

    Raises:
        ParameterError: if an override is none, or its path leads through a value without keys.
    """
    result = dict(data)
    for path, value in read_overrides(overrides).items():
        result = _with(result, path.split("."), value, path)
    return result


def require_given_once(overrides: Overrides) -> None:
    """Check that no override undoes an earlier one, as people may give them; programs build on what comes later.

    Raises:
        ParameterError: if one sets what an earlier one has set, or a part of it.
    """
    paths = [override if isinstance(overrides, Mapping) else override.partition("=")[0] for override in overrides]
    for place, path in enumerate(paths):
        for earlier in paths[:place]:
            if f"{earlier}.".startswith(f"{path}."):
                raise ParameterError(f"override {path!r} would undo {earlier!r}: allowed: each key once")


def described(mechanism: Any) -> Any:
    """Return a policy as it was given, as data where it is the text ``{policy: NAME, ...}`` of the command line.

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
    """Return what a policy was given as, where that is plain data, and its class's name where it is an object."""
    return policy if isinstance(policy, (str, Mapping)) else type(policy).__name__


def _with(data: Any, keys: list[str], value: Any, override: str) -> Any:
    if not keys:
        return value
    if data is not None and not isinstance(data, dict):
        raise ParameterError(f"override {override!r}: {data!r} has no keys, so no {keys[0]!r}")
    return {**(data or {}), keys[0]: _with((data or {}).get(keys[0]), keys[1:], value, override)}


def validate(data: Mapping[str, Any]) -> AnyConfig:
    """Return the config that plain data stands for, checked as a whole, the game's parameters included.

    Raises:
        LawgiverError: naming the first wrong key or value, what is allowed, and the nearest match.
    """
    name = _trainer_name(data)
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
    """Return the settings that plain data stands for.

    Raises:
        ParameterError: naming the first wrong key or value, what is allowed, and the nearest match.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ParameterError(complaint(model, data, error)) from None


def stored_complaint(settings: Mapping[str, Any]) -> str | None:
    """Return what is wrong with the settings that a run keeps, None if nothing; its trainer need not be installed."""
    model = Config[_Kept, _KeptTrainer]
    try:
        model.model_validate(settings)
    except ValidationError as error:
        return complaint(model, settings, error)
    # A config may leave these out; a run keeps them whatever they are.
    return next((f"{key} is missing" for key in ("agents", "seed") if key not in settings), None)


def _trainer_name(data: Mapping[str, Any]) -> Any:
    trainer = data.get("trainer")
    return trainer.get("name") if isinstance(trainer, dict) else None


def load_config(source: str | Path, overrides: Overrides = ()) -> AnyConfig:
    """Return a checked config.

    What a config says under ``agents`` and ``trainer`` is meant for its own trainer. Where the overrides name another
    one, only they count there, and what means the same to both: how rational participants are, and where the mechanism
    begins (``SHARED``). Likewise, where they name another game, it keeps the parameters that it has too. A warning of
    the logger ``lawgiver`` names the keys that are left out.

    Args:
        source: the name of a packaged config, or the path of a YAML file.
        overrides: values by the full paths of their keys; see :func:`read_overrides`.

    Raises:
        LawgiverError: one line that names the wrong key or value, what is allowed, and the nearest match.
    """
    data = said = read_mapping(source)
    changed = apply_overrides(data, overrides)
    if _trainer_name(changed) != _trainer_name(data):
        kept = _shared(data.get("agents"), changed.get("trainer"))
        data = {**data, "agents": kept, "trainer": {}}
    if _game_name(changed) != _game_name(data):
        data = {**data, "game": _known(data.get("game"), _game_name(changed))}
    config = validate(apply_overrides(data, overrides))
    dropped = sorted(leaves(said).keys() - leaves(data).keys() - {"trainer.name"})
    if dropped:
        _LOGGER.warning("of config %s, not used: %s", config_name(source), ", ".join(dropped))
    return config


def _game_name(data: Mapping[str, Any]) -> Any:
    game = data.get("game")
    return game.get("name") if isinstance(game, dict) else None


def _known(parameters: Any, name: Any) -> Any:
    """Return the parameters of a game that another game has as well."""
    if not isinstance(parameters, dict) or not isinstance(name, str) or game_name(name) not in names(GAMES):
        return parameters
    accepted = inspect.signature(lookup(GAMES, game_name(name))).parameters
    return {key: value for key, value in parameters.items() if key == "name" or key in accepted}


def _shared(agents: Any, trainer: Any) -> dict[str, Any]:
    """Return what a config says of ``agents`` that means the same to another trainer, as far as that one has it."""
    name = trainer.get("name") if isinstance(trainer, dict) else None
    if not isinstance(agents, dict) or not isinstance(name, str):
        return {}
    known = _fields(find_trainer(name).config, "agents")
    kept: dict[str, Any] = {}
    for role, keys in SHARED.items():
        said, has = agents.get(role), _fields(known, role)
        if isinstance(said, dict) and has is not None:
            kept[role] = {key: said[key] for key in keys if key in said and key in has.model_fields}
    return {role: said for role, said in kept.items() if said}


def _fields(model: type[BaseModel] | None, key: str) -> type[BaseModel] | None:
    """Return the settings model under a key of another, None where there is none."""
    field = None if model is None else model.model_fields.get(key)
    inner = None if field is None else field.annotation
    return inner if isinstance(inner, type) and issubclass(inner, BaseModel) else None
