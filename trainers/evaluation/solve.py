"""Exact solutions of games, and equilibria of bimatrix games."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

from lawgiver.envs.core.errors import ConvergenceError
from lawgiver.envs.core.game import Game, KnownSolution
from lawgiver.envs.core.make import make_game
from lawgiver.trainers.evaluation.payoff_table import PayoffTable, read_payoffs
from lawgiver.trainers.runs.overrides import game_settings


@dataclass(frozen=True)
class Solution:
    """A quantity of a game that is known exactly, or the reason why it is not.

    Attributes:
        quantity: what it is, in words, which begin with ``approximate`` where the value is no more than that.
        value: None where the number is not known.
        residual: how far it is from satisfying the equation that defines it, computed anew; None where it is not found.
        tolerance: the largest residual at which there is a value; None where there is no equation.
        source: the theorem or algorithm, and what the residual is; None where there is no theorem.
        reason: why there is no value; None where there is one.
    """

    quantity: str
    value: float | None
    residual: float | None
    tolerance: float | None
    source: str | None
    reason: str | None = None


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
        of a game its known solutions, each with the residual of the equation that defines it, then those that such
        games have but not with these parameters, each with the reason; none where nothing is known. Of a table
        ``dominance`` by player, ``equilibria`` with their payoffs and regrets, ``fictitious_play``, and whether it is
        ``symmetric``.

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
    unknown = (Solution(name, None, None, None, None, why.reason) for name, why in made.unknown_solutions().items())
    return (*map(_computed, made.known_solutions()), *unknown)


def _computed(known: KnownSolution) -> Solution:
    residual = None
    try:
        residual = float(known.residual())
        value = float(known.value())
    except ConvergenceError as error:
        return Solution(known.name, None, residual, known.tolerance, known.source, str(error))
    quantity = known.name if known.exact is None or residual <= known.exact else f"approximate {known.name}"
    return Solution(quantity, value, residual, known.tolerance, known.source)
