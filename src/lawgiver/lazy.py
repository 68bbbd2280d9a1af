"""Lazy imports: names of a module that are imported on first use, so that importing it stays quick."""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any


def lazily(module: dict[str, Any]) -> Callable[[str], Any]:
    """Make the ``__getattr__`` of a module: what it imports ``if TYPE_CHECKING`` is imported on first use.

    Type checkers and the API reference read those imports as they stand, so that no second list of them is needed.

    Args:
        module: its ``globals()``, which keep what has been imported.
    """

    @cache
    def places() -> dict[str, str]:
        """Read from the source which module each name comes from."""
        source = module["__loader__"].get_source(module["__name__"])
        blocks = [node for node in ast.parse(source).body if isinstance(node, ast.If)]
        lines = [line for block in blocks for line in block.body if isinstance(line, ast.ImportFrom)]
        return {name.name: str(line.module) for line in lines for name in line.names}

    def get(name: str) -> Any:
        if name not in places():
            raise AttributeError(f"module {module['__name__']!r} has no attribute {name!r}")
        place = places()[name]
        owner = vars(import_module(place))
        found = module[name] = owner[name] if name in owner else import_module(f"{place}.{name}")
        return found

    return get
