"""What goes wrong, said once: every error of the library is a ValueError that names what, where and what is allowed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class LawgiverError(ValueError):
    """Base of every error that the library raises on bad input."""


class ParameterError(LawgiverError):
    """A parameter of a game, policy or config is missing, unknown or outside its range."""


class ActionError(LawgiverError):
    """An action lies outside its action space, is NaN, or is missing."""


class UnknownNameError(LawgiverError):
    """A game, mechanism, participant, objective or trainer of that name is not registered."""


class UnsupportedGameError(LawgiverError):
    """A policy or solver does not apply to this game."""


class MissingExtraError(LawgiverError, ImportError):
    """An optional dependency is not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        """Say which extra brings ``package`` and what it is needed for."""
        super().__init__(f"{purpose} needs {package}: pip install 'lawgiver[{extra}]'")


def allowed(name: str, choices: Iterable[str]) -> str:
    """Return the tail of an error message: the nearest match of ``name``, then every choice."""
    options = sorted(choices)
    close = difflib.get_close_matches(name, options, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}allowed: {', '.join(options) or 'none'}"
