"""Curry, Thoma et al. 2024, Automated Design of Affine Maximizer Mechanisms in Dynamic Settings: tables 1 to 5."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Cell:
    """One row of a table.

    Attributes:
        n: participants.
        m: items, tasks, or cells along an edge of the grid.
        vcg: the objective under dynamic VCG.
        grid: of the best mechanism found by grid search.
        zeroth_order: by zeroth-order gradients.
        regularised: by gradients through a regularised linear program.
    """

    n: int
    m: int
    vcg: float
    grid: float
    zeroth_order: float
    regularised: float

    @property
    def name(self) -> str:
        """``n=2, m=3``."""
        return f"n={self.n}, m={self.m}"


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        number: as the paper counts.
        title: name of the game and its types.
        game: its name and parameters, as overrides of a config.
        standard_error: the caption's bound on every figure of the table.
        cells: the rows.
        measure: name of the objective.
        sizes: meanings of n and m.
        sense: +1 if the objective is maximised, -1 if it is minimised.
        limit: name of the known limit.
        attained: whether an affine maximiser attains the limit.
    """

    number: int
    title: str
    game: tuple[str, ...]
    standard_error: float
    cells: tuple[Cell, ...]
    measure: str
    sizes: str
    sense: int
    limit: str
    attained: bool

    def best(self, cell: Cell) -> float:
        """Select the best of a cell's three optimised figures."""
        return self.sense * max(self.sense * found for found in (cell.grid, cell.zeroth_order, cell.regularised))

    def of_cell(self, cell: Cell) -> tuple[str, ...]:
        """List the overrides that make a cell's game."""
        return (*self.game, f"game.n={cell.n}", f"game.m={cell.m}")


def _cells(text: str) -> tuple[Cell, ...]:
    """Parse rows ``n m VCG grid zeroth_order regularised``, as the paper prints them."""
    rows = (line.split() for line in text.strip().splitlines())
    return tuple(Cell(int(n), int(m), *map(float, scores)) for n, m, *scores in rows)


SALES = _cells("""
2  2  0.0000  0.4902  0.4939  0.4893
3  2  0.4999  0.6079  0.6777  0.6755
4  2  0.8000  0.7977  0.8783  0.8328
5  2  0.9996  1.0050  1.0078  0.9967
2  3  0.0000  0.4715  0.3825  0.4168
3  3  0.0000  0.6107  0.6446  0.7240
4  3  0.6007  0.7323  0.8875  0.9104
5  3  0.9988  0.7142  1.0631  1.0743
""")
SALES_ASYMMETRIC = _cells("""
2  2  0.0000  0.3327  0.3302  0.3665
3  2  0.2348  0.3217  0.4123  0.4116
4  2  0.3089  0.3328  0.4021  0.4508
5  2  0.3350  0.3355  0.4348  0.4645
2  3  0.0000  0.3208  0.2544  0.3202
3  3  0.0000  0.3304  0.3556  0.4354
4  3  0.2276  0.3431  0.4263  0.4751
5  3  0.3193  0.2713  0.3770  0.4976
""")
SCHEDULING = _cells("""
2  4  1.0336  1.0326  0.9132  0.9288
2  5  1.0116  1.0142  0.8820  0.9286
3  4  0.6111  0.6196  0.5967  0.6184
3  5  0.5662  0.5632  0.5429  0.5538
""")
SCHEDULING_ASYMMETRIC = _cells("""
2  4  1.8312  1.8260  1.5978  1.6121
2  5  1.9651  1.9837  1.6347  1.6886
3  4  1.4299  1.4426  1.3242  1.3243
3  5  1.4644  1.4729  1.3256  1.3629
""")
GRIDWORLD = _cells("""
2  3  0.7547  1.0607  1.3486  1.5464
3  3  1.2812  1.4348  1.5575  1.9251
4  3  1.8683  1.8729  1.8853  2.3009
5  3  2.3563  2.3689  1.9951  2.5989
2  4  1.0402  1.0446  1.4935  1.6134
3  4  1.4898  1.4904  1.6821  2.0171
4  4  1.8610  1.8757  1.9427  2.3413
5  4  2.2472  2.2133  2.0256  2.5911
""")

_AUCTION: dict[str, Any] = {
    "measure": "revenue",
    "sizes": "bidders, items",
    "sense": 1,
    "limit": "Myerson's revenue, attained",
    "attained": True,
}
_TASKS: dict[str, Any] = {
    "measure": "makespan",
    "sizes": "workers, tasks",
    "sense": -1,
    "limit": "all costs known, out of reach",
    "attained": False,
}
_GRID: dict[str, Any] = {
    "measure": "revenue",
    "sizes": "participants, cells an edge",
    "sense": 1,
    "limit": "goals known, out of reach",
    "attained": False,
}
_SALES, _SCHEDULING, _ASYMMETRIC = "game.name=sequential_sales", "game.name=task_scheduling", "game.preset=asymmetric"
TABLES = (
    Table(1, "sequential sales, values in [0, 1]", (_SALES,), 0.007, SALES, **_AUCTION),
    Table(2, "sequential sales, values in [0, 1/i]", (_SALES, _ASYMMETRIC), 0.004, SALES_ASYMMETRIC, **_AUCTION),
    Table(3, "task scheduling, costs in [0, 3]", (_SCHEDULING,), 0.02, SCHEDULING, **_TASKS),
    Table(4, "task scheduling, costs in [0, 3i]", (_SCHEDULING, _ASYMMETRIC), 0.03, SCHEDULING_ASYMMETRIC, **_TASKS),
    Table(5, "gridworld, values in [0, 1]", ("game.name=gridworld",), 0.05, GRIDWORLD, **_GRID),
)
"""All five, of 32 cells."""
