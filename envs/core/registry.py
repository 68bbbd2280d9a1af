"""Registered names: the entry-point groups through which everything, the built-ins too, is found.

Names are read without importing what they point to. A package that declares one of the groups in its metadata shows
up in the command line, in configs and in the registries of Gymnasium and PettingZoo.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import Any

from lawgiver.envs.core.errors import MissingExtraError, PluginError, UnknownNameError, allowed, brief

GAMES = "lawgiver.games"
OBJECTIVES = "lawgiver.objectives"
TRAINERS = "lawgiver.trainers"
ROLES = {"mechanism": "lawgiver.mechanisms", "participant": "lawgiver.participants"}
"""The roles, and the group in which the policies of each are found."""
VOTERS = "lawgiver.voters"
LANGUAGE_MODELS = "lawgiver.language_models"
POLICY_KINDS = "lawgiver.policies"
"""The group in which the class of a learned policy is found by its kind."""
RENAMED = {(OBJECTIVES, "nash_welfare"): "the sum of log(payoff + 0.001) is called 'log_nash_welfare' now; "}
"""What a name that is no longer registered stood for, by group and name."""
RUNS = "lawgiver.runs"
"""The group whose entry ``folder`` loads policies from a run's folder, and ``game`` tells the game that they were made
for; it keeps envs free of upward imports."""

OWN = "lawgiver"
"""The package whose names take precedence over those of others."""
GAME_NAME = re.compile(r"[A-Za-z0-9_]+-v[0-9]{1,9}")
_LOGGER = logging.getLogger(OWN)

PACKAGES = {
    "solve": ("scipy", "nashpy"),
    "torch": ("torch", "safetensors", "scipy"),
    "rllib": ("ray", "torch", "safetensors", "scipy", "tensorboard"),
    "sb3": ("stable_baselines3",),
    "bo": ("sklearn", "scipy"),
    "es": ("cma",),
    "data": ("pyarrow",),
    "people": ("starlette", "uvicorn", "jinja2", "sqlalchemy", "pyarrow", "markdown_it"),
    "postgres": ("pg8000",),
    "lm": ("transformers", "torch"),
    "plot": ("matplotlib", "PIL"),
}
"""The packages of each extra, by import name."""
EXTRAS = {package: extra for extra, packages in reversed(PACKAGES.items()) for package in packages}
"""The first extra that installs each optional package."""


@lru_cache
def _entries(group: str) -> dict[str, EntryPoint]:
    """Return the entries of a group by name; those that cannot be taken are left out, with one line logged for each."""
    taken: dict[str, tuple[str, EntryPoint]] = {}
    kind = _kind(group)
    declared = [(package_of(entry), entry) for entry in entry_points(group=group)]
    for package, entry in sorted(declared, key=lambda one: (one[0] != OWN, one[0])):
        other, _ = taken.get(entry.name, (package, entry))
        fault = None
        if group == GAMES and not GAME_NAME.fullmatch(entry.name):
            fault = "allowed: letters, digits and _, then a version, such as some_game-v0"
        elif not EntryPoint.pattern.match(entry.value):
            fault = f"which points to {entry.value!r}, allowed: module:object"
        elif other != package:
            fault = f"which package {other!r} has already: take another name"
        if fault is None:
            taken[entry.name] = package, entry
        else:
            _LOGGER.warning("package %r declares the %s %r, %s; it is left out", package, kind, entry.name, fault)
    return {name: entry for name, (_, entry) in taken.items()}


def package_of(entry: EntryPoint) -> str:
    """Return the name of the package that declares an entry, ``?`` where its metadata lacks one."""
    return (entry.dist.name if entry.dist is not None else None) or "?"


def names(group: str) -> list[str]:
    """Return the registered names of a group, sorted."""
    return sorted(_entries(group))


def entry(group: str, name: str) -> EntryPoint:
    """Return the entry point declared under a name, without importing it.

    Raises:
        UnknownNameError: if nothing of that name is registered.
    """
    found = _entries(group).get(name) if isinstance(name, str) else None
    if found is None:
        moved = RENAMED.get((group, str(name)), "")
        raise UnknownNameError(f"unknown {_kind(group)} {brief(name)}: {moved}{allowed(str(name), _entries(group))}")
    return found


def _kind(group: str) -> str:
    kind = group.removeprefix("lawgiver.").removesuffix("s").replace("_", " ")
    return "kind of policy" if group == POLICY_KINDS else kind


def lookup(group: str, name: str, *, complete: bool = True) -> Any:
    """Import and return the object registered under a name.

    Args:
        group: group of entry points.
        name: in it.
        complete: whether all packages of the extras that the entry declares have to be installed.

    Raises:
        UnknownNameError: if nothing of that name is registered.
        MissingExtraError: if it needs a package that is not installed.
        PluginError: if it cannot be imported for another reason.
    """
    declared = entry(group, name)
    what = f"{_kind(group)} {name!r}"
    if complete:
        require_extras(what, *(extra for extra in declared.extras if extra in PACKAGES))
    try:
        with extras(what, *declared.extras):
            return declared.load()
    except MissingExtraError:
        raise
    except (Exception, SystemExit) as error:  # anybody's module: a syntax error, what it raises, a script's sys.exit()
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise PluginError(f"{what} of package {package_of(declared)!r} cannot be imported: {reason}") from error


def installed(*needed: str) -> bool:
    """Test whether all packages of some extras are installed."""
    return all(find_spec(package) is not None for extra in needed for package in PACKAGES[extra])


def require_extras(purpose: str, *needed: str) -> None:
    """Check that all packages of some extras are installed, without importing them.

    Raises:
        MissingExtraError: naming everything that is missing, and the extras that bring it.
    """
    missing = [package for extra in needed for package in PACKAGES[extra] if find_spec(package) is None]
    if missing:
        raise MissingExtraError(", ".join(dict.fromkeys(missing)), ",".join(needed), purpose)


@contextmanager
def extras(purpose: str, *needed: str) -> Iterator[None]:
    """Turn the failure to import an optional package into a MissingExtraError that names the purpose.

    ``needed`` are all extras that the purpose needs; the one that brings the package, by default.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRAS:
            raise
        raise MissingExtraError(package, ",".join(needed) or EXTRAS[package], purpose) from error


def game_name(name: str) -> str:
    """Return a game's full name: ``public_investment`` becomes its newest version, ``public_investment-v0``."""
    if not isinstance(name, str):
        raise UnknownNameError(f"unknown game {brief(name)}: {allowed(str(name), _entries(GAMES))}")
    name = name.removeprefix("lawgiver/")
    versions = [full for full in _entries(GAMES) if full.rpartition("-v")[0] == name]
    return max(versions, key=lambda full: int(full.rpartition("-v")[2])) if versions else name
