"""A repeated prisoner's dilemma in which a mechanism taxes what is earned and hands the tax back in equal parts.

With rate t a round pays x_i' = (1 - t) x_i + t mean(x). Against a cooperator defecting pays 5 - 2.5 t and cooperating
3; against a defector they pay 1 and 2.5 t. So cooperation is dominant from t = 0.8 on, and defection up to t = 0.4.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np

from lawgiver.envs.core.arrays import Array, Rng, evolve, floats, namespace, select, total, uniform, zeros
from lawgiver.envs.core.errors import NoSolution, choice, integer, number
from lawgiver.envs.core.fields import Field, Layout
from lawgiver.envs.core.game import Draws, Game, KnownSolution, Rewards
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.core.registry import OBJECTIVES, lookup

TEMPTATION, REWARD, PUNISHMENT, SUCKER = 5.0, 3.0, 1.0, 0.0
SEEN = np.array([[0, 1, 2], [1, 0, 2]])
"""What each participant sees of (choice of 0, choice of 1, tax): own choice first."""


@dataclass(frozen=True)
class TaxedDilemmaState:
    """State of B games; payoffs are in points.

    Attributes:
        turn: 0 for the first phase of a round, 1 for the second.
        round: completed rounds, (B,).
        cooperated: 1 for cooperation in this round once chosen, until then in the last, (B, 2).
        tax: rate announced for this round, (B, 1).
        payoffs: of the last completed round, after tax, (B, 2).
        endowments: what participants hold before the round, nothing, (B, 2).
    """

    turn: int
    round: Array
    cooperated: Array
    tax: Array
    payoffs: Array
    endowments: Array


@dataclass(frozen=True)
class TaxedDilemma(Game[TaxedDilemmaState]):
    """A prisoner's dilemma repeated for a random number of rounds, with a tax.

    Two participants choose 0 (defect) or 1 (cooperate); the mechanism sets a tax rate in [0, 1], before
    (``announce``) or after (``allocate``) they have chosen. After each round the game goes on with probability
    ``continuation`` (else it is terminated); at ``max_rounds`` it is cut off (truncated).

    Args:
        continuation: probability of another round, in [0, 1].
        max_rounds: rounds after which a game is cut off, >= 1.
        mechanism_mode: ``announce`` or ``allocate``.
        objective: what the mechanism is paid each round, as in the public investment game.

    Raises:
        ParameterError: if a parameter is outside its range.
    """

    continuation: float = 0.9
    max_rounds: int = 20
    mechanism_mode: Literal["allocate", "announce"] = "announce"
    objective: str = "log_nash_welfare"

    name: ClassVar[str] = "taxed_dilemma-v0"
    summary: ClassVar[str] = "taxes a repeated dilemma and hands it back"
    reference: ClassVar[str] = "Axelrod 1984, The Evolution of Cooperation, chapter 1; the tax is this library's"
    sum_type: ClassVar[Literal["general", "constant", "identical"]] = "general"
    budget_balanced: ClassVar[bool] = True
    horizon_known: ClassVar[bool] = False
    reward_meaning: ClassVar[Mapping[str, str]] = {
        "participant": "the round's payoff after tax in points, once the round is over",
        "mechanism": "the `objective` of the round's payoffs, once the round is over",
    }

    def __post_init__(self) -> None:
        """Check every parameter."""
        object.__setattr__(self, "continuation", number("continuation", self.continuation, "[0, 1]"))
        object.__setattr__(self, "max_rounds", integer("max_rounds", self.max_rounds, 1))
        choice("mechanism_mode", self.mechanism_mode, ("allocate", "announce"))
        lookup(OBJECTIVES, self.objective)

    @cached_property
    def _objective(self) -> Any:
        return lookup(OBJECTIVES, self.objective)

    @cached_property
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
        return 2 * self.max_rounds

    def phase(self, state: TaxedDilemmaState) -> str:
        """Return the role that acts now."""
        return "mechanism" if (state.turn == 0) is self.announces else "participant"

    def observation_layout(self, role: str) -> Layout:
        """Return the fields of an observation."""
        cooperated = Field("cooperated", 2, 0, 1, "flag", "who cooperated last (own first for a participant)")
        if role == "mechanism":
            return (cooperated,)
        self.check_role(role)
        return (cooperated, Field("rule_tax", 1, 0, 1, "rate", "the tax announced for this round, or the last one"))

    def action_layout(self, role: str) -> Layout | int:
        """Participants defect (0) or cooperate (1); the mechanism sets the tax rate."""
        self.check_role(role)
        return 2 if role == "participant" else (Field("tax", 1, 0, 1, "rate", "share of every payoff that is pooled"),)

    def observe(self, state: TaxedDilemmaState, role: str) -> Array:
        """Return what the agents of a role see, (B, n_role, d)."""
        if role == "mechanism":
            return state.cooperated[:, None, :]
        self.check_role(role)
        return select(namespace(state.tax).concat([state.cooperated, state.tax], axis=-1), SEEN)

    def initial_state(self, batch: int, rng: Rng) -> TaxedDilemmaState:
        """Return ``batch`` games before their first round."""
        pairs = zeros(rng, (batch, 2))
        return TaxedDilemmaState(0, zeros(rng, (batch,)), pairs, zeros(rng, (batch, 1)), pairs, pairs)

    def draw(self, batch: int, rng: Rng) -> Draws:
        """Draw whether each game goes on."""
        return {"going_on": uniform(rng, (batch,))}

    def outcome(self, state: TaxedDilemmaState, actions: Array) -> Array:
        """Return the choices (B, 2) as numbers, or the tax rate (B, 1)."""
        sent = floats(actions, state.payoffs)
        return sent if self.phase(state) == "participant" else sent[:, 0]

    def outcome_fault(self, state: TaxedDilemmaState, outcome: np.ndarray) -> str | None:
        """Choices are 0 or 1, a tax rate lies in [0, 1]."""
        if self.phase(state) == "participant":
            return None if np.isin(outcome, (0, 1)).all() else "holds choices other than 0 and 1"
        return None if ((outcome >= 0) & (outcome <= 1)).all() else "holds a tax rate outside [0, 1]"

    def advance(
        self, state: TaxedDilemmaState, outcome: Array, draws: Draws
    ) -> tuple[TaxedDilemmaState, Rewards, Array, Array]:
        """Take choices or a tax rate; the round is paid when both are known."""
        changed = {"cooperated" if self.phase(state) == "participant" else "tax": outcome}
        if state.turn == 0:
            nothing, nobody = namespace(state.payoffs).zeros_like(state.payoffs), state.round < 0
            rewards = {"participant": nothing, "mechanism": nothing[:, :1]}
            return evolve(state, turn=1, **changed), rewards, nobody, nobody
        state = evolve(state, turn=0, round=state.round + 1, **changed)
        paid = evolve(state, payoffs=taxed_payoffs(state.cooperated, state.tax))
        truncated = paid.round >= self.max_rounds
        stopped = floats(draws["going_on"], paid.round) >= self.continuation
        rewards = {"participant": paid.payoffs, "mechanism": self._objective(paid)[:, None]}
        return paid, rewards, stopped, truncated & ~stopped

    def deficit(self, state: TaxedDilemmaState) -> Array:
        """Return what was paid beyond what was earned before the tax, (B,)."""
        return total(state.payoffs) - total(earnings(state.cooperated))

    def picture(self, state: TaxedDilemmaState, index: int) -> dict[str, np.ndarray]:
        """Return choices, payoffs, the round and the tax of one game."""
        return {
            "cooperated": np.asarray(state.cooperated[index]),
            "payoffs (points)": np.asarray(state.payoffs[index]),
            "completed rounds": np.asarray(state.round[index : index + 1]),
            "tax": np.asarray(state.tax[index]),
        }

    def exact_scores(
        self, mechanism: Policy, *, inverse_temperature: float, anchor: Policy | None = None
    ) -> dict[str, Any] | NoSolution:
        """See :func:`lawgiver.envs.taxed_dilemma.one_round.exact_scores`."""
        from lawgiver.envs.taxed_dilemma.one_round import exact_scores

        return exact_scores(self, mechanism, inverse_temperature, anchor)

    def ceiling(self) -> float | None:
        """Return the objective's value a round under mutual cooperation, None for an objective not built in."""
        from lawgiver.envs.taxed_dilemma.one_round import CEILINGS

        return CEILINGS.get(self.objective)

    def ceiling_scores(self) -> list[dict[str, float]]:
        """Return the measures of mutual cooperation."""
        from lawgiver.envs.taxed_dilemma.one_round import CEILINGS

        return [dict(CEILINGS)]

    def known_solutions(self) -> tuple[KnownSolution, ...]:
        """The symmetric logit equilibrium of one round under a tax of 0.5, found by bisection."""
        return (
            KnownSolution(
                name="cooperation in the logit equilibrium at tax 0.5, inverse temperature 1",
                source="McKelvey and Palfrey 1995; expected payoffs in this module's docstring",
                value=lambda: logit_cooperation(0.5, 1.0),
                residual=lambda: abs(logit_cooperation(0.5, 1.0) - _logit_reply(logit_cooperation(0.5, 1.0), 0.5, 1.0)),
                tolerance=1e-9,
            ),
        )


def taxed_payoffs(cooperated: Array, tax: Array) -> Array:
    """Return the payoffs after tax (B, 2) for choices (B, 2), 1 for cooperation, and rates (B, 1) in [0, 1]."""
    earned = earnings(cooperated)
    return (1 - tax) * earned + tax * total(earned)[:, None] / 2


def earnings(cooperated: Array) -> Array:
    """Return the dilemma's payoffs before tax (B, 2) for choices (B, 2), 1 for cooperation."""
    other = namespace(cooperated).flip(cooperated, axis=-1)
    return (
        REWARD * cooperated * other
        + SUCKER * cooperated * (1 - other)
        + TEMPTATION * (1 - cooperated) * other
        + PUNISHMENT * (1 - cooperated) * (1 - other)
    )


def _logit_reply(cooperation: float, tax: float, inverse_temperature: float) -> float:
    against_cooperator = REWARD - (TEMPTATION - tax * (TEMPTATION - SUCKER) / 2)
    against_defector = SUCKER + tax * (TEMPTATION - SUCKER) / 2 - PUNISHMENT
    gain = cooperation * against_cooperator + (1 - cooperation) * against_defector
    return (1 + math.tanh(inverse_temperature * gain / 2)) / 2  # the logistic function, without overflow


def logit_cooperation(tax: float, inverse_temperature: float) -> float:
    """Return the probability of cooperation in the symmetric logit equilibrium of one round, by bisection.

    Whatever the tax, cooperating gains one point less against a cooperator than against a defector. So the reply falls
    in the other's cooperation, and the fixed point is unique.
    """
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _logit_reply(middle, tax, inverse_temperature) > middle else (low, middle)
    return (low + high) / 2
