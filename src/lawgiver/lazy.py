"""Lazy imports: names of a module that are imported on first use, so that importing it stays quick."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pkgutil import resolve_name
from typing import Any


def lazily(module: dict[str, Any], places: Mapping[str, str]) -> Callable[[str], Any]:
    """Make the ``__getattr__`` of a module.

    Args:
        module: its ``globals()``, which keep what has been imported.
        places: by name ``module:attribute``, or a module.
    """

    def get(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {module['__name__']!r} has no attribute {name!r}")
        found = module[name] = resolve_name(places[name])
        return found

    return get
