"""Error messages of configs: a pydantic ValidationError as one line with key, value, allowed values, nearest match."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from lawgiver.envs.core.errors import allowed
from lawgiver.envs.core.make import parameters_of
from lawgiver.envs.core.registry import GAMES, game_name, names

NEAR = 0.8
"""Minimum similarity, in difflib's ratio, at which a key from another section is proposed for a misspelt one."""


def one_line(error: Exception) -> str:
    """Format an error message as one line."""
    return " ".join(str(error).split())


def config_error(model: type[BaseModel], data: Any, error: ValidationError) -> str:
    """Format one of the validation errors of ``data`` as one line.

    Of a union of models, the errors of the one whose keys are most like those given count. Unknown keys come first;
    then the deepest error, since the intended member of a union validates furthest.
    """
    details = [each for each in error.errors(include_url=False) if _intended(model, data, each["loc"])]
    first = min(details, key=lambda detail: (detail["type"] != "extra_forbidden", -len(detail["loc"])))
    loc = first["loc"]
    path = _path(data, loc)
    if first["type"] in ("union_tag_invalid", "union_tag_not_found"):
        return _discriminator_error(path, first["ctx"])
    if first["type"] == "extra_forbidden":
        return unknown_key(model, data, path, _keys(_at(model, loc[:-1])))
    if first["type"] == "missing":
        return f"{'.'.join(filter(None, (path, str(loc[-1]))))} is missing"
    choices = _choices(_at(model, loc))
    if choices:
        return f"{path} is {first['input']!r}: {allowed(str(first['input']), choices)}"
    reason = first["msg"].removeprefix("Value error, ")
    return f"{path} is {first['input']!r}: {reason[0].lower()}{reason[1:]}"


def unknown_key(model: type[BaseModel], data: Any, path: str, siblings: Iterable[str] | None = None) -> str:
    """Compose the message about an unknown key, with the nearest match anywhere in the config.

    Args:
        model: model of the whole config.
        data: the config.
        path: full path of the key.
        siblings: allowed keys of its section, the top level by default.
    """
    options = sorted(model.model_fields if siblings is None else siblings)
    hint = _elsewhere(path, options, [*key_paths(model), *_game_keys(data)])
    if hint is None:
        return f"unknown key {path!r}: {allowed(path.rpartition('.')[2], options)}"
    return f"unknown key {path!r}: did you mean {hint}? allowed: {', '.join(options) or 'none'}"


def stray_parameter(model: type[BaseModel], data: Mapping[str, Any]) -> str | None:
    """Compose the message about a game parameter that belongs to another section of the config, None if none does."""
    game, own = data.get("game"), _game_keys(data)
    known = {*own, "game.name", "game.preset"}
    for key in game if isinstance(game, Mapping) and own else ():
        hint = None if f"game.{key}" in known else _elsewhere(f"game.{key}", [], key_paths(model))
        if hint is not None:
            options = (own_key.removeprefix("game.") for own_key in own)
            return f"unknown key 'game.{key}': did you mean {hint}? allowed: {', '.join(sorted(options))}"
    return None


def leaves(data: Any, prefix: str = "") -> dict[str, Any]:
    """Flatten nested mappings into one, its keys full paths such as ``agents.participants.anchor``."""
    if not isinstance(data, Mapping) or not data:
        return {prefix: data} if prefix else {}
    flat: dict[str, Any] = {}
    for key, value in data.items():
        flat |= leaves(value, f"{prefix}.{key}" if prefix else str(key))
    return flat


def key_paths(model: type[BaseModel], prefix: str = "") -> list[str]:
    """List the full paths of all keys that a settings model has, those of nested models included."""
    found: list[str] = []
    for name, known in model.model_fields.items():
        found.append(prefix + name)
        for inner in _models(_alternatives(known.annotation)):
            found += key_paths(inner, f"{prefix}{name}.")
    return list(dict.fromkeys(found))


def _elsewhere(path: str, siblings: list[str], paths: list[str]) -> str | None:
    """Find the paths of the key with that name, or else the most similar one; None if a sibling is as similar."""
    key = path.rpartition(".")[2]

    def nearness(name: str) -> float:
        return _nearness(key, name)

    least = max([NEAR, *map(nearness, siblings)])
    by_name: dict[str, list[str]] = {}
    for other in paths:
        if other.rpartition(".")[0] != path.rpartition(".")[0]:
            by_name.setdefault(other.rpartition(".")[2], []).append(repr(other))
    best = max(by_name, key=nearness, default="")
    if not best or nearness(best) < least or best in siblings:
        return None
    least_deep = min(other.count(".") for other in by_name[best])
    return " or ".join(other for other in by_name[best] if other.count(".") == least_deep)


def _game_keys(data: Any) -> list[str]:
    """List the full paths of the parameters of the game that a config names; empty where it names none."""
    game = data.get("game") if isinstance(data, Mapping) else None
    name = game.get("name") if isinstance(game, Mapping) else game
    if not isinstance(name, str) or game_name(name) not in names(GAMES):
        return []
    return [f"game.{parameter}" for parameter in parameters_of(name)]


def _discriminator_error(path: str, context: Mapping[str, Any]) -> str:
    """Format the error of a missing or unknown discriminator of a union."""
    key = f"{path}.{context['discriminator']}".replace("'", "")
    if "tag" not in context:
        return f"{key} is missing"
    tags = context["expected_tags"].replace("'", "").split(", ")
    return f"{key} is {context['tag']!r}: {allowed(context['tag'], tags)}"


def _path(data: Any, loc: tuple[int | str, ...]) -> str:
    """Format a location as a path in the data, without the parts that pydantic adds for members of a union."""
    return ".".join(_walk(data, loc)[0])


def _walk(data: Any, loc: tuple[int | str, ...]) -> tuple[list[str], Any]:
    """Follow a location; return the parts that the data have, and the value there."""
    shown = []
    for part in loc:
        known = part in data if isinstance(data, dict) else isinstance(data, list) and isinstance(part, int)
        if known:
            data = data[part]
            shown.append(str(part))
    return shown, data


def _intended(model: type[BaseModel], data: Any, loc: tuple[int | str, ...]) -> bool:
    """Test whether the models of unions that a location goes through have the keys most like those given."""
    for depth, part in enumerate(loc):
        members = {member.__name__: member for member in _models(_at(model, loc[:depth]))}
        given = _walk(data, loc[:depth])[1]
        if len(members) < 2 or part not in members or not isinstance(given, dict) or part in given:
            continue
        likeness = {
            name: sum(max(_nearness(str(key), known) for known in member.model_fields) for key in given)
            for name, member in members.items()
        }
        if likeness[str(part)] < max(likeness.values()):
            return False
    return True


def _nearness(key: str, other: str) -> float:
    """Measure how alike two keys are, in [0, 1]."""
    return difflib.SequenceMatcher(None, key, other).ratio()


def _alternatives(hint: Any) -> tuple[Any, ...]:
    """List the members of a union, or the annotation itself; Annotated is unwrapped."""
    if typing.get_origin(hint) is typing.Annotated:
        return _alternatives(typing.get_args(hint)[0])
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return tuple(found for member in typing.get_args(hint) for found in _alternatives(member))
    return (hint,)


def _models(hints: tuple[Any, ...]) -> list[type[BaseModel]]:
    return [hint for hint in hints if isinstance(hint, type) and issubclass(hint, BaseModel)]


def _at(model: type[BaseModel], loc: tuple[int | str, ...]) -> tuple[Any, ...]:
    """List the annotations that the location of an error may refer to."""
    hints: tuple[Any, ...] = (model,)
    for part in loc:
        inner = [known.model_fields[str(part)].annotation for known in _models(hints) if part in known.model_fields]
        for hint in hints:
            if typing.get_origin(hint) in (dict, list, tuple):
                inner.append([item for item in typing.get_args(hint) if item is not Ellipsis][-1])
        if inner:
            hints = tuple(found for hint in inner for found in _alternatives(hint))
        else:  # the part names a member of a union
            hints = _with_tag(hints, part) or hints
    return hints


def _with_tag(hints: tuple[Any, ...], tag: int | str) -> tuple[Any, ...]:
    """List the models of a union that are called ``tag``, or have a key whose only value it is."""
    return tuple(
        model
        for model in _models(hints)
        if model.__name__ == tag
        or any(typing.get_args(known.annotation) == (tag,) for known in model.model_fields.values())
    )


def _keys(hints: tuple[Any, ...]) -> list[str]:
    return [name for model in _models(hints) for name in model.model_fields]


def _choices(hints: tuple[Any, ...]) -> list[str]:
    """List the values of Literal annotations, if nothing else is allowed."""
    if not all(typing.get_origin(hint) is Literal for hint in hints):
        return []
    return [str(value) for hint in hints for value in typing.get_args(hint)]
