"""Check what the class of a game declares, before anything relies on it."""

from __future__ import annotations

from inspect import get_annotations
from typing import TYPE_CHECKING, Any

from lawgiver.envs.core.errors import ParameterError, allowed, brief
from lawgiver.envs.core.registry import ROLES

if TYPE_CHECKING:
    from lawgiver.envs.core.game import Game


def declaration_error(game: Game[Any]) -> str | None:
    """Describe the first missing declaration, or the role whose name is not allowed; None if there is none."""
    made = type(game).__name__
    for base in reversed(type(game).__mro__):
        for name, hint in get_annotations(base).items():
            declared = str(hint).removeprefix("typing.")
            if declared.startswith("ClassVar") and not hasattr(game, name):
                return f"{made} declares no {name}: allowed: an attribute of the class, {name}: {declared} = ..."
    for role in game.roles:
        if role not in ROLES:
            return f"{made} has a role {brief(role)}: {allowed(str(role), ROLES)}"
    return None


def require_declared(game: Game[Any]) -> None:
    """Raise ParameterError if a declaration of the game's class is missing, or a role has another name than allowed."""
    error = declaration_error(game)
    if error is not None:
        raise ParameterError(error)
