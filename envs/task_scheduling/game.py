"""Tasks that arrive one by one, and workers with private processing times.

At each of the times 0, ..., m - 1 a task arrives, and the mechanism gives it to one of n workers. It takes worker i the
time c_{i,t}, which is also what it costs the worker: its private type is (c_{i,0}, ..., c_{i,m-1}). The process is a
tree: a state is the history of who was given the tasks so far, an action the worker who is given the next. Worker i's
reward is -c_{i,t} where task t is given to it, else 0. Without i, no task can be given to i.

The mechanism wants the last worker to be done soon. The makespan is how long the busiest worker still has to work when
the last task has been given out, so that what was done in the meantime has to be taken off. The paper takes off "the
time i has already worked on its jobs". The authors' program takes off a whole unit at every arrival from whoever has
work left, even if less than a unit is left; what is taken off too much is kept, and makes i's next task shorter. The
paper's figures come from there: with ``clock="clamped"``, what a worker cannot have done is not taken off, and VCG's
makespans are 14 to 52 % longer than the paper's. The program lets a worker that is left out have costs of 5 instead of
taking it out: too little where costs go up to 9, but that touches payments alone, which no figure of the paper shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, evolve, namespace, select, total
from lawgiver.envs.core.errors import ParameterError, choice, integer
from lawgiver.envs.core.fields import Field, Layout
from lawgiver.envs.core.game import KnownSolution
from lawgiver.envs.families.ends import Ends
from lawgiver.envs.families.mdp_game import MDPGame
from lawgiver.envs.families.reporting_game import ReportingState
from lawgiver.envs.solvers.equilibrium.prior import ILLEGAL
from lawgiver.envs.solvers.mdp.tree import Tree
from lawgiver.envs.task_scheduling import solutions
from lawgiver.envs.task_scheduling.solutions import CLOCKS, Clock


@dataclass(frozen=True)
class SchedulingState(ReportingState):
    """State of B games.

    Attributes:
        makespan: expected, of the policy under the true costs, (B,); 0 before the game is over.
    """

    makespan: Array


@dataclass(frozen=True)
class TaskScheduling(MDPGame):
    """Tasks that arrive one by one, and workers with private processing times.

    Args:
        n: number of workers, at least 2.
        m: number of tasks, at least 1; there are n^m assignments.
        objective: ``makespan`` (the less the better), ``welfare`` (minus the total cost) or ``revenue``.
        mechanism_mode: ``announce`` (log w and b of an affine maximiser, before the reports) or ``allocate`` (a policy
            and payments, after them).
        types: ``uniform``, or ``piecewise``: the density of a cost is constant on each of several pieces.
        low: least cost, at least 0; one for all, one a worker, or a rule by its number.
        high: greatest cost, likewise; the paper has 3 (``symmetric``) and ``3i`` (``asymmetric``).
        masses: relative probabilities of the pieces, where types are ``piecewise``.
        clock: what a unit of time takes off what a worker has left: ``whole_units``, all of a unit from whoever has
            anything left; ``clamped``, at most what is left; ``none``, nothing: the makespan is then that of workers
            who begin when the last task has arrived.
        types_file: an .npz file with the array ``costs``, (N, n, m), or a CSV table (see
            :mod:`lawgiver.envs.files.profiles`), from which whole profiles are drawn instead, within the
            bounds of reports; None to draw by distribution.

    Raises:
        ParameterError: if a parameter is outside its range, or there are too many histories.
    """

    n: int = 2
    m: int = 4
    objective: str = "makespan"
    mechanism_mode: Literal["announce", "allocate"] = "announce"
    types: Literal["uniform", "piecewise"] = "uniform"
    low: Ends = 0.0
    high: Ends = 3.0
    masses: Sequence[float] | None = None
    clock: Clock = "whole_units"
    types_file: str | None = None

    name: ClassVar[str] = "task_scheduling-v0"
    summary: ClassVar[str] = "gives tasks to workers by what they say they take"
    reference: ClassVar[str] = (
        "Curry, Thoma et al. 2024, Automated Design of Affine Maximizer Mechanisms in Dynamic Settings, section 5"
    )
    objectives: ClassVar[tuple[str, ...]] = ("makespan", "welfare", "revenue")
    losses: ClassVar[tuple[str, ...]] = ("makespan",)
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"symmetric": {}, "asymmetric": {"high": "3i"}}
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {"allocate": {"mechanism_mode": "allocate"}}

    def __post_init__(self) -> None:
        """Check the parameters."""
        self.check_types(least=2)
        object.__setattr__(self, "m", integer("m", self.m, 1))
        if self.type_range[0] < 0:
            raise ParameterError(f"low is {self.low!r}, allowed: costs of at least 0")
        if self.type_range[1] >= -ILLEGAL / 2:
            raise ParameterError(f"high is {self.high!r}, allowed: costs below {-ILLEGAL / 2:g}; take larger units")
        choice("clock", self.clock, CLOCKS)
        self.check_tree(self.m, self.n)
        self.check_types_file()

    # -- what the game is made of -------------------------------------------------------------------------------

    @cached_property
    def mdp(self) -> Tree:
        """The histories of assignments."""
        return Tree(self.m, self.n)

    @cached_property
    def _arriving(self) -> np.ndarray:
        """The task that arrives in each state, (S,)."""
        return np.repeat(np.arange(self.m), self.n ** np.arange(self.m))

    def type_layout(self) -> Layout:
        """Return the cost of each task."""
        return (Field("cost", self.m, 0, self.type_range[1], "time", "that each task takes, and costs, the worker"),)

    def rewards(self, types: Array) -> Array:
        """Compute minus the cost of the arriving task for the worker it is assigned to, (B, n, S, A)."""
        mine = constant(np.eye(self.n)[:, None, :], types)
        return -select(types, self._arriving)[..., None] * mine

    @cached_property
    def excluded(self) -> np.ndarray:
        """Exclude assignments to the absent worker, (n, S, A)."""
        return np.repeat(np.eye(self.n, dtype=bool)[:, None, :], self.mdp.n_states, axis=1)

    @property
    def boost_bound(self) -> float:
        """The largest cost times the larger number of tasks and workers."""
        return max(self.n, self.m) * self.type_range[1]

    # -- what it is about ---------------------------------------------------------------------------------------

    def makespans(self, types: Array) -> Array:
        """Return the makespan of every assignment, (..., n^m), for costs (..., n, m), in the order of the paths."""
        return solutions.makespans(types, self.clock)

    def path_measures(self, types: Array) -> Array | None:
        """Return makespan or welfare along each complete path, (B, n^m)."""
        if self.objective == "makespan":
            return self.makespans(types)
        if self.objective != "welfare":
            return None
        rewards = namespace(types).sum(self.rewards(types), axis=1)
        return total(select(namespace(types).reshape(rewards, (types.shape[0], -1)), self.mdp.paths))

    def initial_state_from(self, types: Array) -> SchedulingState:
        """Return games with given types (B, n, m) before the first step."""
        state = super().initial_state_from(types)
        return SchedulingState(**vars(state), makespan=namespace(types).zeros_like(state.round))

    def settle(self, state: ReportingState, decision: Array) -> ReportingState:
        """Return the state after the tasks are assigned."""

        def expected(some: slice) -> Array:
            chances = self.mdp.path_probabilities(self.policy(decision[some]))
            return total(chances * self.makespans(state.types[some]))

        makespan = self.in_slices(expected, decision.shape[0])
        return evolve(super().settle(state, decision), makespan=makespan)

    def own_measure(self, state: ReportingState) -> Array:
        """Compute makespan (positive), welfare or revenue, (B,)."""
        if self.objective != "makespan":
            return super().own_measure(state)
        assert isinstance(state, SchedulingState)
        return state.makespan

    def picture(self, state: ReportingState, index: int) -> dict[str, np.ndarray]:
        """Return the numbers that other reporting games display, and the makespan."""
        assert isinstance(state, SchedulingState)
        return {**super().picture(state, index), "makespan": np.asarray(state.makespan[index : index + 1])}

    # -- exact solutions --------------------------------------------------------------------------------------

    @cached_property
    def full_information(self) -> tuple[float, float]:
        """The expected makespan of a planner who knows all costs, and its standard error."""
        costs = self.profiles
        if costs is not None:  # all of them: there is no error
            least = self.in_slices(lambda some: solutions.makespans(costs[some], self.clock).min(-1), len(costs))
            return float(least.mean()), 0.0
        return solutions.full_information_makespan(self.distributions, self.m, self.clock)

    @cached_property
    def least_cost(self) -> float:
        """The expected total cost of assigning each task to its cheapest worker; VCG attains it."""
        if self.profiles is not None:
            return float(self.profiles.min(1).sum(-1).mean())
        return self.m * solutions.least_cost(self.distributions)

    def limit(self) -> float | None:
        """Return the full-information makespan (a loose bound: it ignores incentives), or the best welfare."""
        return {"makespan": lambda: self.full_information[0], "welfare": lambda: -self.least_cost}.get(
            self.objective, lambda: None
        )()

    def known_solutions(self) -> tuple[KnownSolution, ...]:
        """The least expected total cost; residual is how far the tree's optimum is from it, task by task."""
        return (
            KnownSolution(
                name="least expected total cost",
                source="expected minimum of independent costs; residual: backward induction against the minima",
                value=lambda: self.least_cost,
                residual=self._residual,
            ),
        )

    def _residual(self) -> float:
        costs = self.types_of(self.draw_initial(64, np.random.default_rng(0))["types"])
        value, _ = self.mdp.optimal(self.rewards(costs).sum(1))
        return float(np.abs(value + costs.min(1).sum(-1)).max())
