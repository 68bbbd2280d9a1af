"""Two participants with finitely many actions, and a mechanism that taxes their payoffs.

With rate t a round pays x_i' = (1 - t) x_i + t mean(x): 0 leaves the game as it is, 1 gives both the same, so that they
want what is best together. What choices earn, and when a game is over, is each game's own.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np

from lawgiver.envs.core.arrays import Array, Rng, constant, evolve, floats, namespace, select, total, zeros
from lawgiver.envs.core.errors import NoSolution
from lawgiver.envs.core.fields import Field, Layout
from lawgiver.envs.core.game import Draws, Rewards
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.families.two_modes import TwoModes

SEEN = np.array([[0, 1, 2], [1, 0, 2]])
"""Columns of (choice of 0, choice of 1, tax) that each participant observes: own choice first."""


@dataclass(frozen=True)
class TaxedState:
    """State of B games; payoffs are in points.

    Attributes:
        turn: 0 for the first phase of a round, 1 for the second.
        round: completed rounds, (B,).
        choices: choices of this round once made, until then of the last, (B, 2).
        tax: rate announced for this round, (B, 1).
        payoffs: payoffs of the last completed round, after tax, (B, 2).
        endowments: what participants hold before the round, nothing, (B, 2).
    """

    turn: int
    round: Array
    choices: Array
    tax: Array
    payoffs: Array
    endowments: Array


class TaxedGame(TwoModes[TaxedState]):
    """A game of two, in rounds of two phases: the choices, and the tax rate in [0, 1] before or after them.

    A game of this family is a dataclass with these two fields:

        mechanism_mode: ``announce``, the tax comes before the choices, or ``allocate``, it comes after them.
        objective: the mechanism's reward of a round, as in the public investment game.
    """

    sum_type: ClassVar[Literal["general", "constant", "identical"]] = "general"
    budget_balanced: ClassVar[bool] = True
    payoff_unit: ClassVar[str] = "points"
    reward_meaning: ClassVar[Mapping[str, str]] = {
        "participant": "the round's payoff after tax in points, once the round is over",
        "mechanism": "the `objective` of the round's payoffs, once the round is over",
    }

    # -- functions of a game ------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def counts(self) -> tuple[int, int]:
        """Actions of participant 0 and 1."""

    @property
    @abstractmethod
    def choice_field(self) -> Field:
        """The field of the last choices of both, as they are observed."""

    @abstractmethod
    def earnings(self, choices: Array) -> Array:
        """Return the payoffs before tax (B, 2) for choices (B, 2)."""

    @abstractmethod
    def ended(self, state: TaxedState, draws: Draws) -> tuple[Array, Array]:
        """Flag the games terminated and truncated by the round just paid, bool (B,) each."""

    @abstractmethod
    def behaviour(self, strategies: list[np.ndarray]) -> dict[str, Any]:
        """Summarise the mixed actions of both, (A_0,) and (A_1,), by name."""

    # -- how it is played ---------------------------------------------------------------------------------------

    @property
    def members(self) -> Mapping[str, tuple[float, ...]]:
        """The canonical rules by name, with their tax rate: share everything, or nothing."""
        return {"strict_egalitarian": (1.0,), "libertarian": (0.0,)}

    @property
    def rule_formula(self) -> str | None:
        """Formula of an announced tax."""
        text = "the share `tax` of every payoff is pooled and handed back in equal parts"
        return text if self.announces else None

    @property
    def roles(self) -> Mapping[str, int]:
        """Two participants and one mechanism."""
        return {"participant": 2, "mechanism": 1}

    def phase(self, state: TaxedState) -> str:
        """Return the role that acts now."""
        return "mechanism" if (state.turn == 0) is self.announces else "participant"

    def observation_layout(self, role: str) -> Layout:
        """Return the fields of an observation."""
        if role == "mechanism":
            return (self.choice_field,)
        self.check_role(role)
        tax = Field("rule_tax", 1, 0, 1, "rate", "the tax announced for this round, or the last one")
        return (replace(self.choice_field, own_first=True), tax)

    def action_layout(self, role: str) -> Layout | int:
        """Participants choose; the mechanism sets the tax rate."""
        self.check_role(role)
        if role == "participant":
            return max(self.counts)
        return (Field("tax", 1, 0, 1, "rate", "share of every payoff that is pooled"),)

    def legal_actions(self, state: TaxedState, role: str) -> Array | None:
        """Mask the existing actions, (B, 2, A); None where both participants have equally many."""
        if role != "participant" or self.counts[0] == self.counts[1]:
            return None
        xp = namespace(state.payoffs)
        there = constant(np.arange(max(self.counts)) < np.array(self.counts)[:, None], state.payoffs) > 0
        return xp.broadcast_to(there, (state.payoffs.shape[0], *there.shape))

    def observe(self, state: TaxedState, role: str) -> Array:
        """Compute the observations of a role, (B, n_role, d)."""
        if role == "mechanism":
            return state.choices[:, None, :]
        self.check_role(role)
        return select(namespace(state.tax).concat([state.choices, state.tax], axis=-1), SEEN)

    def initial_state(self, batch: int, rng: Rng) -> TaxedState:
        """Return ``batch`` games before their first round."""
        pairs = zeros(rng, (batch, 2))
        return TaxedState(0, zeros(rng, (batch,)), pairs, zeros(rng, (batch, 1)), pairs, pairs)

    def outcome(self, state: TaxedState, actions: Array) -> Array:
        """Return the choices (B, 2) as numbers, at most the last legal one; or the tax rate (B, 1)."""
        sent = floats(actions, state.payoffs)
        if self.phase(state) != "participant":
            return sent[:, 0]
        if self.counts[0] == self.counts[1]:
            return sent
        return namespace(sent).minimum(sent, constant(np.array(self.counts) - 1, sent))

    def outcome_error(self, state: TaxedState, outcome: np.ndarray) -> str | None:
        """Describe the fault of choices outside the actions or of a tax rate outside [0, 1]."""
        if self.phase(state) == "participant":
            there = (outcome >= 0) & (outcome < np.array(self.counts)) & (outcome == np.floor(outcome))
            known = "0 and 1" if self.counts == (2, 2) else f"one of {self.counts} rows and columns"
            return None if there.all() else f"holds choices other than {known}"
        return None if ((outcome >= 0) & (outcome <= 1)).all() else "holds a tax rate outside [0, 1]"

    def advance(self, state: TaxedState, outcome: Array, draws: Draws) -> tuple[TaxedState, Rewards, Array, Array]:
        """Take choices or a tax rate; the round is paid when both are known."""
        changed = {"choices" if self.phase(state) == "participant" else "tax": outcome}
        if state.turn == 0:
            nothing, nobody = namespace(state.payoffs).zeros_like(state.payoffs), state.round < 0
            unpaid = {"participant": nothing, "mechanism": nothing[:, :1]}
            return evolve(state, turn=1, **changed), unpaid, nobody, nobody
        played = evolve(state, turn=0, round=state.round + 1, **changed)
        paid = evolve(played, payoffs=after_tax(self.earnings(played.choices), played.tax))
        rewards = {"participant": paid.payoffs, "mechanism": self.measure(paid)[:, None]}
        return paid, rewards, *self.ended(paid, draws)

    def deficit(self, state: TaxedState) -> Array:
        """Compute the payoffs after tax less those before, summed, (B,)."""
        return total(state.payoffs) - total(self.earnings(state.choices))

    def picture(self, state: TaxedState, index: int) -> dict[str, np.ndarray]:
        """Return choices, payoffs, the round and the tax of one game."""
        return {
            self.choice_field.name: np.asarray(state.choices[index]),
            "payoffs (points)": np.asarray(state.payoffs[index]),
            "completed rounds": np.asarray(state.round[index : index + 1]),
            "tax": np.asarray(state.tax[index]),
        }

    def exact_scores(
        self, mechanism: Policy, *, inverse_temperature: float, anchor: Policy | None = None
    ) -> dict[str, Any] | NoSolution:
        """See :func:`lawgiver.envs.families.taxed_round.exact_scores`."""
        from lawgiver.envs.families.taxed_round import exact_scores

        return exact_scores(self, mechanism, inverse_temperature, anchor)


def after_tax(earned: Array, tax: Array) -> Array:
    """Return the payoffs after tax (B, 2) of earnings (B, 2), for rates (B, 1) in [0, 1]."""
    return (1 - tax) * earned + tax * total(earned)[:, None] / 2
