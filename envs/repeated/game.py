"""Repeated reporting games: participants learn what to report, mechanisms learn to withstand it.

Every round is a game whose reports are read as one of finitely many, such as a vote, with types drawn afresh: see
:mod:`lawgiver.envs.families.repeated_reports`. Participants choose among these reports, so that learners of Discrete
actions learn to vote, strategically where that pays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError, allowed, brief
from lawgiver.envs.core.make import make_game
from lawgiver.envs.core.registry import GAMES, game_name, lookup, names
from lawgiver.envs.families.repeated_reports import RepeatedReports
from lawgiver.envs.families.reporting_game import ReportingGame


@dataclass(frozen=True)
class RepeatedGame(RepeatedReports):
    """A reporting game with a menu for a number of rounds, in which participants choose from the menu.

    Args:
        stage: a reporting game whose reports are read as one of finitely many: its name, or
            ``{"name": NAME, **parameters}``. Its ``objective`` is what the mechanism is paid each round.
        rounds: number of rounds, >= 1; types are drawn afresh in each.
        announce_every: ``round`` or ``game``, of a mechanism that announces.

    Raises:
        ParameterError: if a parameter is outside its range, of the stage's too.
        UnsupportedGameError: if the stage is no reporting game, or has no menu.
    """

    stage: str | Mapping[str, Any] = field(default_factory=lambda: {"name": "voting", "n": 3, "m": 3})
    rounds: int = 4
    announce_every: Literal["round", "game"] = "round"

    name: ClassVar[str] = "repeated-v0"
    summary: ClassVar[str] = "decides by ballots round after round"
    reference: ClassVar[str] = "the stage's, see its page; the rounds are this library's"
    nested: ClassVar[Mapping[str, str]] = {"stage": "voting"}
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "announce": {"stage": {"name": "voting", "n": 3, "m": 3, "mechanism_mode": "announce"}},
    }

    def __post_init__(self) -> None:
        """Check every parameter."""
        self.check_rounds()
        _ = self.menu  # the stage's own check, and that it has one

    @cached_property
    def one_shot(self) -> ReportingGame:
        """The game of a single round, whose rules each round applies."""
        if isinstance(self.stage, Mapping) and "name" in self.stage:
            parameters = {str(key): value for key, value in self.stage.items()}
            name = parameters.pop("name")
        elif isinstance(self.stage, str):
            name, parameters = self.stage, {}
        else:
            told = f"stage is {brief(self.stage)}"
            raise ParameterError(f"{told}, allowed: a game's name, or {{'name': NAME, **parameters}}")
        if not _reports(game_name(name)):
            reporting = allowed(name, [each for each in names(GAMES) if _reports(each)])
            raise UnsupportedGameError(f"stage is {name!r}, in which nobody reports anything: {reporting}")
        game = make_game(name, **parameters)
        assert isinstance(game, ReportingGame)
        return game

    @cached_property
    def menu(self) -> np.ndarray:
        """Reports to choose from, (A, k)."""
        game = self.one_shot
        menu = game.menu()
        if menu is None:
            why = game.menu_absence or "it reads reports as they are, of which there is no end"
            raise UnsupportedGameError(f"stage {game.name} has no menu of {game.menu_noun} to choose from: {why}")
        return menu

    @property
    def choices(self) -> int:
        """Number of reports to choose from, A."""
        return len(self.menu)

    def reports_of(self, types: Array, choices: Array) -> Array:
        """Look up the reports (..., k) of choices (...), whatever the types (..., k + p)."""
        return constant(self.menu, types)[namespace(types).astype(choices, namespace(types).int64)]

    def honest_choice(self, types: Array) -> Array:
        """Find the row of the menu that the truth of types (..., k + p) is read as, integers (...)."""
        return self.one_shot.honest_choice(types)


def _reports(game: str) -> bool:
    """Check whether participants of a registered game report."""
    made = lookup(GAMES, game)
    return isinstance(made, type) and issubclass(made, ReportingGame)
