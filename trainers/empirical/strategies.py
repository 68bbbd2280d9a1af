"""Strategies of a game's roles by name: policies, runs, single actions, rows of a menu of reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np

from lawgiver.envs.core.errors import LawgiverError, ParameterError, UnsupportedGameError, allowed, brief
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.make import make_policy
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.core.registry import ROLES, names
from lawgiver.envs.families.reporting_game import ReportingGame
from lawgiver.envs.matrix import MatrixGame
from lawgiver.envs.repeated import RepeatedGame
from lawgiver.envs.repeated_allocation import RepeatedAllocation
from lawgiver.trainers.runs.overrides import described

EVERY = "menu"
"""Strategy that stands for all actions of Discrete participants, or for all rows of a menu of reports."""


@dataclass(frozen=True)
class Population:
    """One seat of a role, or its only one, and the strategies that it may play.

    Attributes:
        name: of the agent, as the views call it.
        role: of the game.
        seat: of the role.
        strategies: policies by name.
    """

    name: str
    role: str
    seat: int
    strategies: Mapping[str, Policy]


def populations(game: Game[Any], given: Any, mechanism: Any) -> tuple[Population, ...]:
    """Make the populations of a game: every participant, then the mechanism where there is one.

    Args:
        game: the game.
        given: the strategies of participants, or by role; see :func:`lawgiver.trainers.empirical.play.table`.
        mechanism: the only strategy of the mechanism, where ``given`` has none for it.

    Raises:
        ParameterError: if there is no strategy for a role, one is there twice, or one is unknown.
    """
    by_role = dict(given) if isinstance(given, Mapping) and set(given) <= set(ROLES) else {"participant": given}
    unknown = by_role.keys() - game.roles.keys()
    if unknown:
        role = min(unknown)
        raise ParameterError(f"strategies of a role {role!r}, which {game.name} lacks: {allowed(role, game.roles)}")
    if mechanism is not None:
        if "mechanism" not in game.roles or by_role.get("mechanism") is not None:
            told = "strategies has some for it" if "mechanism" in game.roles else f"{game.name} has none"
            raise ParameterError(f"mechanism is {brief(mechanism)}, and {told}: allowed: one or the other")
        by_role["mechanism"] = [mechanism]
    found = []
    for role, seats in game.roles.items():
        if role == "mechanism" and not by_role.get(role):
            raise ParameterError(
                f"the mechanism of {game.name} is missing: mechanism=NAME, allowed: {', '.join(_playing(game, role))},"
                " or strategies of its own"
            )
        every = made(game, role, by_role.get(role))
        legal = _legal(game, role)
        for seat, agent in zip(range(seats), game.agents_of(role), strict=True):
            own = {name: each.policy for name, each in every.items() if each.action is None or legal[seat, each.action]}
            found.append(Population(agent, role, seat, own))
    return tuple(found)


def _playing(game: Game[Any], role: str) -> list[str]:
    """List the registered policies of a role that play a game by their name alone."""
    found = []
    for name in names(ROLES[role]):
        with suppress(LawgiverError):  # of another game, without a required parameter, or not installed
            make_policy(game, role, name)
            found.append(name)
    return found


@dataclass(frozen=True)
class Strategy:
    """A policy, and the action that it always takes, where it takes a single Discrete one."""

    policy: Policy
    action: int | None = None


def made(game: Game[Any], role: str, given: Any) -> dict[str, Strategy]:
    """Make strategies of a role by name.

    Raises:
        ParameterError: if there is none, or one is there twice or unknown.
    """
    if given is None:
        given = [
            EVERY,
            *(["truthful"] if role == "participant" and isinstance(game, (ReportingGame, RepeatedGame)) else []),
        ]
    if isinstance(given, Mapping):
        listed = [(str(name), policy) for name, policy in given.items()]
    elif isinstance(given, Sequence) and not isinstance(given, str):
        listed = [(_label(policy), policy) for policy in given]
    else:
        listed = [(_label(given), given)]
    found: dict[str, Strategy] = {}
    for name, policy in listed:
        new = _every(game, role) if policy == EVERY else {name: _one(game, role, policy)}
        twice = [name for name in new if name in found]
        if twice:
            raise ParameterError(f"strategy {twice[0]!r} of the {role} is there twice, allowed: once")
        found |= new
    if not found:
        raise ParameterError(f"strategies of the {role} are {brief(given)}, allowed: one or more")
    return found


def _one(game: Game[Any], role: str, policy: Any) -> Strategy:
    if isinstance(policy, (int, np.integer)) and not isinstance(policy, bool):
        if role != "participant":
            raise ParameterError(f"strategy {policy} of the {role} is a number, allowed: a policy")
        chosen = make_policy(game, role, {"policy": "constant", "choice": int(policy)})
        discrete = isinstance(game.action_space(role), gymnasium.spaces.Discrete)
        return Strategy(chosen, int(policy) if discrete else None)
    return Strategy(make_policy(game, role, described(policy)))


def _every(game: Game[Any], role: str) -> dict[str, Strategy]:
    """Make the strategies that always take one action, or report one row of the menu."""
    space = game.action_space(role)
    if role == "participant" and isinstance(space, gymnasium.spaces.Discrete):
        labels = _action_names(game, int(space.n))
        return {label: _one(game, role, action) for action, label in enumerate(labels)}
    menu = game.menu() if role == "participant" and isinstance(game, ReportingGame) else None
    if menu is None:
        raise UnsupportedGameError(
            f"{role}s of {game.name} choose neither from finitely many actions nor from a menu of reports, allowed:"
            f" strategies by name, {', '.join(names(ROLES[role]))}, or runs"
        )
    assert isinstance(game, ReportingGame)
    return {_row(row, game.ordinal_menu): _one(game, role, at) for at, row in enumerate(menu)}


def _action_names(game: Game[Any], count: int) -> list[str]:
    if isinstance(game, MatrixGame) and len(set(game.names or ())) == 1:
        return list((game.names or ())[0])
    if isinstance(game, RepeatedGame):
        return [_row(row, game.one_shot.ordinal_menu) for row in game.menu]
    if isinstance(game, RepeatedAllocation):
        return [_row(row, ordinal=False) for row in game.menu]
    return list(map(str, range(count)))


def _row(row: np.ndarray, ordinal: bool) -> str:
    """Name a row of a menu: ``2>0>1`` of a ranking, else its numbers."""
    return ">".join(map(str, np.argsort(-row, kind="stable"))) if ordinal else " ".join(f"{x:g}" for x in row)


def _label(policy: Any) -> str:
    if isinstance(policy, Mapping):
        name, rest = policy.get("policy"), {key: value for key, value in policy.items() if key != "policy"}
        return " ".join([str(name), *(f"{key}={value}" for key, value in rest.items())])
    if isinstance(policy, (str, int, np.integer)) or hasattr(policy, "__fspath__"):
        return str(policy)
    raise ParameterError(f"strategy {brief(policy)} has no name, allowed: a mapping {{NAME: strategy}}")


def _legal(game: Game[Any], role: str) -> np.ndarray:
    """Find the Discrete actions of each seat that are legal in a new game, bool (n_role, A)."""
    space = game.action_space(role)
    count = int(space.n) if isinstance(space, gymnasium.spaces.Discrete) else 1
    mask = game.legal_actions(game.initial_state(1, np.random.default_rng(0)), role)
    return np.ones((game.roles[role], count), bool) if mask is None else np.asarray(mask)[0]
