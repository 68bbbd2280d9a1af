"""Goals on a torus, each worth something to one participant, once: a world whose states do not fit into a table.

A mechanism walks over size x size cells that wrap round at the edges, from the corner 0, up, down, left or right. Every
participant has a goal and values it; the first time that the mechanism enters it, the participant gets the value, and
never again. So the state of the world is a cell and the set of goals that have been entered, size^2 2^n of them: 4 10^8
for 20 participants and 20 x 20 cells, for one profile of reports. With the goal paid at every entry this is
gridworld-v0, whose states are the cells alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np

from lawgiver.envs.core.arrays import Array, Rng, constant, evolve, floats, namespace, total, uniform, zeros
from lawgiver.envs.core.drawings import Drawing, board
from lawgiver.envs.core.errors import ParameterError, integer, number
from lawgiver.envs.core.fields import Field, Layout
from lawgiver.envs.core.game import Draws, Game, KnownSolution, Rewards
from lawgiver.envs.families.torus import MOVES, displacement, moved
from lawgiver.envs.goal_collection import solutions

LARGEST_N = 10_000
"""Largest number of participants."""
KNOWN = 200
"""Profiles over which the known solution is averaged."""
FEW, SMALL = 6, 40
"""Largest number of goals and side of the torus of the known solution, which a table of all states checks."""


@dataclass(frozen=True)
class GoalCollectionState:
    """State of B games of n participants.

    Attributes:
        turn: 0 while participants report, then the move that comes next, from 1.
        round: completed moves, (B,).
        types: goal and value of each participant, (B, n, 2).
        reports: what they say of them, 0 before they have, (B, n, 2).
        position: the mechanism's cell, (B,).
        collected: gamma^(t-1) where move t was the first to enter the reported goal, 0 before, (B, n).
        enjoyed: the same for the true goal, (B, n).
        payoffs: discounted values that participants got from the last move, (B, n).
    """

    turn: int
    round: Array
    types: Array
    reports: Array
    position: Array
    collected: Array
    enjoyed: Array
    payoffs: Array

    @property
    def endowments(self) -> Array:
        """Endowments before a move: zeros, (B, n)."""
        return namespace(self.payoffs).zeros_like(self.payoffs)


@dataclass(frozen=True)
class GoalCollection(Game[GoalCollectionState]):
    """A mechanism that collects goals on a torus for participants who report the goals' cells and values.

    First participants report goal and value, then the mechanism moves ``horizon`` times. A move that is the first to
    enter a participant's true goal pays the participant gamma^(t-1) times its true value, t = 1 for the first move;
    the mechanism is paid, by default, the affine welfare of what it is told, gamma^(t-1) times weight times reported
    value at the first entry of a reported goal. Goals may coincide. Money is no part of this world: what an affine
    maximiser charges needs the walks that would have been taken without each participant (trainer
    ``learned_follower``), and without payments participants do well to exaggerate.

    Args:
        n: number of participants, >= 1.
        size: side of the torus in cells, >= 2.
        discount: gamma, in (0, 1).
        horizon: number of moves, >= 1; what comes later is worth less than gamma^horizon.
        weights: weights of the participants in the affine welfare, n numbers > 0; None for 1 each.
        objective: the mechanism's reward for a move: ``affine_welfare`` of what it is told, or a registered
            objective of what participants get.

    Raises:
        ParameterError: if a parameter is outside its range.
    """

    n: int = 5
    size: int = 20
    discount: float = 0.9
    horizon: int = 80
    weights: Sequence[float] | None = None
    objective: str = "affine_welfare"

    name: ClassVar[str] = "goal_collection-v0"
    summary: ClassVar[str] = "collects reported goals on a torus, step by step"
    reference: ClassVar[str] = (
        "Curry, Thoma, Chakrabarti, McAleer, Kroer, Sandholm, He and Seuken, Automated Design of Affine Maximizer"
        " Mechanisms in Dynamic Settings, AAAI 2024: the gridworld, made larger and with rewards paid once, as an"
        " example of the large problems that its conclusion leaves open"
    )
    sum_type: ClassVar[Literal["general", "constant", "identical"]] = "general"
    budget_balanced: ClassVar[bool] = False
    horizon_known: ClassVar[bool] = True
    objectives: ClassVar[tuple[str, ...]] = ("affine_welfare",)
    reward_meaning: ClassVar[Mapping[str, str]] = {
        "participant": "its value, discounted, when the mechanism first enters its true goal; no payments",
        "mechanism": "the move's `objective`; `affine_welfare` is the weighted, discounted value, as reported, of the"
        " reported goals that it enters for the first time",
    }
    unaudited: ClassVar[str] = (
        "mechanisms of goal_collection-v0 charge by their walks without each participant, as trainer"
        " 'learned_follower' does: its audit is in the run's summary.json (trainer.evaluation.audited profiles) and"
        " part of `lawgiver evaluate RUN`"
    )
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {"20 participants": {"n": 20}}

    def __post_init__(self) -> None:
        """Check every parameter."""
        settings = {
            "n": integer("n", self.n, 1, LARGEST_N),
            "size": integer("size", self.size, 2),
            "discount": number("discount", self.discount, "(0, 1)"),
            "horizon": integer("horizon", self.horizon, 1),
            "weights": None if self.weights is None else self._checked(self.weights),
        }
        for name, value in settings.items():
            object.__setattr__(self, name, value)
        self.check_objective()

    def _checked(self, weights: Any) -> tuple[float, ...]:
        if isinstance(weights, str) or not isinstance(weights, Sequence) or len(weights) != self.n:
            raise ParameterError(f"weights is {weights!r}, allowed: {self.n} numbers, one a participant")
        return tuple(number(f"weights[{i}]", weight, "(0, inf)") for i, weight in enumerate(weights))

    @cached_property
    def weight_vector(self) -> np.ndarray:
        """The weights w, (n,)."""
        return np.ones(self.n) if self.weights is None else np.array(self.weights)

    # -- who plays, sees and does what --------------------------------------------------------------------------

    @property
    def roles(self) -> Mapping[str, int]:
        """The participants and one mechanism."""
        return {"participant": self.n, "mechanism": 1}

    @property
    def max_steps(self) -> int:
        """The reports, and the moves."""
        return 1 + self.horizon

    def phase(self, state: GoalCollectionState) -> str:
        """Return the role that acts now."""
        return "mechanism" if state.turn else "participant"

    def type_layout(self) -> Layout:
        """Return the fields of a type, which are also those of a report."""
        goal = "where the participant wants the mechanism to go, rounded; 0, where it already is, is taken for 1"
        return (
            Field("goal", 1, 0, self.size**2 - 1, "cell", goal),
            Field("value", 1, 0, 1, "utility", "what it gets when the mechanism first gets there, undiscounted"),
        )

    def observation_layout(self, role: str) -> Layout:
        """Participants see their types, the time and the cell; the mechanism sees reports, relative to its cell."""
        self.check_role(role)
        clock = (
            Field("round", 1, 0, self.horizon, "moves", "completed moves"),
            Field("position", 1, 0, self.size**2 - 1, "cell", "where the mechanism is"),
        )
        if role == "participant":
            return (*self.type_layout(), *clock)
        n, half = self.n, self.size // 2
        most = float(self.weight_vector.max())
        return (
            *clock,
            Field("down", n, -half, half, "cells", "rows that the reported goals lie below the mechanism"),
            Field("right", n, -half, half, "cells", "columns that the reported goals lie to its right"),
            Field("worth", n, 0, most, "utility", "reported values times weights"),
            Field("visited", n, 0, 1, "flag", "whether the reported goals have been entered"),
        )

    def action_layout(self, role: str) -> Layout | int:
        """Participants report a type; the mechanism goes up, down, left or right."""
        self.check_role(role)
        return len(MOVES) if role == "mechanism" else self.type_layout()

    def observe(self, state: GoalCollectionState, role: str) -> Array:
        """Compute the observations of a role, (B, n_role, d)."""
        self.check_role(role)
        xp = namespace(state.types)
        clock = xp.stack([state.round, state.position], axis=-1)
        if role == "participant":
            shared = xp.broadcast_to(clock[:, None, :], (*state.types.shape[:2], 2))
            return xp.concat([state.types, shared], axis=-1)
        down, right = displacement(state.position[:, None], state.reports[..., 0], self.size)
        visited = floats(state.collected > 0, state.types)
        return xp.concat([clock, down, right, self.worth(state.reports), visited], axis=-1)[:, None, :]

    def worth(self, reports: Array) -> Array:
        """Compute the undiscounted affine welfare of each reported goal, w_i v_i, (B, n)."""
        return reports[..., 1] * constant(self.weight_vector, reports)

    # -- rules --------------------------------------------------------------------------------------------------

    def draw_initial(self, batch: int, rng: Rng) -> Draws:
        """Draw the uniform numbers of the types."""
        return {"types": uniform(rng, (batch, self.n, 2))}

    def types_of(self, draws: Array) -> Array:
        """Return types (..., n, 2) for uniform draws: goals even over the cells but the corner, values as they are."""
        xp = namespace(draws)
        return xp.stack([1 + xp.floor(draws[..., 0] * (self.size**2 - 1)), draws[..., 1]], axis=-1)

    def initial_state(self, batch: int, rng: Rng) -> GoalCollectionState:
        """Return ``batch`` games in which nobody has reported yet."""
        return self.initial_state_from(self.types_of(self.draw_initial(batch, rng)["types"]), zeros(rng, (batch,)))

    def initial_state_from(self, types: Array, nothing: Array) -> GoalCollectionState:
        """Return games of participants with given types (B, n, 2), before the reports; ``nothing`` is zeros (B,)."""
        none = namespace(types).zeros_like(types[..., 0])
        return GoalCollectionState(0, nothing, types, namespace(types).zeros_like(types), nothing, none, none, none)

    def outcome(self, state: GoalCollectionState, actions: Array) -> Array:
        """Return the reports (B, n, 2), goals rounded and never 0; or the mechanism's choices (B,)."""
        if self.phase(state) == "mechanism":
            return actions[:, 0]
        sent = floats(actions, state.types)
        xp = namespace(sent)
        goals = xp.round(sent[..., 0])
        return xp.stack([xp.maximum(goals, xp.ones_like(goals)), sent[..., 1]], axis=-1)

    def advance(
        self, state: GoalCollectionState, outcome: Array, draws: Draws
    ) -> tuple[GoalCollectionState, Rewards, Array, Array]:
        """Take the reports, or move."""
        xp = namespace(state.types)
        nobody = state.round < 0
        if self.phase(state) == "participant":
            nothing = xp.zeros_like(state.payoffs)
            rewards = {"participant": nothing, "mechanism": nothing[:, :1]}
            return evolve(state, turn=1, reports=outcome), rewards, nobody, nobody
        steps = constant(np.array(MOVES), state.types)[outcome]
        position = moved(state.position, steps[:, 0], steps[:, 1], self.size)
        factor = (self.discount**state.round)[:, None]
        nothing = xp.zeros_like(state.collected)
        here = position[:, None]
        told = xp.where((state.reports[..., 0] == here) & (state.collected == 0), factor, nothing)
        true = xp.where((state.types[..., 0] == here) & (state.enjoyed == 0), factor, nothing)
        after = evolve(
            state,
            turn=state.turn + 1,
            round=state.round + 1,
            position=position,
            collected=state.collected + told,
            enjoyed=state.enjoyed + true,
            payoffs=true * state.types[..., 1],
        )
        rewards = {"participant": after.payoffs, "mechanism": self.measure(after)[:, None]}
        return after, rewards, after.round >= self.horizon, nobody

    def own_measure(self, state: GoalCollectionState) -> Array:
        """Compute the affine welfare, as reported, of the goals that the last move was the first to enter, (B,)."""
        xp = namespace(state.collected)
        entered = state.collected == (self.discount ** (state.round - 1))[:, None]
        return total(xp.where(entered, state.collected, xp.zeros_like(state.collected)) * self.worth(state.reports))

    def picture(self, state: GoalCollectionState, index: int) -> dict[str, np.ndarray]:
        """Return the position, types, reports and collected values."""
        shown = {
            "completed moves": state.round[index : index + 1],
            "row": state.position[index : index + 1] // self.size,
            "column": state.position[index : index + 1] % self.size,
            "goal": state.types[index, :, 0],
            "value": state.types[index, :, 1],
            "reported goal": state.reports[index, :, 0],
            "reported value": state.reports[index, :, 1],
            "utility": (state.enjoyed * state.types[..., 1])[index],
        }
        return {name: np.asarray(column) for name, column in shown.items()}

    def drawing(self, state: GoalCollectionState, index: int) -> Drawing | None:
        """Return the board: where the mechanism is, and the participants' goals; None for one too large to draw."""
        goals = np.asarray(state.types[index, :, 0]).astype(int).tolist()
        marks = [(int(state.position[index]), "M"), *((goal, str(seat)) for seat, goal in enumerate(goals))]
        return board(self.size, self.size, marks, "M: the mechanism, 0..: goals")

    # -- exact solutions ---------------------------------------------------------------------------------------

    def best_walks(self, reports: np.ndarray) -> solutions.BestWalks:
        """Return the best walks without end for reports (B, n, 2), goals other than 0; n <= 22."""
        return solutions.best_walks(reports[..., 0], self.worth(reports), self.size, self.discount)

    def known_solutions(self) -> tuple[KnownSolution, ...]:
        """The value of the best walk, for up to 6 participants on up to 40 x 40 cells."""
        if self.n > FEW or self.size > SMALL:
            return ()
        types = self.types_of(np.random.default_rng(0).random((KNOWN, self.n, 2)))

        def residual() -> float:
            slow = solutions.value_iteration(types[0, :, 0], self.worth(types)[0], self.size, self.discount)
            return abs(slow - float(self.best_walks(types[:1]).affine_welfare[0, 0]))

        return (
            KnownSolution(
                name=f"affine welfare of the best walk without end, mean of {KNOWN} fixed profiles of true reports",
                source="dynamic programme over the goals entered; residual is its difference, in one profile, to value"
                " iteration over all cells and sets of goals",
                value=lambda: float(self.best_walks(types).affine_welfare[:, 0].mean()),
                residual=residual,
            ),
        )
