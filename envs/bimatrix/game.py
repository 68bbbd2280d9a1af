"""Any game of two participants and finitely many actions, played for some rounds under a mechanism that taxes payoffs.

With rate t a round pays x_i' = (1 - t) x_i + t mean(x): 0 leaves the game as it is, 1 gives both the same, so that they
want what is best together. Which payoffs there are is the user's: in a configuration, an array, a table, or a file of
Gambit's, for which see :func:`lawgiver.envs.bimatrix.payoffs.checked_payoffs`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np

from lawgiver.envs.bimatrix.payoffs import Payoffs, checked_payoffs
from lawgiver.envs.core.arrays import Array, Rng, constant, evolve, floats, namespace, select, total, zeros
from lawgiver.envs.core.errors import NoSolution, choice, integer
from lawgiver.envs.core.fields import Field, Layout
from lawgiver.envs.core.game import Draws, Game, KnownSolution, Rewards
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.core.registry import OBJECTIVES, lookup

SEEN = np.array([[0, 1, 2], [1, 0, 2]])
"""What each participant sees of (choice of 0, choice of 1, tax): own choice first."""
MODES = ("announce", "allocate")


@dataclass(frozen=True)
class BimatrixState:
    """State of B games; payoffs are in points.

    Attributes:
        turn: 0 for the first phase of a round, 1 for the second.
        round: completed rounds, (B,).
        choices: of this round once made, until then of the last, (B, 2).
        tax: rate announced for this round, (B, 1).
        payoffs: of the last completed round, after tax, (B, 2).
        endowments: what participants hold before the round, nothing, (B, 2).
    """

    turn: int
    round: Array
    choices: Array
    tax: Array
    payoffs: Array
    endowments: Array


@dataclass(frozen=True)
class Bimatrix(Game[BimatrixState]):
    """A game of two participants with payoffs of one's own, and a mechanism that taxes and hands back in equal parts.

    Participant 0 chooses a row, participant 1 a column; where one has fewer actions than the other, the rest are not
    legal. The mechanism sets a tax rate in [0, 1], before (``announce``) or after (``allocate``) they have chosen.

    Args:
        payoffs: Of participant 0 and 1 by row and column, (m, n, 2); {row: (m, n), column: (m, n)}; or the path of
            Gambit's ``.nfg``, or of a ``.csv`` with the columns row, column, payoff_row and payoff_column. Up to 100
            rows and columns. By default the battle of the sexes.
        rounds: of a game, >= 1; all know it.
        mechanism_mode: ``announce`` or ``allocate``.
        objective: what the mechanism is paid each round, as in the public investment game.

    Raises:
        ParameterError: if a parameter is outside its range, or naming the line of a file at fault.
    """

    payoffs: Any = (((2.0, 1.0), (0.0, 0.0)), ((0.0, 0.0), (1.0, 2.0)))
    rounds: int = 1
    mechanism_mode: Literal["announce", "allocate"] = "announce"
    objective: str = "surplus"

    name: ClassVar[str] = "bimatrix-v0"
    summary: ClassVar[str] = "taxes a two-person game of yours and hands it back"
    reference: ClassVar[str] = (
        "Luce and Raiffa 1957, Games and Decisions, chapter 5, for the payoffs by default; the tax is this library's"
    )
    sum_type: ClassVar[Literal["general", "constant", "identical"]] = "general"
    budget_balanced: ClassVar[bool] = True
    horizon_known: ClassVar[bool] = True
    reward_meaning: ClassVar[Mapping[str, str]] = {
        "participant": "the round's payoff after tax in points, once the round is over",
        "mechanism": "the `objective` of the round's payoffs, once the round is over",
    }

    def __post_init__(self) -> None:
        """Check every parameter, and read the file."""
        object.__setattr__(self, "payoffs", checked_payoffs(self.payoffs))
        object.__setattr__(self, "rounds", integer("rounds", self.rounds, 1))
        choice("mechanism_mode", self.mechanism_mode, MODES)
        lookup(OBJECTIVES, self.objective)

    @cached_property
    def table(self) -> np.ndarray:
        """The payoffs, (m, n, 2)."""
        given: Payoffs = self.payoffs
        return np.array(given)

    @cached_property
    def counts(self) -> tuple[int, int]:
        """Actions of participant 0 and 1, (m, n)."""
        return self.table.shape[0], self.table.shape[1]

    @cached_property
    def _objective(self) -> Any:
        return lookup(OBJECTIVES, self.objective)

    @property
    def announces(self) -> bool:
        """Whether the mechanism moves first."""
        return self.mechanism_mode == "announce"

    @property
    def members(self) -> Mapping[str, tuple[float, ...]]:
        """The canonical rules by name, with their tax rate: share everything, or nothing."""
        return {"strict_egalitarian": (1.0,), "libertarian": (0.0,)}

    @property
    def rule_formula(self) -> str | None:
        """What a tax does, if it is announced."""
        text = "the share `tax` of every payoff is pooled and handed back in equal parts"
        return text if self.announces else None

    @property
    def roles(self) -> Mapping[str, int]:
        """Two participants and one mechanism."""
        return {"participant": 2, "mechanism": 1}

    @property
    def max_steps(self) -> int:
        """Two phases a round."""
        return 2 * self.rounds

    def phase(self, state: BimatrixState) -> str:
        """Return the role that acts now."""
        return "mechanism" if (state.turn == 0) is self.announces else "participant"

    def observation_layout(self, role: str) -> Layout:
        """Return the fields of an observation."""
        most = max(self.counts) - 1
        choices = Field("choices", 2, 0, most, "action", "made last (own first for a participant); 0 before")
        if role == "mechanism":
            return (choices,)
        self.check_role(role)
        return (choices, Field("rule_tax", 1, 0, 1, "rate", "the tax announced for this round, or the last one"))

    def action_layout(self, role: str) -> Layout | int:
        """Participants choose a row or a column; the mechanism sets the tax rate."""
        self.check_role(role)
        if role == "participant":
            return max(self.counts)
        return (Field("tax", 1, 0, 1, "rate", "share of every payoff that is pooled"),)

    def legal_actions(self, state: BimatrixState, role: str) -> Array | None:
        """Return which rows and columns there are, (B, 2, A), None where both have as many."""
        if role != "participant" or self.counts[0] == self.counts[1]:
            return None
        xp = namespace(state.payoffs)
        there = constant(np.arange(max(self.counts)) < np.array(self.counts)[:, None], state.payoffs) > 0
        return xp.broadcast_to(there, (state.payoffs.shape[0], *there.shape))

    def observe(self, state: BimatrixState, role: str) -> Array:
        """Return what the agents of a role see, (B, n_role, d)."""
        if role == "mechanism":
            return state.choices[:, None, :]
        self.check_role(role)
        return select(namespace(state.tax).concat([state.choices, state.tax], axis=-1), SEEN)

    def initial_state(self, batch: int, rng: Rng) -> BimatrixState:
        """Return ``batch`` games before their first round."""
        pairs = zeros(rng, (batch, 2))
        return BimatrixState(0, zeros(rng, (batch,)), pairs, zeros(rng, (batch, 1)), pairs, pairs)

    def outcome(self, state: BimatrixState, actions: Array) -> Array:
        """Return the choices (B, 2) as numbers, at most the last legal one; or the tax rate (B, 1)."""
        sent = floats(actions, state.payoffs)
        if self.phase(state) != "participant":
            return sent[:, 0]
        return namespace(sent).minimum(sent, constant(np.array(self.counts) - 1, sent))

    def outcome_fault(self, state: BimatrixState, outcome: np.ndarray) -> str | None:
        """Choices are rows and columns, a tax rate lies in [0, 1]."""
        if self.phase(state) == "participant":
            there = (outcome >= 0) & (outcome < np.array(self.counts)) & (outcome == np.floor(outcome))
            return None if there.all() else f"holds choices other than one of {self.counts} rows and columns"
        return None if ((outcome >= 0) & (outcome <= 1)).all() else "holds a tax rate outside [0, 1]"

    def advance(
        self, state: BimatrixState, outcome: Array, draws: Draws
    ) -> tuple[BimatrixState, Rewards, Array, Array]:
        """Take choices or a tax rate; the round is paid when both are known."""
        changed = {"choices" if self.phase(state) == "participant" else "tax": outcome}
        nobody = state.round < 0
        if state.turn == 0:
            nothing = namespace(state.payoffs).zeros_like(state.payoffs)
            unpaid = {"participant": nothing, "mechanism": nothing[:, :1]}
            return evolve(state, turn=1, **changed), unpaid, nobody, nobody
        after = evolve(state, turn=0, round=state.round + 1, **changed)
        earned = self.earnings(after.choices)
        after = evolve(after, payoffs=(1 - after.tax) * earned + after.tax * total(earned)[:, None] / 2)
        rewards = {"participant": after.payoffs, "mechanism": self._objective(after)[:, None]}
        return after, rewards, after.round >= self.rounds, nobody

    def earnings(self, choices: Array) -> Array:
        """Return the payoffs before tax (B, 2) for choices (B, 2)."""
        xp = namespace(choices)
        cell = xp.astype(choices[:, 0] * self.counts[1] + choices[:, 1], xp.int64)
        return constant(self.table.reshape(-1, 2), choices)[cell]

    def deficit(self, state: BimatrixState) -> Array:
        """Return what was paid beyond what was earned before the tax, (B,)."""
        return total(state.payoffs) - total(self.earnings(state.choices))

    def picture(self, state: BimatrixState, index: int) -> dict[str, np.ndarray]:
        """Return choices, payoffs, the round and the tax of one game."""
        return {
            "choices": np.asarray(state.choices[index]),
            "payoffs (points)": np.asarray(state.payoffs[index]),
            "completed rounds": np.asarray(state.round[index : index + 1]),
            "tax": np.asarray(state.tax[index]),
        }

    def exact_scores(
        self, mechanism: Policy, *, inverse_temperature: float, anchor: Policy | None = None
    ) -> dict[str, Any] | NoSolution:
        """See :func:`lawgiver.envs.bimatrix.solutions.exact_scores`."""
        from lawgiver.envs.bimatrix.solutions import exact_scores

        return exact_scores(self, mechanism, inverse_temperature, anchor)

    def nash_equilibria(self, tax: float = 0.0) -> list[tuple[np.ndarray, np.ndarray]]:
        """See :func:`lawgiver.envs.bimatrix.solutions.nash_equilibria`."""
        from lawgiver.envs.bimatrix.solutions import nash_equilibria

        return nash_equilibria(self, tax)

    def known_solutions(self) -> tuple[KnownSolution, ...]:
        """The logit equilibrium at inverse temperature 1; and the Nash equilibria, where they can be enumerated."""
        from lawgiver.envs.bimatrix.solutions import known_solutions

        return known_solutions(self)
