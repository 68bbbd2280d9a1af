"""Exact solutions of games, and equilibria of bimatrix games."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

from lawgiver.envs.core.game import Game
from lawgiver.envs.core.make import make_game
from lawgiver.trainers.evaluation.payoff_table import PayoffTable, read_payoffs
from lawgiver.trainers.runs.overrides import game_settings

ROUNDING = 1e-6
"""Largest residual of an exact solution."""


@dataclass(frozen=True)
class Solution:
    """A quantity of a game that is known exactly.

    Attributes:
        quantity: what it is, in words; ``approximate`` where the residual is more than rounding.
        value: None where the residual is too large for the number to be certain.
        residual: how far it is from satisfying the equation that defines it, computed anew.
        tolerance: the largest residual at which there is a value.
        source: the theorem or algorithm, and what the residual is.
    """

    quantity: str
    value: float | None
    residual: float
    tolerance: float
    source: str


@overload
def solve(game: str | Mapping[str, Any] | Game[Any]) -> tuple[Solution, ...]: ...


@overload
def solve(game: Path | PayoffTable) -> dict[str, Any]: ...


def solve(game: str | Mapping[str, Any] | Game[Any] | Path | PayoffTable) -> tuple[Solution, ...] | dict[str, Any]:
    """Solve a game: what is known of it exactly, or the Nash equilibria of a table of payoffs.

    Args:
        game: a game by name, as ``{"name": NAME, **parameters}``, or itself. Or a game of two players that is given by
            its payoffs: the ``Path`` of a CSV file (see
            :func:`lawgiver.trainers.evaluation.payoff_table.read_payoffs`), or a PayoffTable.

    Returns:
        of a game its known solutions, each with the residual of the equation that defines it; none where nothing is
        known. Of a table ``dominance`` by player, ``equilibria`` with their payoffs and regrets, ``fictitious_play``,
        and whether it is ``symmetric``.

    Raises:
        ParameterError: if the file or a parameter is wrong.
        LawgiverError: if there is no such game.
        MissingExtraError: if the solver needs a package that is not installed.

    Example:
        >>> import lawgiver
        >>> lawgiver.solve("selfish_routing")[0].value
        2.0
    """
    if isinstance(game, Path):
        game = read_payoffs(game)
    if isinstance(game, PayoffTable):
        return game.solved()
    made = game if isinstance(game, Game) else make_game(**game_settings(game))
    found = []
    for known in made.known_solutions():
        residual = known.residual()
        value = known.value() if residual <= known.tolerance else None
        quantity = known.name if value is None or residual <= ROUNDING else f"approximate {known.name}"
        found.append(Solution(quantity, value, residual, known.tolerance, known.source))
    return tuple(found)
