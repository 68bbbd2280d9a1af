"""Solutions of tables of payoffs, each with its regret: in the table, and in the game that the table estimates.

The strategies of a solution fit the sample of games that they were computed on, so that its regret in the table, often
0, is too small. How large it may be in the game is told by the same solution's regret in tables of resampled games
(:func:`lawgiver.trainers.statistics.bootstrap.resampled_means`): what is estimated differs from the truth about as
resamples differ from the estimate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lawgiver.envs.solvers.normal_form.forms import Form, NormalForm
from lawgiver.envs.solvers.normal_form.methods import Concept, FormSolution, solutions
from lawgiver.trainers.empirical.table import EmpiricalTable
from lawgiver.trainers.runs.atomic_files import made_folder, write_json
from lawgiver.trainers.statistics.bootstrap import resampled_means
from lawgiver.trainers.statistics.estimate import LEVEL, Estimate
from lawgiver.trainers.statistics.streams import EMPIRICAL

DRAWS = 500
"""Tables of resampled games."""
NUMBERS = 50_000_000
"""Numbers that these hold together, of fewer tables where they are large."""
FEWEST = 100
"""Tables of resampled games, however large."""
EVERYBODY = "everybody"
"""Player of a symmetric game, whichever it is."""


@dataclass(frozen=True)
class Solved:
    """A solution of a table.

    Attributes:
        concept: by which its regret is measured, see :data:`lawgiver.envs.solvers.normal_form.methods.Concept`.
        mixtures: weight of each strategy by player; by ``everybody`` where all play the same mixture.
        joint: choices of each player and their ``probability``, of a distribution of joint choices, without those of
            probability 0; None of mixtures that are drawn independently.
        payoffs: expected payoff of each player, an estimate where games are random.
        regret: in the table, the largest gain of a player from leaving the solution, >= 0.
        regret_in_game: the same in the game: an estimate from resampled games, the number itself where nothing is
            random, None where the table's payoffs were given without the games behind them.
    """

    concept: Concept
    mixtures: Mapping[str, Mapping[str, float]]
    joint: tuple[Mapping[str, Any], ...] | None
    payoffs: Mapping[str, Estimate | float]
    regret: float
    regret_in_game: Estimate | float | None


@dataclass(frozen=True)
class TableSolutions:
    """The solutions of a table by one method.

    Attributes:
        method: its name.
        players: names.
        games: in each cell; None of a table whose payoffs are given.
        unit: of payoffs.
        solutions: one or more.
        table: the table that was played, None of one whose payoffs are given.
    """

    method: str
    players: tuple[str, ...]
    games: int | None
    unit: str
    solutions: tuple[Solved, ...]
    table: EmpiricalTable | None

    def data(self) -> dict[str, Any]:
        """Convert to plain data."""
        plain = {"method": self.method, "players": list(self.players), "games": self.games, "unit": self.unit}
        return {**plain, "solutions": [asdict_of(each) for each in self.solutions]}

    def save(self, folder: str | Path) -> list[Path]:
        """Write ``solutions.json``, and of a table that was played its files, into a folder; list them.

        Raises:
            RunError: if they cannot be written.
        """
        folder = made_folder(folder)
        write_json(folder / "solutions.json", self.data())
        return [folder / "solutions.json", *(self.table.save(folder) if self.table is not None else ())]


def asdict_of(solved: Solved) -> dict[str, Any]:
    """Convert a solution to plain data, estimates as :meth:`Estimate.to_data` writes them."""
    return {**asdict(solved), "payoffs": dict(solved.payoffs), "regret_in_game": solved.regret_in_game}


def table_solutions(
    table: EmpiricalTable, method: str, options: Mapping[str, Any] | None = None, seed: int = 0
) -> TableSolutions:
    """Solve an empirical table.

    Args:
        table: the table.
        method: one of :data:`lawgiver.envs.solvers.normal_form.methods.METHODS`.
        options: of the method.
        seed: of the resampled games.

    Raises:
        LawgiverError: as :func:`lawgiver.envs.solvers.normal_form.methods.solutions`.
    """
    found = solutions(table.form, method, **(options or {}))
    if table.exact:
        solved = tuple(_solved(table.form, table.players, each, exact=True) for each in found)
    else:
        rng = np.random.default_rng([seed, EMPIRICAL, 0])
        draws = max(FEWEST, min(DRAWS, NUMBERS // table.samples[0].size))
        forms = [table.form_of(payoffs) for payoffs in resampled_means(table.samples, rng, draws)]
        solved = tuple(_resolved(table, each, forms) for each in found)
    return TableSolutions(method, table.players, table.games, table.unit, solved, table)


def form_solutions(
    form: NormalForm, players: tuple[str, ...], method: str, options: Mapping[str, Any] | None = None
) -> TableSolutions:
    """Solve a table of payoffs that are given, of whose errors nothing is known; see :func:`table_solutions`."""
    found = solutions(form, method, **(options or {}))
    solved = tuple(_solved(form, players, each, exact=False) for each in found)
    return TableSolutions(method, players, None, "payoff", solved, None)


def _solved(form: Form, players: tuple[str, ...], found: FormSolution, exact: bool) -> Solved:
    owners = players if len(found.mixtures) == len(players) else (EVERYBODY,)
    names = form.names if len(form.names) == len(owners) else form.names * len(owners)
    paid, regret = found.payoffs(form), float(found.regrets(form).max())
    return Solved(
        concept=found.concept,
        mixtures={
            owner: dict(zip(own, mixture.tolist(), strict=True))
            for owner, own, mixture in zip(owners, names, found.mixtures, strict=True)
        },
        joint=None if found.joint is None else _cells(found.joint, players, names),
        payoffs=dict(zip(owners if len(paid) == len(owners) else players, paid.tolist(), strict=True)),
        regret=regret,
        regret_in_game=regret if exact else None,
    )


def _resolved(table: EmpiricalTable, found: FormSolution, forms: list[Form]) -> Solved:
    """Solve with estimates from tables of resampled games."""
    plain = _solved(table.form, table.players, found, exact=False)
    regrets = np.array([found.regrets(form).max() for form in forms])
    paid = np.array([found.payoffs(form) for form in forms])
    payoffs = {
        owner: _estimate(mean, drawn, table.games)
        for (owner, mean), drawn in zip(plain.payoffs.items(), paid.T, strict=True)
    }
    return Solved(
        plain.concept,
        plain.mixtures,
        plain.joint,
        payoffs,
        plain.regret,
        _estimate(float(regrets.mean()), regrets, table.games),
    )


def _estimate(mean: Any, drawn: np.ndarray, games: int) -> Estimate:
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(mean), float(drawn.std()), float(low), float(high), games, "table bootstrap")


def _cells(
    joint: np.ndarray, players: tuple[str, ...], names: tuple[tuple[str, ...], ...]
) -> tuple[dict[str, Any], ...]:
    """List the joint choices of a distribution, the likeliest first."""
    order = np.argsort(-joint, axis=None, kind="stable")
    found = []
    for cell in zip(*np.unravel_index(order, joint.shape), strict=True):
        chance = float(joint[cell])
        if chance <= 0:
            break
        chosen = {player: own[int(a)] for player, own, a in zip(players, names, cell, strict=True)}
        found.append({**chosen, "probability": chance})
    return tuple(found)
