"""Online allocation: n items are assigned to n agents round after round, by values that nobody has told yet.

In every round the mechanism assigns an item to each agent, and asks a few participants: in the query mode ``own`` how
good what they have been given was, in ``any_pair`` how good an item is, whoever has it. What a participant experiences
is noisy, 1 with the probability of its true value and 0 otherwise; its answer is its own choice. The mechanism is paid
minus its *regret*: the value of the best assignment by the true values less that of its own, by a criterion of
fairness, efficiency or stability (:mod:`lawgiver.envs.solvers.online_allocation.criteria`). Whom to ask is the
question: with one answer a round, what is known has to be what matters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np

from lawgiver.envs.core.arrays import Array, Rng, constant, evolve, floats, namespace, uniform
from lawgiver.envs.core.errors import ParameterError, brief, choice, counted, integer, one_each
from lawgiver.envs.core.fields import Field, Layout
from lawgiver.envs.core.game import Draws, Game, KnownSolution, Rewards
from lawgiver.envs.online_allocation.state import OnlineState
from lawgiver.envs.solvers.online_allocation.assignments import LARGEST_N, at_items, greatest_sum, one_hot
from lawgiver.envs.solvers.online_allocation.bounds import regret_bound
from lawgiver.envs.solvers.online_allocation.criteria import CRITERIA, Criterion

QUERIES = ("own", "any_pair")
"""What participants may be asked about: what they have, or any item."""
UNKNOWN = 0.5
"""Estimate of a value that nobody was asked about."""


@dataclass(frozen=True)
class OnlineAllocation(Game[OnlineState]):
    """Items assigned round after round by noisy answers of a few, at a regret against the best assignment.

    The mechanism sees the mean answer about each pair and the number of answers, and sends scores: the assignment is
    the one of the greatest sum of scores, and the questions are those with the highest, at most one a participant.
    Those who are asked answer; whoever reports what it experienced is truthful.

    Args:
        n: number of agents, and of items, 2 to 8: optima are found among all n! assignments.
        rounds: number of rounds T, >= 1.
        criterion: ``sum``, ``max_min``, ``nash``, ``proportionality``, ``envy`` or ``stability``. Of stability the
            items are participants too, with values of the agents.
        query: ``own``, participants are asked about what they have, or ``any_pair``, about any item.
        questions: participants who are asked in a round, 1 to all.
        entitlements: of ``max_min``, > 0, one an agent, by which values are divided; None for 1 each.
        means: true values in [0, 1], a row of n for each participant (agents, then the items of two-sided games); None
            to draw them uniformly, anew in each game.
        payments: whether the mechanism can take a part of what an agent has, which nobody receives (*money burning*).

    Raises:
        ParameterError: if a parameter is outside its range, or shapes do not fit.
    """

    n: int = 4
    rounds: int = 20
    criterion: str = "max_min"
    query: Literal["own", "any_pair"] = "own"
    questions: int = 1
    entitlements: Sequence[float] | None = None
    means: Sequence[Sequence[float]] | None = None
    payments: bool = False

    name: ClassVar[str] = "online_allocation-v0"
    summary: ClassVar[str] = "assigns items while it learns their values"
    reference: ClassVar[str] = (
        "Bhattacharya, Nguyen, Sun and Tawarmalani, Active Learning for Fair and Stable Online Allocations"
        " (arXiv 2406.14784)"
    )
    sum_type: ClassVar[Literal["general", "constant", "identical"]] = "general"
    seats_take_turns: ClassVar[bool] = True
    budget_balanced: ClassVar[bool] = False
    horizon_known: ClassVar[bool] = True
    reward_meaning: ClassVar[Mapping[str, str]] = {
        "participant": "the true mean value of what it has, less what is burnt of it, once a round",
        "mechanism": "minus the regret: the criterion's value of the assignment less that of the best, once a round",
    }
    measure_meanings: ClassVar[Mapping[str, str]] = {
        "regret": "value of the best assignment by true values less that of the mechanism's, in the criterion's unit",
        "burnt": "sum over agents of what is taken from them for nobody's good, in units of value",
    }
    unaudited: ClassVar[str] = (
        "participants answer what they experience, round after round, and have no report of a type; play it with"
        " participants who lie"
    )
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "any_pair": {"query": "any_pair", "criterion": "envy"},
        "stability": {"query": "any_pair", "criterion": "stability"},
        "payments": {"payments": True},
    }

    def __post_init__(self) -> None:
        """Check every parameter."""
        if isinstance(self.n, (int, np.integer)) and self.n > LARGEST_N:
            raise ParameterError(
                f"n is {brief(self.n)}, allowed: an integer in 2..{LARGEST_N}, because all n! assignments are compared"
            )
        object.__setattr__(self, "n", integer("n", self.n, 2, LARGEST_N))
        object.__setattr__(self, "rounds", integer("rounds", self.rounds, 1))
        choice("criterion", self.criterion, CRITERIA)
        choice("query", self.query, QUERIES)
        if not isinstance(self.payments, bool):
            raise ParameterError(f"payments is {brief(self.payments)}, allowed: true or false")
        if self.entitlements is not None:
            if self.criterion != "max_min":
                raise ParameterError(f"entitlements are given with criterion={self.criterion!r}, allowed: 'max_min'")
            given = one_each("entitlements", self.entitlements, self.n, "(0, inf)", "an agent")
            object.__setattr__(self, "entitlements", given)
        if isinstance(self.questions, (int, np.integer)) and self.questions > self.participants:
            raise ParameterError(
                f"questions is {brief(self.questions)}, allowed: an integer in 1..{self.participants}, one for each of"
                f" {self.participants} participants at most"
            )
        object.__setattr__(self, "questions", integer("questions", self.questions, 1, self.participants))
        if self.means is not None:
            object.__setattr__(self, "means", self._checked_means())

    def _checked_means(self) -> tuple[tuple[float, ...], ...]:
        size = self.participants
        if not isinstance(self.means, (list, tuple, np.ndarray)) or len(self.means) != size:
            raise ParameterError(
                f"means is {brief(self.means)}, allowed: {counted(size, 'row')}, one a participant, of {self.n} numbers"
            )
        return tuple(one_each(f"means[{i}]", row, self.n, "[0, 1]", "an item") for i, row in enumerate(self.means))

    # -- parameters in a handier shape --------------------------------------------------------------------------

    @cached_property
    def fairness(self) -> Criterion:
        """The criterion, with its formulas."""
        return Criterion(self.criterion, self.n, tuple(self.entitlements or ()))

    @property
    def participants(self) -> int:
        """Number of participants, P: n agents, and the n items of two-sided games."""
        return self.fairness.participants

    # -- the contract -------------------------------------------------------------------------------------------

    @property
    def roles(self) -> Mapping[str, int]:
        """The participants and one mechanism."""
        return {"participant": self.participants, "mechanism": 1}

    @property
    def max_steps(self) -> int:
        """Two phases a round."""
        return 2 * self.rounds

    def phase(self, state: OnlineState) -> str:
        """Return the role that acts now."""
        return "participant" if state.turn else "mechanism"

    def acts(self, state: OnlineState, role: str) -> Array:
        """Flag the participants who are asked; the mechanism always acts."""
        if role == "participant":
            return (state.asked >= 0) & (state.round < self.rounds)[:, None]  # nobody does where a game is over
        return state.round[:, None] >= 0

    def observation_layout(self, role: str) -> Layout:
        """Return the fields of an observation."""
        pairs, n, last = self.participants * self.n, self.n, float(self.rounds)
        at = Field("round", 1, 0.0, last, "rounds", "completed rounds")
        if role == "mechanism":
            return (
                Field("estimates", pairs, 0.0, 1.0, "value", "mean answer, participant by participant; 0.5 before any"),
                Field("counts", pairs, 0.0, last, "answers", "number of answers, participant by participant"),
                at,
            )
        self.check_role(role)
        burnt = Field("burnt", 1, 0.0, 1.0, "value", "what is burnt of what it has in this round")
        return (
            Field("values", n, 0.0, 1.0, "value", "own true mean value of each item (of each agent, for an item)"),
            Field("given", n, 0.0, 1.0, "flag", "1 at the item that it has; before the first round at its own number"),
            Field("asked", n, 0.0, 1.0, "flag", "1 at the item that it is asked about, 0 if it is not asked"),
            Field("experience", 1, 0.0, 1.0, "value", "what it experienced of that item, 0 or 1"),
            *((burnt,) if self.payments else ()),
            at,
        )

    def action_layout(self, role: str) -> Layout | int:
        """Participants answer a number; the mechanism scores pairs, and questions."""
        if role == "participant":
            return (Field("answer", 1, 0.0, 1.0, "value", "how good the item was that it is asked about"),)
        self.check_role(role)
        asked = self.participants * (self.n if self.query == "any_pair" else 1)
        whom = "each participant about each item" if self.query == "any_pair" else "each participant"
        burnt = Field("burnt", self.n, 0.0, 1.0, "value", "what is taken from each agent, for nobody's good")
        return (
            Field("scores", self.n**2, 0.0, 1.0, "score", "of each agent's items; the greatest sum is assigned"),
            Field("questions", asked, 0.0, 1.0, "score", f"of asking {whom}; the highest are asked"),
            *((burnt,) if self.payments else ()),
        )

    def observe(self, state: OnlineState, role: str) -> Array:
        """Compute the observations of a role, (B, n_role, d)."""
        xp = namespace(state.values)
        now = state.round[:, None, None]
        if role == "participant":
            given, asked = (one_hot(items, self.n, state.values) for items in (state.matched, state.asked))
            at = xp.broadcast_to(now, (*state.matched.shape, 1))
            seen = [state.values, given, asked, state.experience[..., None]]
            return xp.concat([*seen, *([state.burnt[..., None]] if self.payments else []), at], axis=-1)
        self.check_role(role)
        size = (state.counts.shape[0], 1, -1)
        estimates = self.estimates(state)
        return xp.concat([xp.reshape(estimates, size), xp.reshape(state.counts, size), now], axis=-1)

    def estimates(self, state: OnlineState) -> Array:
        """Compute the mean answer about each pair, (B, P, n), 0.5 where nobody was asked."""
        xp = namespace(state.counts)
        known = state.counts > 0
        return xp.where(known, state.sums / xp.where(known, state.counts, 1.0), constant(UNKNOWN, state.sums))

    # -- the dynamics -------------------------------------------------------------------------------------------

    def draw_initial(self, batch: int, rng: Rng) -> Draws:
        """Draw the true values."""
        return {"values": uniform(rng, (batch, self.participants, self.n))}

    def initial_state(self, batch: int, rng: Rng) -> OnlineState:
        """Return ``batch`` games before their first round."""
        values = self.draw_initial(batch, rng)["values"]
        if self.means is not None:
            values = namespace(values).broadcast_to(constant(self.means, values), values.shape)
        return self.initial_state_from(values)

    def initial_state_from(self, values: Array) -> OnlineState:
        """Return games before their first round with given true values (B, P, n)."""
        xp = namespace(values)
        nothing = xp.zeros_like(values)
        identity = xp.zeros(values.shape[:2], dtype=xp.int64, device=values.device)
        own = np.arange(self.participants) % self.n
        return OnlineState(
            turn=0,
            round=nothing[:, 0, 0],
            values=values,
            optimum=self.fairness.optimum(values)[1],
            sums=nothing,
            counts=nothing,
            matched=identity + constant(own, identity),
            asked=identity - 1,
            experience=nothing[..., 0],
            payoffs=nothing[..., 0],
            regret=nothing[:, 0, 0],
            burnt=nothing[..., 0],
        )

    def draw(self, batch: int, rng: Rng) -> Draws:
        """Draw the uniform numbers below which a true value makes an experience of 1."""
        return {"noise": uniform(rng, (batch, self.participants))}

    def outcome(self, state: OnlineState, actions: Array) -> Array:
        """Return answers (B, P); or the item of each agent, then the item that each participant is asked about.

        The latter is (B, n + P), -1 for a participant who is not asked; with payments (B, n + P + n), what is burnt of
        each agent's value at the end.
        """
        sent = floats(actions, state.values)
        if self.phase(state) == "participant":
            return sent[..., 0]
        xp, n = namespace(sent), self.n
        assignment = greatest_sum(xp.reshape(sent[:, 0, : n**2], (-1, n, n)))
        scores, burnt = sent[:, 0, n**2 :], None
        if self.payments:
            scores, burnt = scores[:, :-n], scores[:, -n:]
        if self.query == "own":
            return self.decision(assignment, scores, self.fairness.matched(assignment), burnt)
        scores = xp.reshape(scores, (-1, self.participants, n))
        return self.decision(assignment, xp.max(scores, axis=-1), xp.argmax(scores, axis=-1), burnt)

    def decision(self, assignment: Array, urgency: Array, items: Array, burnt: Array | None = None) -> Array:
        """Compute the mechanism's outcome, see :meth:`outcome`: an assignment, and the most urgent questions.

        Args:
            assignment: the item of each agent, integers (B, n).
            urgency: of a question to each participant, (B, P); of equals the first is asked.
            items: the item that each would be asked about, integers (B, P); in the query mode ``own`` that which it
                has.
            burnt: what is burnt of each agent's value, (B, n), of a game with payments; None for nothing.
        """
        xp = namespace(urgency)
        rank = xp.argsort(xp.argsort(-urgency, axis=-1, stable=True), axis=-1)
        asked = xp.where(rank < self.questions, items, xp.full_like(items, -1))
        decided = xp.astype(xp.concat([assignment, asked], axis=-1), urgency.dtype)
        if not self.payments:
            return decided
        nothing = xp.zeros_like(decided[:, : self.n])
        return xp.concat([decided, nothing if burnt is None else nothing + burnt], axis=-1)

    def action_of(self, outcome: Array) -> Array:
        """Compute an action (B, 1, k) of the mechanism that has an outcome; see :meth:`outcome`."""
        xp, n, end = namespace(outcome), self.n, self.n + self.participants
        assigned, asked = (one_hot(items, n, outcome) for items in (outcome[:, :n], outcome[:, n:end]))
        flags = asked if self.query == "any_pair" else xp.max(asked, axis=-1)
        parts = [xp.reshape(part, (outcome.shape[0], 1, -1)) for part in (assigned, flags, outcome[:, end:])]
        return xp.concat(parts, axis=-1)

    def outcome_error(self, state: OnlineState, outcome: np.ndarray) -> str | None:
        """Describe the fault of answers outside [0, 1], of no assignment, or of questions that may not be asked."""
        if self.phase(state) == "participant":
            return None if ((outcome >= 0) & (outcome <= 1)).all() else "holds answers outside [0, 1]"
        end = self.n + self.participants
        assigned, asked, burnt = outcome[:, : self.n], outcome[:, self.n : end], outcome[:, end:]
        if not (np.sort(assigned, axis=-1) == np.arange(self.n)).all():
            return f"gives the agents the items {assigned[0]}, which has to be each of 0 to {self.n - 1} once"
        if not np.isin(asked, np.arange(-1, self.n)).all():
            return f"asks about items {asked[0]}, allowed: 0 to {self.n - 1}, or -1 for no question"
        if not ((asked >= 0).sum(axis=-1) == self.questions).all():
            return f"asks {(asked >= 0).sum(axis=-1)[0]} participants, allowed: {self.questions}"
        if not ((burnt >= 0) & (burnt <= 1)).all():
            return "burns amounts outside [0, 1]"
        own = np.asarray(self.fairness.matched(assigned.astype(np.int64)))
        if self.query == "own" and ((asked >= 0) & (asked != own)).any():
            return "asks participants about what they have not got, with query='own'"
        return None

    def advance(self, state: OnlineState, outcome: Array, draws: Draws) -> tuple[OnlineState, Rewards, Array, Array]:
        """Assign and ask, or take the answers; payoffs come with the answers."""
        xp, nobody = namespace(state.values), state.round < 0
        if self.phase(state) == "mechanism":
            end = self.n + self.participants
            whole = xp.astype(outcome[:, :end], xp.int64)
            asked = whole[:, self.n :]
            likely = at_items(state.values, xp.maximum(asked, xp.zeros_like(asked)))
            good = (floats(draws["noise"], likely) < likely) & (asked >= 0)
            after = evolve(
                state,
                turn=1,
                matched=self.fairness.matched(whole[:, : self.n]),
                asked=asked,
                experience=xp.astype(good, likely.dtype),
                burnt=self._of_agents(outcome[:, end:], state.burnt) if self.payments else state.burnt,
            )
            nothing = xp.zeros_like(state.payoffs)
            return after, {"participant": nothing, "mechanism": nothing[:, :1]}, nobody, nobody
        questions = one_hot(state.asked, self.n, state.values)
        worth = self.fairness.value(state.values, state.values, state.matched[:, : self.n])
        after = evolve(
            state,
            turn=0,
            round=state.round + 1,
            sums=state.sums + questions * outcome[..., None],
            counts=state.counts + questions,
            payoffs=at_items(state.values, state.matched) - state.burnt,
            regret=xp.maximum(state.optimum - worth, xp.zeros_like(worth)),  # not below 0 by rounding
        )
        rewards = {"participant": after.payoffs, "mechanism": self.measure(after)[:, None]}
        return after, rewards, after.round >= self.rounds, nobody

    def _of_agents(self, burnt: Array, like: Array) -> Array:
        """Extend what is burnt of the agents' values, (B, n), by the items', who lose nothing, to (B, P)."""
        xp = namespace(like)
        return xp.concat([xp.astype(burnt, like.dtype), xp.zeros_like(like[:, self.n :])], axis=-1)

    # -- what is measured ---------------------------------------------------------------------------------------

    def measure(self, state: OnlineState) -> Array:
        """Compute minus the regret of the last round, (B,)."""
        return -state.regret

    def measures(self) -> dict[str, Callable[[OnlineState], Array]]:
        """Return the regret of a round, what is burnt in it, and the measures of payoffs that games share."""
        own: dict[str, Callable[[OnlineState], Array]] = {"regret": lambda state: state.regret}
        if self.payments:
            own["burnt"] = lambda state: namespace(state.burnt).sum(state.burnt, axis=-1)
        return {**own, **super().measures()}

    def regret_bound(self, t: Array | float) -> Array:
        """Compute the bound on the regret of the first t rounds that is proven for dueling bounds.

        See :func:`lawgiver.envs.solvers.online_allocation.bounds.regret_bound`.
        """
        return regret_bound(self.fairness, self.query, self.rounds, t)

    def picture(self, state: OnlineState, index: int) -> dict[str, np.ndarray]:
        """Return assignment, questions, experiences, last payoffs and regret of one game, the optimum and the round."""
        return {
            "has": np.asarray(state.matched[index], float),
            "asked about (-1: not asked)": np.asarray(state.asked[index], float),
            "experience": np.asarray(state.experience[index]),
            **({"burnt": np.asarray(state.burnt[index])} if self.payments else {}),
            "last payoffs": np.asarray(state.payoffs[index]),
            "last regret": np.asarray(state.regret[index : index + 1]),
            "value of the best assignment": np.asarray(state.optimum[index : index + 1]),
            "completed rounds": np.asarray(state.round[index : index + 1]),
        }

    def known_solutions(self) -> tuple[KnownSolution, ...]:
        """See :mod:`lawgiver.envs.online_allocation.solutions`."""
        from lawgiver.envs.online_allocation.solutions import known_solutions

        return known_solutions(self)
