"""Curry, Thoma et al. 2024, Automated Design of Affine Maximizer Mechanisms in Dynamic Settings: tables 1 to 5.

Every affine maximiser is truthful, whatever its weights and boosts, so that mechanisms are compared by one number, the
expected objective over types. VCG has no parameters to train: its numbers check that the games are the paper's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lawgiver.trainers.reproduce.affine_tables import TABLES, Cell, Table
from lawgiver.trainers.reproduce.runs import finished_in_time, saved
from lawgiver.trainers.reproduce.table import Reproduction, Row
from lawgiver.trainers.runs.headings import heading
from lawgiver.trainers.runs.loading import load
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.runs.summary import Summary
from lawgiver.trainers.statistics.estimate import Estimate, mean_of
from lawgiver.trainers.tables.wording import words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lawgiver.trainers.affine_maximiser import figures as affine_figures

CONFIG = "affine_maximiser"
LEARNED = "Affine maximisers that were learned in sequential sales, task scheduling and gridworlds"
"""Mechanism and games of the figures of several of them."""
ATTAINED = 0.99
"""Share of a limit from which on it counts as attained."""
SEARCHES = {
    "annealed": (CONFIG, ("trainer.log_every=25",)),
    "regularised": ("affine_maximiser_regularised", ("trainer.updates=1500", "trainer.log_every=25")),
    "zeroth_order": ("affine_maximiser_zeroth_order", ("trainer.updates=1500", "trainer.log_every=25")),
    "grid_search": ("affine_maximiser_grid_search", ("trainer.log_every=500",)),
}
"""Config and overrides of the searches that are compared; how long gradients are followed the paper does not say."""
COMPARED = (1, 5, 3)
"""Table, n and m of the cell on which they are."""
READ = {"reserves_symmetric": (1, 5, 3), "reserves_asymmetric": (2, 5, 3), "boosts": (5, 3, 4)}
"""Table, n and m of the cells whose boosts are drawn."""
TIMES = "captions: grid search < 32 hours, first order < 4.1, zeroth order < 0.2"
"""Computing times that the paper gives."""

TITLE = "Automated Design of Affine Maximizer Mechanisms in Dynamic Settings (Curry, Thoma et al. 2024): tables 1 to 5"
NOTES = (
    "Paper: the best of its three methods, and its VCG in brackets. Ours: the mean over seeds of the exact mechanism on"
    " fresh profiles. Its standard error is what the seeds differ by, but never less than what the profiles alone leave"
    " open; both shrink with the number of seeds.",
    "Of the makespan (tables 3 and 4) less is better, and ours / limit is above 1.",
    "Limits of tables 1 and 2 are Myerson's revenue, which reserve prices attain. Those of tables 3 to 5 are bounds"
    " that nothing truthful need come near: the least makespan if all costs were known, the revenue if goals were.",
    "Where the paper's text and its authors' program differ, its figures come from the program: values of table 2 are"
    " drawn from [0, 1/i], not [0, i]; a whole unit of time is taken off the makespan at every arrival; the grid is a"
    " torus with discount 0.9 that pays on every entry. Table 5's caption says makespan; it is revenue.",
    "Standard errors of the paper's figures are taken to be their captions' bounds: 0.007, 0.004, 0.02, 0.03 and 0.05.",
)


@dataclass(frozen=True)
class Result:
    """The trainings of one cell of the paper's tables.

    Attributes:
        table: the paper's table.
        cell: the paper's cell.
        runs: the finished runs, one a seed.
    """

    table: Table
    cell: Cell
    runs: tuple[Run, ...]

    @property
    def summaries(self) -> list[Summary]:
        """Summaries of all seeds."""
        return [run.summary for run in self.runs]

    @property
    def learned(self) -> Estimate:
        """Objective of the learned mechanism."""
        return estimate(self.summaries, "objective")

    @property
    def vcg(self) -> Estimate:
        """Objective of VCG."""
        return estimate(self.summaries, "vcg")

    @property
    def row(self) -> Row:
        """Row that compares the cell with the paper's."""
        paper = f"{self.table.best(self.cell):.4f} ({self.cell.vcg:.4f})"
        return Row(self.cell.name, self.learned, self.summaries[0]["limit"], paper, self.vcg)

    def beyond(self, ours: Estimate, paper: float) -> float:
        """Compute by how many combined standard errors ours is better than the paper's."""
        assert ours.standard_error is not None
        return self.table.sense * (ours.mean - paper) / float(np.hypot(ours.standard_error, self.table.standard_error))


def reproduce(folder: Path, n_seeds: int, jobs: int) -> Reproduction:
    """Make the tables and figures; see :func:`lawgiver.trainers.reproduce.reproduce`."""
    cells = [(table, cell) for table in TABLES for cell in table.cells]
    wanted = [
        (_place(folder, table, cell) / f"s{seed}", CONFIG, (*table.of_cell(cell), f"seed={seed}"))
        for table, cell in cells
        for seed in range(n_seeds)
    ]
    table, cell = _find(*COMPARED)
    compared = [
        (folder / "searches" / name, config, (*table.of_cell(cell), *overrides))
        for name, (config, overrides) in SEARCHES.items()
    ]
    runs, times = finished_in_time([*wanted, *compared], jobs, ", searches included", TIMES)
    results = [Result(*each, runs[i * n_seeds : (i + 1) * n_seeds]) for i, each in enumerate(cells)]
    found = dict(zip(SEARCHES, runs[len(wanted) :], strict=True))
    sections = {
        f"Table {table.number}: {table.measure}, {table.title}": tuple(r.row for r in results if r.table is table)
        for table in TABLES
    }
    sections[f"Searches, {_named(*COMPARED)}, one seed"] = tuple(_searched(found, table, cell))
    sections["In how many cells"] = tuple(verdicts(results))
    sections["Time"] = times
    figures = tuple(saved(folder, _figures(results, found)))
    return Reproduction(TITLE, sections, (*NOTES, *_conclusions(results)), figures, "VCG")


def _place(folder: Path, table: Table, cell: Cell) -> Path:
    return folder / f"table{table.number}" / f"n{cell.n}-m{cell.m}"


def _find(number: int, n: int, m: int) -> tuple[Table, Cell]:
    table = TABLES[number - 1]
    return table, next(cell for cell in table.cells if (cell.n, cell.m) == (n, m))


def _named(number: int, n: int, m: int) -> str:
    table, cell = _find(number, n, m)
    return f"{table.title}, {cell.name}"


def estimate(summaries: Sequence[Mapping[str, Any]], key: str) -> Estimate:
    """Estimate the mean over seeds of a value that each seed estimates on its own profiles.

    The spread over seeds includes that over profiles. With few seeds it may be small by chance, so the standard
    error is the larger of that spread and the seeds' own standard errors, divided by the root of their number.

    Args:
        summaries: one a seed.
        key: key of the estimate in each summary.
    """
    values = np.array([summary[key].mean for summary in summaries])
    errors = np.array([summary[key].standard_error for summary in summaries])
    spread = values.std(ddof=1) if len(values) > 1 else 0.0
    error = max(spread, np.sqrt((errors**2).mean())) / np.sqrt(len(values))
    mean, error = np.round([values.mean(), error], 12) + 0.0  # VCG may earn nothing but what rounding leaves
    return Estimate.normal(float(mean), float(error), len(values))


def verdicts(results: Sequence[Result]) -> Iterator[Row]:
    """Yield the number of cells in which each claim holds; the limit is the number of cells it is made for."""
    vcg = [abs(each.beyond(each.vcg, each.cell.vcg)) for each in results]
    best = [each.beyond(each.learned, each.table.best(each.cell)) for each in results]
    attained = [each.row.ratio or 0.0 for each in results if each.table.attained]
    counts = {
        "VCG within 3 combined standard errors of the paper's": [gap <= 3 for gap in vcg],
        "ours not worse than the paper's best by more than 2": [gain >= -2 for gain in best],
        "ours better than the paper's best by more than 2": [gain > 2 for gain in best],
        f"at least {ATTAINED:.0%} of Myerson's revenue, tables 1 and 2": [ratio >= ATTAINED for ratio in attained],
    }
    for quantity, holds in counts.items():
        yield Row(quantity, float(sum(holds)), limit=float(len(holds)), paper="-")


def _conclusions(results: Sequence[Result]) -> Iterator[str]:
    for row in verdicts(results):
        yield f"{row.quantity}: {mean_of(row.ours):.0f} of {row.limit:.0f} cells."
    missed = [each for each in results if each.table.attained and (each.row.ratio or 0) < ATTAINED]
    if missed:
        names = "; ".join(f"table {each.table.number}, {each.cell.name}: {each.row.ratio:.4f}" for each in missed)
        yield f"Short of {ATTAINED:.0%} of the limit are {names}."


def _searched(found: dict[str, Run], table: Table, cell: Cell) -> Iterator[Row]:
    """Yield the row of each search on the cell that they are compared on."""
    papers = {"regularised": cell.regularised, "zeroth_order": cell.zeroth_order, "grid_search": cell.grid}
    for name, run in found.items():
        paper = f"{papers[name]:.4f}" if name in papers else "-"
        quantity = f"{words(name)}, {run.summary.timing['search_s']:.1f} s"
        yield Row(quantity, run.summary["objective"], run.summary["limit"], paper)


def _figures(results: Sequence[Result], found: dict[str, Run]) -> Iterator[tuple[str, str, Figure]]:
    """Yield every figure with its file name and heading."""
    from lawgiver.trainers.affine_maximiser import figures as affine_figures

    table, _ = _find(*COMPARED)
    summary = next(iter(found.values())).summary
    searches = {name: _search(run) for name, run in found.items()}
    known = {"VCG": summary["vcg"].mean, "Myerson's revenue": summary["limit"]}
    yield "limits.png", LEARNED, affine_figures.boards([_board(table, results) for table in TABLES])
    title = f"Searches: {_named(*COMPARED)}"
    yield "searches.png", LEARNED, affine_figures.searches(searches, known, table.measure, title)
    for name, which in READ.items():
        run = next(each.runs[0] for each in results if (each.table, each.cell) == _find(*which))
        rule = affine_figures.meaning(run.game(), load(run.path, "mechanism"))
        assert rule is not None
        yield f"{name}.png", heading(run, run.summary), rule


def _board(table: Table, results: Sequence[Result]) -> affine_figures.Board:
    from lawgiver.trainers.affine_maximiser import figures as affine_figures

    standings = []
    for each in results:
        if each.table is table:
            scores = (table.best(each.cell), each.vcg.mean, each.learned, each.row.limit)
            standings.append(affine_figures.Standing(f"{each.cell.n}, {each.cell.m}", *scores))
    title = f"Table {table.number}: {table.title}"
    return affine_figures.Board(title, table.measure, table.limit, table.sizes, standings)


def _search(run: Run) -> affine_figures.Search:
    from lawgiver.trainers.affine_maximiser import figures as affine_figures

    lines = run.lines()
    seconds = np.array([line["timing"]["wall_s"] for line in lines])
    objective = np.array([line["objective"] for line in lines])
    return affine_figures.Search(seconds, objective, run.summary["objective"].mean)
