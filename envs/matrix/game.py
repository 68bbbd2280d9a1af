"""A game in normal form, played for some rounds by the people alone: textbook games, and any payoffs of one's own.

Nothing is taxed, announced or decided by anybody else, so that what is learned here is learned from the payoffs; a
round's equilibria are those of the form. With a mechanism that taxes payoffs, two-player games are `bimatrix-v0`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np

from lawgiver.envs.core.arrays import Array, Rng, constant, evolve, floats, namespace, select, zeros
from lawgiver.envs.core.errors import ParameterError, brief, integer
from lawgiver.envs.core.fields import Field, Layout
from lawgiver.envs.core.game import Draws, Game, KnownSolution, Rewards
from lawgiver.envs.matrix.presets import PRESETS
from lawgiver.envs.solvers.normal_form.forms import LARGEST, NormalForm

LARGEST_ACTIONS = 100
"""Actions that a participant may have."""
LARGEST_PAYOFF = 1e12
"""Size of a payoff."""


@dataclass(frozen=True)
class MatrixState:
    """State of B games; payoffs are in points.

    Attributes:
        turn: always 0, all choose at once.
        round: completed rounds, (B,).
        choices: choices of the last completed round, zeros before the first, (B, n).
        payoffs: payoffs of the last completed round, (B, n).
        endowments: what participants hold before a round, nothing, (B, n).
    """

    turn: int
    round: Array
    choices: Array
    payoffs: Array
    endowments: Array


@dataclass(frozen=True)
class MatrixGame(Game[MatrixState]):
    """A normal-form game of any number of participants, without a mechanism.

    All participants choose an action at once, and are paid what the table says of their joint choice. Where one has
    fewer actions than another, the rest are not legal.

    Args:
        payoffs: Of each participant by joint action, nested lists or an array (n, A_0, ..., A_{n-1}), n >= 2, with up
            to 100 actions of each and 200,000 joint actions. By default the prisoner's dilemma.
        names: of the actions of each participant, (A_0) to (A_{n-1}), or one list for all; their numbers by default.
        rounds: rounds of a game, >= 1, common knowledge.

    Raises:
        ParameterError: if a parameter is outside its range.
    """

    payoffs: Any = PRESETS["prisoners_dilemma"]["payoffs"]
    names: Sequence[Any] | None = None
    rounds: int = 1

    name: ClassVar[str] = "matrix-v0"
    summary: ClassVar[str] = "none: textbook games, or payoffs of your own"
    reference: ClassVar[str] = "Luce and Raiffa 1957, Games and Decisions, chapters 4 and 5"
    sum_type: ClassVar[Literal["general", "constant", "identical"]] = "general"
    ordinal_actions: ClassVar[bool] = False
    budget_balanced: ClassVar[bool] = False
    horizon_known: ClassVar[bool] = True
    payoff_unit: ClassVar[str] = "points"
    reward_meaning: ClassVar[Mapping[str, str]] = {"participant": "the round's payoff in points, once a round"}
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = PRESETS

    def __post_init__(self) -> None:
        """Check every parameter."""
        object.__setattr__(self, "payoffs", _checked(self.payoffs))
        object.__setattr__(self, "rounds", integer("rounds", self.rounds, 1))
        object.__setattr__(self, "names", _named(self.names, self.n))
        _ = self.form  # its own check of the names

    @cached_property
    def table(self) -> np.ndarray:
        """The payoffs, (n, A_0, ..., A_{n-1})."""
        return np.array(self.payoffs)

    @property
    def form(self) -> NormalForm:
        """A round in normal form."""
        return NormalForm(self.table, tuple(self.names or ()))

    @property
    def counts(self) -> tuple[int, ...]:
        """Actions of each participant."""
        return self.table.shape[1:]

    @property
    def n(self) -> int:
        """Number of participants."""
        return len(self.table)

    @property
    def roles(self) -> Mapping[str, int]:
        """The participants, and nobody else."""
        return {"participant": self.n}

    @property
    def max_steps(self) -> int:
        """A phase a round."""
        return self.rounds

    def phase(self, state: MatrixState) -> str:
        """Return the role that acts now."""
        return "participant"

    def observation_layout(self, role: str) -> Layout:
        """Return the fields of an observation."""
        self.check_role(role)
        return (
            Field(
                "choices", self.n, 0, max(self.counts) - 1, "action", "made last, own first; 0 before", own_first=True
            ),
        )

    def action_layout(self, role: str) -> Layout | int:
        """Return the number of actions, of which some may not be legal."""
        self.check_role(role)
        return max(self.counts)

    def legal_actions(self, state: MatrixState, role: str) -> Array | None:
        """Mask the existing actions, (B, n, A); None where all have equally many."""
        if min(self.counts) == max(self.counts):
            return None
        there = np.arange(max(self.counts)) < np.array(self.counts)[:, None]
        mask = constant(there, state.payoffs) > 0
        return namespace(state.payoffs).broadcast_to(mask, (state.payoffs.shape[0], *there.shape))

    @cached_property
    def _seen(self) -> np.ndarray:
        """Columns of the choices that each participant observes, its own first, (n, n)."""
        seats = range(self.n)
        return np.array([[seat, *(other for other in seats if other != seat)] for seat in seats])

    def observe(self, state: MatrixState, role: str) -> Array:
        """Compute the observations, (B, n, n)."""
        self.check_role(role)
        return select(state.choices, self._seen)

    def initial_state(self, batch: int, rng: Rng) -> MatrixState:
        """Return ``batch`` games before their first round."""
        nothing = zeros(rng, (batch, self.n))
        return MatrixState(0, zeros(rng, (batch,)), nothing, nothing, nothing)

    def outcome(self, state: MatrixState, actions: Array) -> Array:
        """Return the choices (B, n) as numbers, at most the last legal one."""
        sent = floats(actions, state.payoffs)
        return namespace(sent).minimum(sent, constant(np.array(self.counts) - 1, sent))

    def outcome_error(self, state: MatrixState, outcome: np.ndarray) -> str | None:
        """Describe the fault of choices outside the actions."""
        there = (outcome >= 0) & (outcome < np.array(self.counts)) & (outcome == np.floor(outcome))
        return None if there.all() else f"holds choices other than one of {self.counts} actions"

    def advance(self, state: MatrixState, outcome: Array, draws: Draws) -> tuple[MatrixState, Rewards, Array, Array]:
        """Pay what the table says."""
        xp = namespace(outcome)
        places = np.cumprod([1, *self.counts[:0:-1]])[::-1]
        cell = xp.astype(xp.sum(outcome * constant(places.copy(), outcome), axis=-1), xp.int64)
        paid = constant(self.table.reshape(self.n, -1).T.copy(), outcome)[cell]
        after = evolve(state, round=state.round + 1, choices=outcome, payoffs=paid)
        return after, {"participant": paid}, after.round >= self.rounds, after.round < 0

    def picture(self, state: MatrixState, index: int) -> dict[str, np.ndarray]:
        """Return choices, payoffs and the round of one game."""
        return {
            "choices": np.asarray(state.choices[index]),
            "payoffs (points)": np.asarray(state.payoffs[index]),
            "completed rounds": np.asarray(state.round[index : index + 1]),
        }

    def known_solutions(self) -> tuple[KnownSolution, ...]:
        """The best and the worst correlated equilibrium; of two, the Nash equilibria; of zero-sum games, the value."""
        from lawgiver.envs.matrix.solutions import known_solutions

        return known_solutions(self.form)


def _checked(given: Any) -> Any:
    """Check payoffs and return them as nested tuples."""
    try:
        table = np.asarray(given)
    except (ValueError, OverflowError):
        table = np.asarray(None)
    if table.dtype.kind not in "iuf" or table.ndim < 3 or not table.size:
        raise ParameterError(f"payoffs is {brief(given)}, allowed: numbers (n, A_0, ..., A_n-1), in lists alike long")
    counts = table.shape[1:]
    if table.shape[0] != len(counts) or max(counts) > LARGEST_ACTIONS or table[0].size > LARGEST:
        told = f"(n, A_0, ..., A_n-1), up to {LARGEST_ACTIONS} actions of each and {LARGEST:,} joint actions"
        raise ParameterError(f"payoffs have the shape {table.shape}, allowed: {told}")
    wrong = np.argwhere(~(np.abs(table.astype(float)) <= LARGEST_PAYOFF))
    if wrong.size:
        at = tuple(wrong[0].tolist())
        raise ParameterError(f"payoffs{list(at)} is {table[at]:g}, allowed: up to {LARGEST_PAYOFF:g} either way")
    return _tuples(table.astype(float).tolist())


def _tuples(nested: Any) -> Any:
    return tuple(map(_tuples, nested)) if isinstance(nested, list) else nested


def _named(given: Any, n: int) -> tuple[tuple[str, ...], ...] | None:
    """Check names of actions: a list for all participants, or one each."""
    if given is None:
        return None
    if isinstance(given, (list, tuple)) and given:
        if all(isinstance(name, str) for name in given):
            return (tuple(given),) * n
        lists = all(isinstance(each, (list, tuple)) and all(isinstance(name, str) for name in each) for each in given)
        if lists and len(given) == n:
            return tuple(map(tuple, given))
    raise ParameterError(f"names is {brief(given)}, allowed: a list of the actions' names, or {n} lists, one for each")
