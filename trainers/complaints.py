"""One line out of a pydantic ValidationError: which key, its value, what is allowed, the nearest match."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from lawgiver.envs.core.errors import allowed


def complaint(model: type[BaseModel], data: Any, error: ValidationError) -> str:
    """Return one thing that is wrong with ``data``, as one line.

    Unknown keys come before anything else; then the deepest error, because of the members of a union the one that
    was meant gets furthest.
    """
    details = error.errors(include_url=False)
    first = min(details, key=lambda detail: (detail["type"] != "extra_forbidden", -len(detail["loc"])))
    loc = first["loc"]
    path = _path(data, loc)
    if first["type"] in ("union_tag_invalid", "union_tag_not_found"):
        return _untold(path, first["ctx"])
    if first["type"] == "extra_forbidden":
        return f"unknown key {path!r}: {allowed(str(loc[-1]), _keys(_at(model, loc[:-1])))}"
    if first["type"] == "missing":
        return f"{'.'.join(filter(None, (path, str(loc[-1]))))} is missing"
    choices = _choices(_at(model, loc))
    if choices:
        return f"{path} is {first['input']!r}: {allowed(str(first['input']), choices)}"
    reason = first["msg"].removeprefix("Value error, ")
    return f"{path} is {first['input']!r}: {reason[0].lower()}{reason[1:]}"


def _untold(path: str, context: Mapping[str, Any]) -> str:
    """Return what is wrong with the key by which the members of a union are told apart."""
    key = f"{path}.{context['discriminator']}".replace("'", "")
    if "tag" not in context:
        return f"{key} is missing"
    tags = context["expected_tags"].replace("'", "").split(", ")
    return f"{key} is {context['tag']!r}: {allowed(context['tag'], tags)}"


def _path(data: Any, loc: tuple[int | str, ...]) -> str:
    """Return a location as it stands in the data, without what pydantic adds for members of a union."""
    shown = []
    for part in loc:
        known = part in data if isinstance(data, dict) else isinstance(data, list) and isinstance(part, int)
        if known:
            data = data[part]
            shown.append(str(part))
    return ".".join(shown)


def _alternatives(hint: Any) -> tuple[Any, ...]:
    """Return the members of a union, or the annotation itself; Annotated is looked through."""
    if typing.get_origin(hint) is typing.Annotated:
        return _alternatives(typing.get_args(hint)[0])
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return tuple(found for member in typing.get_args(hint) for found in _alternatives(member))
    return (hint,)


def _models(hints: tuple[Any, ...]) -> list[type[BaseModel]]:
    return [hint for hint in hints if isinstance(hint, type) and issubclass(hint, BaseModel)]


def _at(model: type[BaseModel], loc: tuple[int | str, ...]) -> tuple[Any, ...]:
    """Return the annotations that a location of an error may refer to."""
    hints: tuple[Any, ...] = (model,)
    for part in loc:
        inner = [known.model_fields[str(part)].annotation for known in _models(hints) if part in known.model_fields]
        for hint in hints:
            if typing.get_origin(hint) in (dict, list, tuple):
                inner.append([item for item in typing.get_args(hint) if item is not Ellipsis][-1])
        if inner:
            hints = tuple(found for hint in inner for found in _alternatives(hint))
        else:  # the part names a member of a union
            hints = _told_apart(hints, part) or hints
    return hints


def _told_apart(hints: tuple[Any, ...], tag: int | str) -> tuple[Any, ...]:
    """Return the models of a union that have a key whose only value is ``tag``."""
    return tuple(
        model
        for model in _models(hints)
        if any(typing.get_args(known.annotation) == (tag,) for known in model.model_fields.values())
    )


def _keys(hints: tuple[Any, ...]) -> list[str]:
    return [name for model in _models(hints) for name in model.model_fields]


def _choices(hints: tuple[Any, ...]) -> list[str]:
    """Return the values that Literal annotations list, if nothing else is allowed."""
    if not all(typing.get_origin(hint) is Literal for hint in hints):
        return []
    return [str(value) for hint in hints for value in typing.get_args(hint)]
