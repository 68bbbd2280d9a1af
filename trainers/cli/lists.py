"""Lists of installed games, policies, objectives, configs and trainers, fitted to the terminal's width."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import shutil
import textwrap
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lawgiver.envs.core.errors import LawgiverError, MissingExtraError, UnknownNameError, UnsupportedGameError, allowed
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.core.registry import (
    GAMES,
    LANGUAGE_MODELS,
    OBJECTIVES,
    POLICY_KINDS,
    ROLES,
    TRAINERS,
    VOTERS,
    entry,
    lookup,
    names,
)
from lawgiver.trainers.runs.packaged_configs import config_names, config_title

WIDEST = 100
"""Maximum width of a line, in columns."""

GROUPS = {
    "objectives": OBJECTIVES,
    "policies": POLICY_KINDS,
    "voters": VOTERS,
    "trainers": TRAINERS,
    "language_models": LANGUAGE_MODELS,
} | {f"{role}s": group for role, group in ROLES.items()}
KINDS = (
    "games",
    "mechanisms",
    "participants",
    "voters",
    "policies",
    "objectives",
    "configs",
    "trainers",
    "language_models",
)


def listed(kind: str) -> list[str]:
    """List what is installed of a kind: a line each of what it is, then a line each of where it fits.

    Args:
        kind: one of ``KINDS``.

    Raises:
        UnknownNameError: if it is none of them.
    """
    if kind not in KINDS:
        raise UnknownNameError(f"unknown kind {kind!r}: {allowed(kind, KINDS)}")
    if kind == "games":
        return in_columns({name: _game(name) for name in names(GAMES)})
    if kind == "configs":
        found = {name: _config(name) for name in config_names()}
        lines = [*in_columns({name: what for name, (what, _) in found.items()}), *_heading("trainer and game:")]
        return lines + in_columns({name: where for name, (_, where) in found.items()})
    group = GROUPS[kind]
    lines = in_columns({name: _described(group, name) for name in names(group)})
    if kind in ("mechanisms", "participants"):
        role = kind.removesuffix("s")
        lines += _heading("games that they play, by default or with other arguments:")
        made = _games()
        lines += in_columns({name: _played(role, name, made) for name in names(group)}, fold=True)
    elif kind == "trainers":
        lines += _heading("packaged configs:")
        lines += in_columns({name: ", ".join(_configs_of(name)) or "none" for name in names(group)}, fold=True)
    elif kind == "policies":
        lines += _heading("role that each kind of learned policy plays:")
        lines += in_columns({name: _role(name) for name in names(group)})
    elif kind == "objectives":
        lines += _heading("games that take them, and objectives of their own:")
        lines += in_columns({name: _taken(made[0]) for name, made in _games().items()}, fold=True)
    elif kind == "voters":
        lines += _heading("fit: every game as a base of elections")[:-1]
    return lines


def in_columns(rows: dict[str, str], fold: bool = False) -> list[str]:
    """Lay out names and what is said of each, cut at the width of the terminal, or folded."""
    width = _width()
    first = max(map(len, rows), default=0)
    room = width - first - 2
    if room < 20:  # the name in one line, the rest below it
        return [line for name, what in rows.items() for line in (name, *_folded(what, width - 2, "  "))]
    lines = []
    for name, what in rows.items():
        parts = _folded(what, room, "") if fold else [what if len(what) <= room else what[: room - 3].rstrip() + "..."]
        lines += [f"{label:<{first}}  {part}".rstrip() for label, part in zip([name] + [""] * len(parts), parts)]  # noqa: B905
    return lines


def _width() -> int:
    return min(WIDEST, shutil.get_terminal_size((80, 24)).columns)


def _heading(text: str) -> list[str]:
    return ["", *_folded(text, _width(), ""), ""]


def _folded(text: str, width: int, indent: str) -> list[str]:
    return [indent + line for line in textwrap.wrap(text, max(width, 10))] or [""]


def _game(name: str) -> str:
    """Describe the task of a game's mechanism, or the error that prevents loading the game."""
    try:
        made = lookup(GAMES, name)
        return getattr(made, "summary", "") or _first_line(made)
    except LawgiverError as error:
        return _absence(error)


def _described(group: str, name: str) -> str:
    """Read the summary line of a docstring: a trainer's module's, as its packages may be missing, else the object's."""
    try:
        what = _module_line(entry(group, name)) if group == TRAINERS else _first_line(lookup(group, name))
    except LawgiverError as error:
        return _absence(error)
    needs = entry(group, name).extras
    return f"{what} [{','.join(needs)}]" if needs else what


def _role(kind: str) -> str:
    try:
        return str(getattr(lookup(POLICY_KINDS, kind), "role", "none"))
    except LawgiverError as error:
        return _absence(error)


def _absence(error: LawgiverError) -> str:
    """Describe in a part of a line why something cannot be loaded, a missing extra by the command that installs it."""
    return f"needs pip install 'lawgiver[{error.extra}]'" if isinstance(error, MissingExtraError) else str(error)


def _taken(game: Game[Any]) -> str:
    """List the objectives that the mechanism of a game can be paid, or the reason why it takes none."""
    own = f"all, and {', '.join(game.objectives)}" if game.objectives else "all"
    if "objective" in {field.name for field in dataclasses.fields(game)}:
        return own
    paid = game.reward_meaning.get("mechanism", "by the rules")
    if game.nested and "`objective`" in paid:
        ((parameter, inner),) = game.nested.items()
        return f"{_taken(make_game(inner))}, in {parameter}"
    return f"none: the mechanism is paid {paid}"


def _first_line(thing: Any) -> str:
    line = (inspect.getdoc(thing) or "").partition("\n")[0].rstrip(".")
    return re.sub(r"^Return ((the|a) mechanism that |participants who |voters who )?", "", line).replace(":class:", "")


def _module_line(declared: EntryPoint) -> str:
    """Read the first line of a module's docstring without importing the module."""
    source = _source(declared.module)
    try:
        text = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) if source else None
    except (SyntaxError, ValueError, OSError) as error:
        return f"cannot be read: {' '.join(str(error).split())}"
    line = (text or "").partition("\n")[0].replace("``", "").rstrip(".")
    return line.removeprefix(f"The trainer {declared.name}: ")


def _source(module: str) -> Path | None:
    """Find a module's file without importing the packages around it, whose dependencies may be missing."""
    root, *inner = module.split(".")
    found = find_spec(root)
    if found is None or not inner:
        return Path(found.origin) if found is not None and found.origin else None
    places = [Path(place, *inner) for place in found.submodule_search_locations or ()]
    files = (file for place in places for file in (place.with_suffix(".py"), place / "__init__.py"))
    return next((file for file in files if file.is_file()), None)


def _games() -> dict[str, list[Game[Any]]]:
    """Make every game that can be made, with default arguments and with those of its variants."""
    made: dict[str, list[Game[Any]]] = {}
    for name in names(GAMES):
        try:
            variants = getattr(lookup(GAMES, name), "variants", {}).values()
            made[name.rpartition("-v")[0]] = [make_game(name), *(make_game(name, **given) for given in variants)]
        except Exception:
            continue
    return made


def _played(role: str, name: str, games: dict[str, list[Game[Any]]]) -> str:
    """List the games that a policy plays, without values for its required parameters."""
    try:
        required = [
            parameter.name
            for parameter in list(inspect.signature(lookup(ROLES[role], name)).parameters.values())[1:]
            if parameter.default is parameter.empty and parameter.kind is parameter.KEYWORD_ONLY
        ]
    except LawgiverError as error:
        return str(error)
    fits = [game for game, variants in games.items() if any(_plays(one, role, name, required) for one in variants)]
    return "every game" if len(fits) == len(games) else ", ".join(fits) or "none"


def _plays(game: Game[Any], role: str, name: str, required: list[str]) -> bool:
    try:
        make_policy(game, role, name, **dict.fromkeys(required))
    except LawgiverError as error:  # wrong parameters are reported after an unsupported game
        return not isinstance(error, UnsupportedGameError)
    return True


def _config(name: str) -> tuple[str, str]:
    """Read the title of a packaged config, and its trainer and game."""
    from lawgiver.trainers.runs.config import read_mapping

    data = read_mapping(name)
    return config_title(name), f"{data['trainer']['name']}, {data['game']['name']}"


def _configs_of(trainer: str) -> list[str]:
    return [name for name in config_names() if _config(name)[1].startswith(f"{trainer}, ")]
