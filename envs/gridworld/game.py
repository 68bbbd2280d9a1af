"""A walk on a grid whose participants each want it to enter one cell repeatedly.

The mechanism walks over m x m cells, one cell up, down, left or right at a time, from cell 0, for ever. Participant i
has a goal, any of the other cells with equal probability, and a value v_i; whenever the walk enters the goal it is
worth v_i to i, discounted by ``discount`` a move, the first move not. Both are private. Goals may coincide. Think of an
auctioneer among goods that grow back, whom bidders pay to come where they want him.

The paper leaves open what the authors' program settles: the grid is a torus, the discount factor is 0.9, and a goal
pays on every entry, not once. With ``edges="walls"``, a move into a wall stays in the cell, and enters it again.

A report of a goal is rounded to the nearest cell that can be one. So nothing is to be learnt from the gradient with
respect to a reported goal: it is zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np

from lawgiver.envs.core.arrays import Array, namespace
from lawgiver.envs.core.drawings import Drawing, board
from lawgiver.envs.core.errors import ParameterError, choice, integer, number
from lawgiver.envs.core.fields import Field, Layout
from lawgiver.envs.core.game import KnownSolution
from lawgiver.envs.families.ends import Ends
from lawgiver.envs.families.mdp_game import MDPGame
from lawgiver.envs.families.reporting_game import ReportingState
from lawgiver.envs.gridworld import solutions
from lawgiver.envs.gridworld.solutions import EDGES, Edges
from lawgiver.envs.solvers.mdp.discounted import Discounted
from lawgiver.envs.solvers.mdp.model import MEMORY, check_memory

SMALL = 20
"""Rows of the largest grid with a known solution: the solver checks every goal."""


@dataclass(frozen=True)
class Gridworld(MDPGame):
    """A walk on a torus whose participants value every entry into their goal cell.

    Args:
        n: number of participants, at least 1.
        m: number of rows, and of columns, at least 2.
        objective: ``revenue``, ``welfare`` or a registered objective.
        mechanism_mode: ``announce`` (log w and b of an affine maximiser, before the reports) or ``allocate`` (a policy
            and payments, after them).
        types: ``uniform``, or ``piecewise``: the density of a value is constant on each of several pieces.
        low: least value, at least 0; one for all, one a participant, or a rule by its number.
        high: greatest value, likewise.
        masses: relative probabilities of the pieces, where types are ``piecewise``.
        discount: discount of a move, in [0, 1).
        edges: ``torus`` or ``walls``.

    Raises:
        ParameterError: if a parameter is outside its range, or the grid too large.
    """

    n: int = 2
    m: int = 3
    objective: str = "revenue"
    mechanism_mode: Literal["announce", "allocate"] = "announce"
    types: Literal["uniform", "piecewise"] = "uniform"
    low: Ends = 0.0
    high: Ends = 1.0
    masses: Sequence[float] | None = None
    discount: float = 0.9
    edges: Edges = "torus"

    name: ClassVar[str] = "gridworld-v0"
    summary: ClassVar[str] = "walks a grid by what cells are said to be worth"
    reference: ClassVar[str] = (
        "Curry, Thoma et al. 2024, Automated Design of Affine Maximizer Mechanisms in Dynamic Settings, section 5"
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"torus": {}, "walls": {"edges": "walls"}}
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {"allocate": {"mechanism_mode": "allocate"}}

    def __post_init__(self) -> None:
        """Check the parameters."""
        self.check_types()
        object.__setattr__(self, "m", integer("m", self.m, 2))
        object.__setattr__(self, "discount", number("discount", self.discount, "[0, 1)"))
        if self.type_range[0] < 0:
            raise ParameterError(f"low is {self.low!r}, allowed: values of at least 0")
        choice("edges", self.edges, EDGES)
        check_memory(f"a grid of {self.m:,} x {self.m:,} cells", 16 * self.m**2, MEMORY, "take a smaller m")
        self.check_bound()

    # -- what the game is made of -------------------------------------------------------------------------------

    @cached_property
    def successors(self) -> np.ndarray:
        """The cell that each move leads to, integers (m^2, 4)."""
        return solutions.successors(self.m, self.edges)

    @cached_property
    def mdp(self) -> Discounted:
        """The walk."""
        return Discounted(self.successors, self.discount, 0)

    def type_layout(self) -> Layout:
        """Return the fields of the goal and its value."""
        last = self.m**2 - 1
        return (
            Field(
                "goal",
                1,
                0,
                last,
                "cell",
                f"where the walk is to go, 1 to {last}, row by row; rounded, and 0 is read as 1",
            ),
            Field("value", 1, 0, self.type_range[1], "utility", "of every time that the walk enters the goal"),
        )

    def types_of(self, draws: Array) -> Array:
        """Return goals and values (B, n, 2)."""
        xp = namespace(draws)
        goals = self.cells(0.5 + draws[..., :1] * (self.m**2 - 1))
        return xp.concat([goals, self.quantiles(draws[..., 1:])], axis=-1)

    def cells(self, goals: Array) -> Array:
        """Return the cells nearest to reported ``goals`` that can be goals."""
        xp = namespace(goals)
        return xp.clip(xp.round(goals), 1, self.m**2 - 1)

    def rewards(self, types: Array) -> Array:
        """Return the value where a move enters the goal, (B, n, S, A)."""
        return solutions.visits(self.successors, self.cells(types[..., 0]), types[..., 1])

    @property
    def boost_bound(self) -> float:
        """Largest total gain of all participants over the whole walk."""
        return self.n * self.type_range[1] / (1 - self.discount)

    def drawing(self, state: ReportingState, index: int) -> Drawing | None:
        """Return the board: where the walk begins, and the participants' goals; None for one too large to draw."""
        goals = np.asarray(self.cells(state.types[index, :, 0])).astype(int).tolist()
        marks = [(0, "M"), *((goal, str(seat)) for seat, goal in enumerate(goals))]
        return board(self.m, self.m, marks, "M: start of the walk, 0..: goals")

    # -- exact solutions --------------------------------------------------------------------------------------

    @cached_property
    def public_goals(self) -> tuple[float, float]:
        """The expected objective of an optimal mechanism that knows the goals, and its standard error.

        The mean over 16 stratified samples of 1,024 profiles, always the same; in the settings of the paper the
        standard error of the bound of revenue is below 0.4 % of it.
        """
        means = []
        for draws in solutions.samples(2 * self.n):
            types = self.types_of(draws.reshape(-1, self.n, 2))
            worth = types[..., 1]
            if self.objective == "revenue":
                worth = np.stack(
                    [each.virtual_value(worth[:, i]) for i, each in enumerate(self.distributions)], axis=-1
                )
            best, _ = self.mdp.optimal(solutions.visits(self.successors, types[..., 0], worth).sum(1))
            means.append(best.mean())
        return float(np.mean(means)), float(np.std(means, ddof=1) / np.sqrt(len(means)))

    def limit(self) -> float | None:
        """Compute the optimum under public goals: an upper bound of revenue, attained for welfare.

        Values alone are then private, and Myerson's theorem says that nothing under which telling the truth is best
        and nobody loses by taking part earns more in expectation than the walk that is best for the (ironed) virtual
        values.
        """
        return self.public_goals[0] if self.objective in self.objectives else None

    def known_solutions(self) -> tuple[KnownSolution, ...]:
        """Number of times that the farthest goal can be entered, on up to 20 x 20 cells; residual over all goals."""
        if self.m > SMALL:
            return ()
        return (
            KnownSolution(
                name="discounted entries of the last cell",
                source="the shortest way there, then to and fro; residual: value of the optimal walk, over all goals",
                value=lambda: solutions.shuttle(self.m, self.edges, self.discount, self.m**2 - 1),
                residual=self._residual,
            ),
        )

    def _residual(self) -> float:
        goals = np.arange(1, self.m**2)
        found, _ = self.mdp.optimal(solutions.visits(self.successors, goals, np.ones(len(goals))))
        known = [solutions.shuttle(self.m, self.edges, self.discount, int(goal)) for goal in goals]
        return float(np.abs(found - known).max() * (1 - self.discount))
