"""Choice games: a mechanism chooses among m alternatives, by what participants report about their utilities.

A type is a utility of every alternative, and so is a report; a game may read less of it, say a ranking (see
:meth:`ReportingGame.read`). A decision is a lottery over the alternatives, with a payment of each participant in games
that have them. Participants are paid what the lottery is worth to them in expectation, less the payment, so that the
same reports always bring the same.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, cast

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, evolve, floats, namespace, softmax, total
from lawgiver.envs.core.fields import LOGIT_BOUND, Field, Layout, bounds
from lawgiver.envs.families.reporting_game import ReportingGame, ReportingState, simplex_error


@dataclass(frozen=True)
class ChoiceState(ReportingState):
    """State of B games with m alternatives, with, besides the fields of every reporting game:

    Attributes:
        lottery: probability of each alternative, (B, m), zeros before.
    """

    lottery: Array


@dataclass(frozen=True)
class ChoiceGame(ReportingGame):
    """Participants report utilities of m alternatives, and a mechanism chooses a lottery over these.

    Args:
        n: number of participants.
        objective: the mechanism's reward. All of them are of true utilities, without payments: ``welfare``, the mean
            over participants; ``least``, the utility of the participant who has least; ``nash``, the geometric mean of
            utilities above the least possible; ``agreement``, the probability of the Condorcet winner, who beats every
            other alternative in the eyes of more participants than the other way round, and 1 where there is none,
            since no choice then goes against it.
        mechanism_mode: ``announce`` or ``allocate``.
    """

    objectives: ClassVar[tuple[str, ...]] = ("welfare", "least", "nash", "agreement")
    reward_meaning: ClassVar[Mapping[str, str]] = {
        "participant": "the lottery's expected utility under the true type, less any payment, when the game is over",
        "mechanism": ReportingGame.reward_meaning["mechanism"],
    }
    measure_meanings: ClassVar[Mapping[str, str]] = {
        "welfare": "mean over participants of the expected utility, without payments",
        "least": "expected utility of the participant who has least, without payments",
        "nash": "geometric mean of expected utilities above the least possible, without payments",
        "agreement": "probability of the Condorcet winner by true utilities; 1 where there is none",
    }

    @property
    @abstractmethod
    def m(self) -> int:
        """Number of alternatives."""

    @property
    def charges(self) -> bool:
        """Whether a decision has n payments after the m probabilities."""
        return False

    @property
    def utility_low(self) -> float:
        """Least utility of an alternative."""
        return 0.0

    @property
    def utility_high(self) -> float:
        """Largest utility of an alternative."""
        return 1.0

    @property
    def payment_bound(self) -> float:
        """Largest absolute value of a payment that a mechanism of ``allocate`` mode sends as an action."""
        return self.n * (self.utility_high - self.utility_low)

    # -- types and decisions ------------------------------------------------------------------------------------

    def type_layout(self) -> Layout:
        """Return a utility for each alternative."""
        low, high = self.utility_low, self.utility_high
        return (Field("utility", self.m, low, high, "utility", "what each alternative is worth"),)

    def decision_layout(self) -> Layout:
        """Return the logits of the lottery, and the payments where the game has them."""
        logits = Field("logits", self.m, -LOGIT_BOUND, LOGIT_BOUND, "log-odds", "of each alternative")
        if not self.charges:
            return (logits,)
        bound = self.payment_bound
        return logits, Field("payments", self.n, -bound, bound, "utility", "of each participant to the mechanism")

    def split_decision(self, decision: Array) -> tuple[Array, Array]:
        """Return the lottery (B, m) and the payments (B, n) of a decision; payments are zeros in games without any."""
        lottery = decision[:, : self.m]
        if self.charges:
            return lottery, decision[:, self.m :]
        xp = namespace(decision)
        return lottery, xp.zeros((decision.shape[0], self.n), dtype=decision.dtype, device=decision.device)

    def joined(self, lottery: Array, payments: Array | None = None) -> Array:
        """Return a lottery (B, m) and payments (B, n) as a decision; None for no payments, in any game."""
        if not self.charges:
            return lottery
        xp = namespace(lottery)
        if payments is None:
            payments = xp.zeros((lottery.shape[0], self.n), dtype=lottery.dtype, device=lottery.device)
        return xp.concat([lottery, payments], axis=-1)

    def decision(self, actions: Array) -> Array:
        """Convert logits (B, m), with payments where there are any, to a lottery and these."""
        return self.joined(softmax(actions[:, : self.m]), actions[:, self.m :] if self.charges else None)

    def action_of(self, decision: Array) -> Array:
        """Return the logits whose softmax is nearest to a lottery, and the payments within their bounds.

        Logits have an end, and so no action excludes an alternative: what has no chance gets exp(-20) of the largest.
        """
        xp, (lottery, payments) = namespace(decision), self.split_decision(decision)
        least = constant(math.exp(-2 * LOGIT_BOUND), decision)
        shares = lottery / xp.max(lottery, axis=-1, keepdims=True)
        logits = xp.log(xp.maximum(shares, least)) + LOGIT_BOUND
        return self.joined(logits, xp.clip(payments, -self.payment_bound, self.payment_bound))

    def outcome_error(self, state: ReportingState, outcome: np.ndarray) -> str | None:
        """Describe the fault of a supplied mechanism's rule or lottery; None if it is valid."""
        if not self.announces:
            return simplex_error(outcome[:, : self.m])
        low, high = bounds(self.rule_layout())
        wrong = np.argwhere((outcome < low) | (outcome > high))
        if not len(wrong):
            return None
        game, at = wrong[0].tolist()
        name = self.rule_names[at]
        return f"has {outcome[game, at]:g} as {name}, allowed: a number in [{low[at]:g}, {high[at]:g}]"

    # -- how it is played ---------------------------------------------------------------------------------------

    def initial_state_from(self, types: Array) -> ChoiceState:
        """Return games with given types (B, n, m + p) before the first step."""
        nothing = namespace(types).zeros_like(types[:, 0, : self.m])
        return ChoiceState(**vars(super().initial_state_from(types)), lottery=nothing)

    def settle(self, state: ReportingState, decision: Array) -> ReportingState:
        """Return the state with the lottery, what it is worth to each participant, and the payments."""
        lottery, payments = self.split_decision(decision)
        worth = total(self.private(state.types) * lottery[:, None, :])
        return evolve(state, lottery=lottery, utilities=worth, payments=payments)

    def prospects(self, state: ReportingState) -> tuple[Array, Array]:
        """Return the lottery, the same for all, and utilities, (B, n, m) each."""
        utilities = self.private(state.types)
        return namespace(utilities).broadcast_to(lottery_of(state)[:, None, :], utilities.shape), utilities

    def own_measure(self, state: ReportingState) -> Array:
        """Compute the mean, the least or the geometric mean of utilities, or the agreement, (B,)."""
        return self.social_measures()[self.objective](state)

    def measures(self) -> dict[str, Callable[[ReportingState], Array]]:
        """Return all social measures, and the objective where it is another."""
        social = self.social_measures()
        return social if self.objective in social else {self.objective: self.measure, **social}

    def social_measures(self) -> dict[str, Callable[[ReportingState], Array]]:
        """Return the measures that every choice game has, functions of a state (B,), by name."""
        return {"welfare": _welfare, "least": _least, "nash": self._nash, "agreement": agreement}

    def _nash(self, state: ReportingState) -> Array:
        above, xp = state.utilities - self.utility_low, namespace(state.utilities)
        some = above > 0
        logs = xp.log(xp.where(some, above, xp.ones_like(above)))
        mean = xp.exp(total(logs) / self.n)
        return xp.where(xp.all(some, axis=-1), mean, 0 * mean)

    # -- for people ---------------------------------------------------------------------------------------------

    def infos(self, state: ReportingState) -> Mapping[str, Array]:
        """Return the lottery (B, m), utilities (B, n) and payments, where there are any; zeros before."""
        shown = {"lottery": lottery_of(state), "utilities": state.utilities}
        return {**shown, "payments": state.payments} if self.charges else shown

    def picture(self, state: ReportingState, index: int) -> dict[str, np.ndarray]:
        """Return types, reports, utilities, the probability of each alternative and any payments of one game."""
        shown = super().picture(state, index)
        if not self.charges:
            del shown["payments"], shown["revenue"]
        lottery = np.asarray(lottery_of(state)[index])
        return shown | {f"probability {j + 1}": lottery[j : j + 1] for j in range(self.m)}


def lottery_of(state: ReportingState) -> Array:
    """Return the lottery (B, m) of a state of a choice game."""
    return cast(ChoiceState, state).lottery


def condorcet_winner(utilities: Array) -> Array:
    """Mark the Condorcet winner of utilities (B, n, m) by 1 among zeros, (B, m); all zeros where there is none.

    It beats every other alternative: more participants have it above the other than below. Who is indifferent between
    two counts for neither.
    """
    xp = namespace(utilities)

    def beats_all(a: int) -> Array:
        margins = xp.sum(xp.sign(utilities[..., a : a + 1] - utilities), axis=1)
        return xp.sum(xp.astype(margins > 0, xp.int64), axis=-1) == utilities.shape[-1] - 1

    winners = xp.stack([beats_all(a) for a in range(utilities.shape[-1])], axis=-1)
    return floats(winners, utilities)


def agreement(state: ReportingState) -> Array:
    """Compute the probability of the Condorcet winner by true utilities, (B,); 1 where there is none.

    With s the share of games that have one and a the mean of this, the probability that it is chosen, given that there
    is one, is 1 - (1 - a) / s.
    """
    lottery = lottery_of(state)
    winner = condorcet_winner(state.types[..., : lottery.shape[-1]])
    return 1 - total(winner) + total(winner * lottery)


def _welfare(state: ReportingState) -> Array:
    return total(state.utilities) / state.utilities.shape[-1]


def _least(state: ReportingState) -> Array:
    return namespace(state.utilities).min(state.utilities, axis=-1)
