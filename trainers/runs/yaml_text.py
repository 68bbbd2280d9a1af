"""YAML of configs and overrides: bounded in size and depth, with 1e-3 as a number and without duplicate keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import yaml
from yaml.composer import Composer

LARGEST = 2**20
"""Maximum length of a YAML text, in characters; larger tables belong in a file of numbers."""
DEEPEST = 50
"""Maximum levels of nesting."""
MOST_VALUES = 200_000
"""Maximum number of values, each alias counted as often as it is repeated."""


class _Bounded(Composer):
    """Composes nodes up to a depth, counts what aliases repeat, and refuses a key that stands twice in a mapping."""

    check_event: Callable[..., bool]
    construct_object: Callable[[yaml.Node], Any]

    def __init__(self) -> None:
        """Begin at the top."""
        super().__init__()
        self._depth = 0
        self._sizes: dict[yaml.Node, int] = {}
        self._begun = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose one node with everything below it."""
        repeated = self.check_event(yaml.AliasEvent)
        self._depth += 1
        self._begun += 1
        if self._begun > MOST_VALUES:  # at once, where the sizes below tell at the end of a list
            raise _too_many()
        if self._depth > DEEPEST:
            raise yaml.YAMLError(f"it is nested more than {DEEPEST} levels deep")
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        if node is not None and not repeated:
            self._sizes[node] = size = 1 + sum(self._sizes[child] for child in _children(node))
            if size > MOST_VALUES:
                raise _too_many()
        elif node not in self._sizes:
            raise yaml.YAMLError("an alias stands inside of what it is an alias of")
        return node

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Compose a mapping; PyYAML by itself would keep the last of several values of a key, without a word."""
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        first: dict[Any, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                continue
            value, line = self.construct_object(key), key.start_mark.line + 1
            if value in first:
                where = f", in lines {first[value]} and {line}" if first[value] < line else ""
                raise yaml.YAMLError(f"key {value!r} stands twice in a mapping{where}")
            first[value] = line
        return node


def _too_many() -> yaml.YAMLError:
    return yaml.YAMLError(
        f"it stands for more than {MOST_VALUES:,} values, aliases included; tables that are larger belong into a file"
        " of numbers"
    )


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [child for pair in node.value for child in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


class _Loader(_Bounded, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML in which 1e-3 is a number (YAML 1.1 wants 1.0e-3)."""

    def __init__(self, text: str) -> None:
        """Begin with a text."""
        super(Composer, self).__init__(text)
        _Bounded.__init__(self)


class _Dumper(yaml.SafeDumper):
    """Quotes what :class:`_Loader` would otherwise read as a number."""


for _side in (_Loader, _Dumper):
    _side.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(r"^[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
    )


def write_yaml(data: Mapping[str, Any]) -> str:
    """Write plain data as YAML that :func:`parse_yaml` reads as the same data."""
    text: str = yaml.dump(data, Dumper=_Dumper, sort_keys=False)
    return text


def parse_yaml(text: str) -> Any:
    """Parse YAML text.

    Raises:
        yaml.YAMLError: if it is not YAML, larger or deeper than is parsed, holds a value that cannot be (a 13th month),
            or a key twice in a mapping.
    """
    if len(text) > LARGEST:
        raise yaml.YAMLError(f"it has {len(text):,} characters, allowed: up to {LARGEST:,}")
    try:
        return yaml.load(text, _Loader)
    except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError) as error:
        # a date of month 13, an integer of 5,000 digits, a tag that does not fit: PyYAML's constructors raise anything
        raise yaml.YAMLError(str(error)) from error
