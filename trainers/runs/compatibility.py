"""Compatibility of learned policies with other games, and the errors where a policy cannot play one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lawgiver.agents.learned import DESCRIPTION, saved_class
from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.core.game import Game
from lawgiver.envs.families.reporting_game import ReportingGame


def require_fit(run: Path, own: Game[Any], game: Game[Any], kept: Mapping[str, Path]) -> None:
    """Check that the policies of a run can play a game.

    Args:
        run: folder of the run.
        own: base game of the run.
        game: base game to be played.
        kept: folders of the policies, by role.

    Raises:
        UnsupportedGameError: if the games differ in name, numbers of agents, sizes or modes.
    """
    for role, folder in kept.items():
        fault = _fault(own.base_game_of(role), game.base_game_of(role), role, folder)
        if fault is not None:
            raise UnsupportedGameError(f"{run} was trained on {own.name}{fault}")


def require_own_objective(game: Game[Any], trainer: str) -> None:
    """Check that the objective is one of the game's own, for a trainer that has formulas for these alone.

    Raises:
        UnsupportedGameError: if the objective comes from the entry-point group.
    """
    objective = getattr(game, "objective", None)
    if objective not in game.objectives:
        raise UnsupportedGameError(
            f"trainer {trainer!r} computes {', '.join(game.objectives)} of {game.name} by formulas, and has none for"
            f" objective {objective!r}: take a trainer that plays the game, such as rllib"
        )


def _fault(own: Game[Any], game: Game[Any], role: str, folder: Path) -> str | None:
    """Describe how the game that a role's policy was trained on differs from the one to play; None if it does not."""
    if game.name != own.name:
        return f", another game: it cannot play {game.name}"
    any_size = (folder / DESCRIPTION).exists() and getattr(saved_class(folder)[0], "any_size", False)
    if not any_size and dict(game.roles) != dict(own.roles):
        trained, wanted = (", ".join(f"{count} {name}" for name, count in g.roles.items()) for g in (own, game))
        return f" with agents of other numbers: {trained}; it cannot play it with {wanted}"
    if not own.roles.get(role):
        return None
    had, has = _fields(own, role), _fields(_as_trained(own, game, folder, role), role)
    if any_size and [name for name, _ in had] == [name for name, _ in has]:
        return None
    fault = _mismatch(had, has)
    return None if fault is None else f" in which the {role} {fault}"


def _as_trained(own: Game[Any], game: Game[Any], folder: Path, kind: str) -> Game[Any]:
    """Set the game to the run's own mechanism mode if the saved mechanism is a rule that plays in either mode."""
    if kind != "mechanism" or not isinstance(own, ReportingGame) or not isinstance(game, ReportingGame):
        return game
    if own.announces == game.announces or not (folder / DESCRIPTION).exists():
        return game
    if not getattr(saved_class(folder)[0], "either_mode", False):
        return game
    return replace(game, mechanism_mode=own.mechanism_mode)


def _fields(game: Game[Any], role: str) -> list[tuple[str, int]]:
    """List the observation and action fields of a role, by name and size."""
    sent = game.action_layout(role)
    seen = [(field.name, field.size) for field in game.observation_layout(role)]
    return seen + ([("choices", sent)] if isinstance(sent, int) else [(field.name, field.size) for field in sent])


def _mismatch(trained: list[tuple[str, int]], wanted: list[tuple[str, int]]) -> str | None:
    """Describe how the fields that a policy was trained on differ from the wanted ones; None for no difference."""
    if trained == wanted:
        return None
    if [name for name, _ in trained] == [name for name, _ in wanted]:
        sizes = zip(trained, wanted, strict=True)
        differing = ", ".join(f"{had} {name}, not {has}" for (name, had), (_, has) in sizes if had != has)
        return f"sees and does {differing}: it cannot play a game of another size"
    had, has = (", ".join(f"{size} {name}" for name, size in fields) for fields in (trained, wanted))
    return f"sees and does {had}, not {has}: it cannot play a game with other modes (mechanism_mode, rule_family, ...)"
