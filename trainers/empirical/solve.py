"""Exact solutions of games, equilibria of tables of payoffs, and games solved as empirical normal forms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict, Unpack, overload

from lawgiver.envs.core.errors import (
    ArgumentError,
    ConvergenceError,
    ParameterError,
    allowed,
    brief,
    seed_number,
)
from lawgiver.envs.core.game import Game, KnownSolution
from lawgiver.envs.core.make import make_game
from lawgiver.envs.core.policy import PolicyLike
from lawgiver.envs.solvers.normal_form.methods import METHODS, require_method
from lawgiver.trainers.empirical.play import Cast
from lawgiver.trainers.empirical.solutions import TableSolutions, form_solutions, table_solutions
from lawgiver.trainers.empirical.table import EmpiricalTable
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


class SolveOptions(TypedDict, total=False):
    """Keyword arguments of :func:`solve` beside the method."""

    strategies: Sequence[PolicyLike | int] | Mapping[str, Any] | None
    mechanism: PolicyLike | None
    games: int
    seed: int
    symmetric: bool
    options: Mapping[str, Any] | None


PLAYED = tuple(name for name in SolveOptions.__annotations__ if name not in ("seed", "options"))
"""Arguments by which a table is played, so that they make no sense with one that is given."""


@overload
def solve(game: str | Mapping[str, Any] | Game[Any]) -> tuple[Solution, ...]: ...


@overload
def solve(game: Path | PayoffTable) -> dict[str, Any]: ...


@overload
def solve(
    game: str | Mapping[str, Any] | Game[Any] | Path | PayoffTable | EmpiricalTable,
    method: str,
    **settings: Unpack[SolveOptions],
) -> TableSolutions: ...


def solve(
    game: str | Mapping[str, Any] | Game[Any] | Path | PayoffTable | EmpiricalTable,
    method: str | None = None,
    **settings: Unpack[SolveOptions],
) -> tuple[Solution, ...] | dict[str, Any] | TableSolutions:
    """Solve a game: what is known of it exactly, the Nash equilibria of a table, or any of them by a method.

    With a method the game is solved as a normal form: its strategies are played against each other, unless the game is
    a table already.

    Args:
        game: a game by name, as ``{"name": NAME, **parameters}``, or itself. Or a table of payoffs: the ``Path`` of a
            CSV file of two players (see :func:`lawgiver.trainers.evaluation.payoff_table.read_payoffs`), or of the
            ``table.json`` of a table that was played; or such a table itself.
        method: ``hedge``, ``optimistic_hedge``, ``regret_matching``, ``internal_regret_matching``,
            ``fictitious_play``, ``replicator``, ``alpha_rank``, ``ce``, ``cce``, ``nash``, ``minimax``,
            ``double_oracle`` or ``psro``; None for what is known.
        settings: of a game that is played by a method ``strategies``, ``mechanism``, ``games`` (of each cell, 1,000),
            ``seed`` (0) and ``symmetric``, each as :func:`lawgiver.trainers.empirical.play.table` takes it; and
            ``options`` of the method by name, such as ``{"objective": "least"}`` of ``ce``.

    Returns:
        with a method the solutions: ``.solutions`` have ``mixtures`` by player, ``payoffs``, ``regret`` in the table
        and ``regret_in_game``; ``.table`` is what was played. Else of a game its known solutions, each with the
        residual of the equation that defines it, then those that such games have but not with these parameters, each
        with the reason; none where nothing is known. Else of a table ``dominance`` by player, ``equilibria`` with their
        payoffs and regrets, ``fictitious_play``, and whether it is ``symmetric``.

    Raises:
        ParameterError: if the file, a parameter or a setting is wrong.
        LawgiverError: if there is no such game or method, or the method does not apply.
        MissingExtraError: if the solver needs a package that is not installed.

    Example:
        >>> import lawgiver
        >>> lawgiver.solve("selfish_routing")[0].value
        2.0
        >>> found = lawgiver.solve({"name": "matrix", "preset": "chicken"}, "ce").solutions[0]
        >>> {player: round(paid, 6) for player, paid in found.payoffs.items()}
        {'participant_0': 5.25, 'participant_1': 5.25}
    """
    if isinstance(game, Path):
        game = _read(game)
    given: dict[str, Any] = dict(settings)
    unknown = [key for key in given if key not in SolveOptions.__annotations__]
    if unknown:
        raise ArgumentError(f"solve has no setting {unknown[0]!r}: {allowed(unknown[0], SolveOptions.__annotations__)}")
    if method is None:
        if given:
            told = f"{next(iter(given))!r} is given without a method"
            raise ParameterError(f"{told}, allowed: with method=NAME, {allowed('', METHODS).removeprefix('allowed: ')}")
        return _known(game)
    require_method(method, 2)
    options, seed = given.pop("options", None) or {}, seed_number("seed", given.get("seed", 0))
    if not isinstance(options, Mapping):
        raise ParameterError(f"options is {brief(options)}, allowed: options of {method} by name")
    if isinstance(game, (PayoffTable, EmpiricalTable)):
        wrong = [key for key in PLAYED if key in given]
        if wrong:
            raise ParameterError(f"{wrong[0]!r} is given with a table, allowed: method, options and seed")
        if isinstance(game, PayoffTable):
            return form_solutions(game.form, ("row", "column"), method, options)
        return table_solutions(game, method, options, seed)
    cast = Cast.of(game, given.get("strategies"), given.get("mechanism"))
    require_method(method, len(cast.players))  # before anything is played
    played = cast.table(given.get("games", 1_000), seed, given.get("symmetric", False))
    return table_solutions(played, method, options, seed)


def _read(path: Path) -> PayoffTable | EmpiricalTable:
    """Read a table of payoffs: of a folder or a file ``.json`` one that was played, else a CSV file of two players."""
    return EmpiricalTable.load(path) if path.is_dir() or path.suffix == ".json" else read_payoffs(path)


def _known(game: Any) -> tuple[Solution, ...] | dict[str, Any]:
    if isinstance(game, PayoffTable):
        return game.solved()
    if isinstance(game, EmpiricalTable):
        raise ParameterError(f"a table that was played is solved by a method: {allowed('', METHODS)}")
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
