"""Measured effort: people work for what is measured, which is not what is wanted.

Each participant chooses an effort e in k tasks, at a cost of |e|^2 / 2; it is worth V . e to the mechanism. J tests see
M e of it, and the mechanism announces their weights w: it pays w . M e. A participant's best reply is e = M' w, so that
a test that weighs much draws effort to what it sees, be it worth anything or not: the gaming of an evaluation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, ClassVar

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace, total
from lawgiver.envs.core.errors import ParameterError, brief, integer, number, one_each
from lawgiver.envs.core.fields import Field, Layout
from lawgiver.envs.core.game import LARGEST_SEATS, KnownSolution
from lawgiver.envs.families.mechanism_game import MechanismGame
from lawgiver.envs.measured_effort import solutions
from lawgiver.envs.measured_effort.subgame import MeasuredEffortSubgame

LARGEST_NUMBER = 1e6
"""Largest absolute value of a worth, of an entry of a test, and of a weight."""
MOST = 32
"""Largest number of tasks, and of tests."""


@dataclass(frozen=True)
class MeasuredEffort(MechanismGame):
    """People who work for what is measured.

    The mechanism announces a weight for each test; every participant sees the weights and chooses its effort in every
    task, which may be negative. It is paid the weighted sum of what the tests see of its effort, less half the square
    of the effort.

    Args:
        n: number of participants, >= 2.
        worth: V, what a unit of effort in each of k tasks is worth, not all of them 0.
        tests: M, what each test sees of a unit of effort in each task: J rows of k numbers, none of them all 0.
        levels: levels of effort in each task, evenly from one end to the other, at least 2; None for all in between.
        box: largest absolute value of a weight, > 0.
        objective: the mechanism's reward: ``welfare``, what all effort is worth less what it costs those who put it in,
            or a registered objective.

    Raises:
        ParameterError: if a parameter is outside its range, or shapes do not fit.
    """

    n: int = 2
    worth: tuple[float, ...] = (1.0, 1.0)
    tests: tuple[tuple[float, ...], ...] = ((1.0, 0.5),)
    levels: int | None = None
    box: float = 3.0

    name: ClassVar[str] = "measured_effort-v0"
    summary: ClassVar[str] = "weighs tests that see only part of the effort"
    reference: ClassVar[str] = "Holmstrom and Milgrom 1991, Multitask Principal-Agent Analyses"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "unseen_task": {"worth": (1.0, 1.0), "tests": ((1.0, 0.0),)},
        "slanted_test": {"worth": (1.0, 1.0), "tests": ((1.0, 0.5),)},
        "opposed_test": {"worth": (1.0, 1.0), "tests": ((1.0, -1.0),)},
        "two_slanted_tests": {"worth": (1.0, 1.0), "tests": ((1.0, 0.5), (0.5, 1.0))},
    }
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "Levels of effort": {"levels": 9},
        "Two tests of three tasks": {"worth": (1.0, 1.0, 0.5), "tests": ((1.0, 0.0, 0.5), (0.0, 1.0, -0.5))},
    }

    def __post_init__(self) -> None:
        """Check every parameter."""
        within = f"[-{LARGEST_NUMBER:g}, {LARGEST_NUMBER:g}]"
        size = len(self.worth) if isinstance(self.worth, (list, tuple, np.ndarray)) else 0
        worth = one_each("worth", self.worth, min(max(size, 1), MOST), within, "a task")
        if not any(worth):
            raise ParameterError(f"worth is {brief(self.worth)}, allowed: numbers of which one at least is not 0")
        rows = self.tests if isinstance(self.tests, (list, tuple, np.ndarray)) else ()
        if not 1 <= len(rows) <= MOST:
            raise ParameterError(f"tests is {brief(self.tests)}, allowed: 1 to {MOST} rows of {size} numbers")
        tests = tuple(one_each(f"tests[{j}]", row, size, within, "a task") for j, row in enumerate(rows))
        for j, row in enumerate(tests):
            if not any(row):
                raise ParameterError(f"tests[{j}] is {brief(rows[j])}, allowed: numbers of which one is not 0")
        settings = {
            "n": integer("n", self.n, 2, LARGEST_SEATS),
            "worth": worth,
            "tests": tests,
            "levels": None if self.levels is None else integer("levels", self.levels, 2),
            "box": number("box", self.box, f"(0, {LARGEST_NUMBER:g}]"),
        }
        for name, value in settings.items():
            object.__setattr__(self, name, value)
        self.check_objective()

    @cached_property
    def largest_effort(self) -> float:
        """Largest effort in a task: what the largest weights or the first best ask for, whichever is more."""
        reach = self.box * float(np.abs(self.tests).sum(0).max())
        return max(reach, float(np.abs(self.worth).max()))

    def grid(self, levels: int) -> np.ndarray:
        """List the efforts of so many levels in every task, (levels^k, k); the last task's changes first."""
        line = np.linspace(-self.largest_effort, self.largest_effort, levels)
        return np.stack(np.meshgrid(*[line] * len(self.worth), indexing="ij"), -1).reshape(-1, len(self.worth))

    @property
    def members(self) -> Mapping[str, tuple[float, ...]]:
        """No pay, and the best weights where they fit the box."""
        best = solutions.best_weights(np.array(self.worth), np.array(self.tests))
        fits = np.abs(best).max() <= self.box
        return {**super().members, **({"best_weights": tuple(best.tolist())} if fits else {})}

    @property
    def baselines(self) -> tuple[str, ...]:
        """No pay, and the best weights where they fit the box."""
        return tuple(name for name in ("no_mechanism", "best_weights") if name in self.members)

    # -- types, announcements, w --------------------------------------------------------------------------------

    @property
    def type_size(self) -> int:
        """Nothing is private."""
        return 0

    def type_layout(self) -> Layout:
        """Return no field."""
        return ()

    def initial_types(self, draws: Array) -> Array:
        """Return types without a component, (B, n, 0)."""
        return draws

    def parameter_layout(self) -> Layout:
        """Return the weights."""
        return (Field("weights", len(self.tests), -self.box, self.box, "utility a point", "pay for what a test sees"),)

    @property
    def rule_names(self) -> tuple[str, ...]:
        """A weight by test."""
        return tuple(f"weight_{j + 1}" for j in range(len(self.tests)))

    @property
    def rule_formula(self) -> str | None:
        """Formula of the pay."""
        scores = (
            " + ".join(f"{number:g} effort_{k + 1}" for k, number in enumerate(row) if number) for row in self.tests
        )
        pay = " + ".join(f"weight_{j + 1} ({score})" for j, score in enumerate(scores))
        return f"effort is paid {pay}".replace("+ -", "- ")

    def announcement_layout(self) -> Layout | int:
        """Participants choose an effort in each task, or one of all joint levels."""
        count, most = len(self.worth), self.largest_effort
        if self.levels is not None:
            return int(self.levels**count)
        return (Field("effort", count, -most, most, "effort", "in each task; what costs half its square"),)

    def announcements(self, actions: Array) -> Array:
        """Return efforts (B, n, k)."""
        if self.levels is None:
            return actions
        xp, digits = namespace(actions), np.arange(len(self.worth))[::-1]
        levels = xp.floor(actions[..., None] / constant(float(self.levels) ** digits, actions)) % self.levels
        return levels * (2 * self.largest_effort / (self.levels - 1)) - self.largest_effort

    # -- rules --------------------------------------------------------------------------------------------------

    def allocate(self, types: Array, announcements: Array, parameters: Array) -> Array:
        """Return the efforts, (B, n, k)."""
        return announcements

    def transfer(self, types: Array, allocations: Array, parameters: Array) -> Array:
        """Compute the weighted sums of what the tests see, (B, n)."""
        paid = parameters @ constant(self.tests, parameters)
        return total(allocations * paid[:, None, :])

    def utility(self, types: Array, allocations: Array) -> Array:
        """Compute what efforts are worth less their cost, (B, n)."""
        return total(allocations * constant(self.worth, allocations)) - total(allocations**2) / 2

    def attributed(self, types: Array, allocations: Array, utilities: Array) -> Array:
        """Return minus the cost: what effort is worth is others' gain."""
        return -total(allocations**2) / 2

    @property
    def welfare_bounds(self) -> tuple[float, float]:
        """The largest effort against what is wanted, and the first best."""
        most, worth = self.largest_effort, np.abs(self.worth)
        return -self.n * float((worth * most + most**2 / 2).sum()), self.first_best()

    @property
    def welfare_scale(self) -> float:
        """The first best."""
        return self.first_best()

    # -- exact solutions --------------------------------------------------------------------------------------

    @cached_property
    def subgame(self) -> MeasuredEffortSubgame:
        """The participants' subgame in tables."""
        return MeasuredEffortSubgame(self)

    def first_best(self) -> float:
        """Compute n |V|^2 / 2, the welfare where everybody's effort is V."""
        return self.n * float(np.square(self.worth).sum()) / 2

    def optimum(self) -> float:
        """Return the first best: the policy is common to all, and nothing is private."""
        return self.first_best()

    def references(self) -> Mapping[str, Mapping[str, float | None]]:
        """List the first best, and what the best weights of all make of rational participants."""
        best = solutions.share_of_first_best(np.array(self.worth), np.array(self.tests)) * self.first_best()
        return {"welfare": {**super().references()["welfare"], "best_weights": best}}

    def played(self, weights: np.ndarray) -> np.ndarray:
        """Play best replies to weights (B, J) by the game's own rules: the welfare, (B,)."""
        parameters = np.asarray(weights, float)
        efforts = np.repeat((parameters @ np.array(self.tests))[:, None, :], self.n, axis=1)
        return np.asarray(total(self.utility(efforts[..., :0], efforts)))

    def known_solutions(self) -> tuple[KnownSolution, ...]:
        """The best weights, their share of the first best, and what is left at twice as much."""
        worth, tests = np.array(self.worth), np.array(self.tests)
        best, first, size = solutions.best_weights(worth, tests), self.first_best(), np.abs(worth).max()
        share = solutions.share_of_first_best(worth, tests)
        flat = float(np.abs(solutions.slope(worth, tests, best)).max() / (size * np.abs(tests).max()))
        source = "Holmstrom and Milgrom 1991; Baker 1992"
        return (
            *(
                KnownSolution(
                    name=f"best weight of test {j + 1}",
                    source=f"{source}; residual is the slope of welfare there",
                    value=partial(float, weight),
                    residual=lambda: flat,
                )
                for j, weight in enumerate(best)
            ),
            KnownSolution(
                name="share of the first best that the best weights leave",
                source=f"{source}; residual is the distance from best replies played by the game's rules",
                value=lambda: share,
                residual=lambda: abs(float(self.played(best[None])[0]) / first - share),
            ),
            KnownSolution(
                name="welfare at twice the best weights",
                source="a parabola along the weights; residual is the distance from best replies played likewise",
                value=lambda: self.n * solutions.net_worth(worth, tests, 2 * best),
                residual=lambda: abs(float(self.played(2 * best[None])[0])) / first,
            ),
        )
