"""The rules of the public investment game (Koster et al. 2022; Balaguer et al. 2022, section 3.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np

from lawgiver.envs.core.arrays import (
    Array,
    Rng,
    constant,
    evolve,
    floats,
    namespace,
    select,
    softmax,
    total,
    uniform,
    zeros,
)
from lawgiver.envs.core.errors import NoSolution, ParameterError, choice, integer, number
from lawgiver.envs.core.fields import LOGIT_BOUND, Field, Layout, columns, width
from lawgiver.envs.core.game import Draws, KnownSolution, Rewards
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.core.recorded import Recorded
from lawgiver.envs.core.wording import Wording
from lawgiver.envs.families.two_modes import TwoModes
from lawgiver.envs.public_investment.endowments import CONDITIONS, checked_endowments
from lawgiver.envs.public_investment.rule_families import FAMILIES, RuleFamily
from lawgiver.envs.public_investment.state import PublicInvestmentState
from lawgiver.envs.public_investment.wording import LANGUAGES


@dataclass(frozen=True)
class PublicInvestment(TwoModes[PublicInvestmentState]):
    """Participants contribute to a common fund that grows, and the mechanism divides it among them.

    Each round every participant receives an endowment e_i and puts an integer contribution c_i in 0..e_i into a fund.
    The fund grows to ``multiplier`` * sum c, and the mechanism shares it out with weights w_i >= 0 that sum to one.
    The round's payoff is e_i - c_i + w_i * multiplier * sum c; the mechanism is paid the objective of the payoffs.
    If nobody contributes the weights are 1/n each. The game ends (terminates) after ``n_rounds`` rounds, which the
    players know.

    *allocate* mode: participants contribute, then the mechanism, which sees endowments and contributions, sends n
    logits; the weights are their softmax. *announce* mode: the mechanism moves first and announces the parameters of
    a rule out of ``rule_family``, every round or once a game; the participants observe them; the rule is applied.

    Args:
        endowments: each participant's endowment, an integer in 1..1000; or a list of such conditions, one of which
            is drawn uniformly for each game.
        n_rounds: rounds a game, >= 1.
        multiplier: growth of the fund, > 0.
        mechanism_mode: ``allocate`` or ``announce``.
        announce_every: ``round`` or ``game``.
        rule_family: ``power`` (p, q) or ``manifold`` (w, v).
        participant_observation: ``paper``: own endowment, then contributions, payouts and endowments of all in the
            last round (own first, then the others in order of their seats), the number of completed rounds and, in
            announce mode, the rule. ``rule``: own endowment and the rule.
        objective: the mechanism's reward of a round: a registered objective, such as ``log_nash_welfare``.

    Raises:
        ParameterError: if a parameter is outside its range.
    """

    endowments: tuple[int, ...] | tuple[tuple[int, ...], ...] = CONDITIONS
    n_rounds: int = 10
    multiplier: float = 1.6
    mechanism_mode: Literal["allocate", "announce"] = "allocate"
    announce_every: Literal["round", "game"] = "round"
    rule_family: str = "power"
    participant_observation: Literal["paper", "rule"] = "paper"
    objective: str = "log_nash_welfare"

    name: ClassVar[str] = "public_investment-v0"
    payoff_unit: ClassVar[str] = "points"
    summary: ClassVar[str] = "shares out a fund, or announces the rule before"
    reference: ClassVar[str] = (
        "Koster et al. 2022, Nat Hum Behav 6:1398-1407; Balaguer et al. 2022, arXiv 2202.10122, 3.1"
    )
    sum_type: ClassVar[Literal["general", "constant", "identical"]] = "general"
    budget_balanced: ClassVar[bool] = True
    horizon_known: ClassVar[bool] = True
    languages: ClassVar[tuple[str, ...]] = ("en", "de")
    reward_meaning: ClassVar[Mapping[str, str]] = {
        "participant": "the round's payoff in points, once the round is over",
        "mechanism": "the `objective` of the round's payoffs, once the round is over",
    }
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "announce": {"mechanism_mode": "announce"},
        "announce, manifold": {"mechanism_mode": "announce", "rule_family": "manifold"},
        "announce, participants see only the rule": {
            "mechanism_mode": "announce",
            "participant_observation": "rule",
        },
    }

    def __post_init__(self) -> None:
        """Check every parameter."""
        object.__setattr__(self, "endowments", checked_endowments(self.endowments))
        object.__setattr__(self, "n_rounds", integer("n_rounds", self.n_rounds, 1))
        object.__setattr__(self, "multiplier", number("multiplier", self.multiplier, "(0, inf)"))
        self.check_choices()
        choice("announce_every", self.announce_every, ("round", "game"))
        choice("rule_family", self.rule_family, FAMILIES)
        choice("participant_observation", self.participant_observation, ("paper", "rule"))
        if self.participant_observation == "rule" and not self.announces:
            raise ParameterError(
                "participant_observation='rule' needs mechanism_mode='announce': there is no rule to see"
            )

    # -- parameters in a handier shape --------------------------------------------------------------------------

    @cached_property
    def conditions(self) -> tuple[tuple[int, ...], ...]:
        """Endowments by condition, a single one included."""
        many = isinstance(self.endowments[0], tuple)
        return self.endowments if many else (self.endowments,)  # type: ignore[return-value]

    @cached_property
    def n(self) -> int:
        """Number of participants."""
        return len(self.conditions[0])

    @cached_property
    def largest_endowment(self) -> int:
        """Largest endowment of any condition."""
        return max(max(condition) for condition in self.conditions)

    @property
    def family(self) -> RuleFamily:
        """The family of rules that the mechanism announces."""
        return FAMILIES[self.rule_family]

    @cached_property
    def members(self) -> Mapping[str, tuple[float, ...]]:
        """The canonical rules that the family contains, by name, with their parameters."""
        members = dict(self.family.members)
        if self.rule_family == "manifold":
            members["strict_egalitarian"] = (1 / self.n, 1.0)
        return members

    @property
    def rule_formula(self) -> str | None:
        """The family's formula, of a mechanism that announces."""
        return self.family.formula if self.announces else None

    @property
    def recorded(self) -> Recorded | None:
        """Behaviour is recorded in allocate mode: an announced rule is no part of the records."""
        return None if self.announces else Recorded("endowments", "contributions", "payouts")

    @cached_property
    def _richest(self) -> int:
        return max(sum(condition) for condition in self.conditions)

    @cached_property
    def _seen(self) -> np.ndarray:
        """Which columns of :meth:`_public` each participant sees, in the order of its layout, (n, d)."""
        n, rule = self.n, list(range(self._n_parameters))
        if self.participant_observation == "rule":
            return np.array([[seat, *(n + k for k in rule)] for seat in range(n)])
        rows = []
        for seat in range(n):
            own_first = [seat, *(other for other in range(n) if other != seat)]
            endowments, contributions, payouts = ([block * n + other for other in own_first] for block in range(3))
            rest = [3 * n, *(3 * n + 1 + k for k in rule)]
            rows.append([seat, *contributions, *payouts, *endowments, *rest])
        return np.array(rows)

    @cached_property
    def _n_parameters(self) -> int:
        return width(self.family.layout) if self.announces else 0

    # -- the contract -------------------------------------------------------------------------------------------

    @property
    def roles(self) -> Mapping[str, int]:
        """The participants and one mechanism."""
        return {"participant": self.n, "mechanism": 1}

    @property
    def max_steps(self) -> int:
        """Two phases a round, or one after the announcement of a game-long rule."""
        return self.n_rounds + 1 if self.announces and self.announce_every == "game" else 2 * self.n_rounds

    def phase(self, state: PublicInvestmentState) -> str:
        """Return the role that acts now."""
        return "mechanism" if (state.turn == 0) is self.announces else "participant"

    def observation_layout(self, role: str) -> Layout:
        """Return the fields of an observation; amounts are in points."""
        top, n = float(self.largest_endowment), self.n
        if role == "mechanism":
            seen: Layout = (Field("endowments", n, 0, top, "points", "of each participant"),)
            if not self.announces:
                seen += (Field("contributions", n, 0, top, "points", "of each participant, in this round"),)
            return seen
        self.check_role(role)
        rule = tuple(replace(f, name=f"rule_{f.name}") for f in self.family.layout) if self.announces else ()
        own: Layout = (Field("own_endowment", 1, 0, top, "points", "own endowment"),)
        if self.participant_observation == "rule":
            return own + rule
        most = self.multiplier * self._richest
        return (
            *own,
            Field("contributions", n, 0, top, "points", "of the last round, own first", own_first=True),
            Field("payouts", n, 0, most, "points", "of the last round, own first", own_first=True),
            Field("endowments", n, 0, top, "points", "own first", own_first=True),
            Field("round", 1, 0, float(self.n_rounds), "rounds", "completed rounds"),
            *rule,
        )

    def action_layout(self, role: str) -> Layout | int:
        """Participants choose a contribution in points; the mechanism sends logits or the parameters of a rule."""
        if role == "participant":
            return self.largest_endowment + 1
        self.check_role(role)
        if self.announces:
            return self.family.layout
        return (
            Field("logits", self.n, -LOGIT_BOUND, LOGIT_BOUND, "nats", "their softmax is the participants' shares"),
        )

    def observe(self, state: PublicInvestmentState, role: str) -> Array:
        """Compute the observations of a role, (B, n_role, d)."""
        if role == "participant":
            return select(self._public(state), self._seen)
        self.check_role(role)
        if self.announces:
            return state.endowments[:, None, :]
        xp = namespace(state.endowments)
        return xp.concat([state.endowments, state.contributions], axis=-1)[:, None, :]

    def _public(self, state: PublicInvestmentState) -> Array:
        """Return everything that participants may see, side by side, (B, columns)."""
        parts = [state.endowments]
        if self.participant_observation == "paper":
            parts += [state.contributions, state.payouts, state.round[:, None]]
        return namespace(state.endowments).concat([*parts, state.rule], axis=-1)

    def legal_actions(self, state: PublicInvestmentState, role: str) -> Array | None:
        """A participant may contribute at most its endowment; the mechanism may do anything in its Box."""
        return state.legal if role == "participant" else None

    def draw_initial(self, batch: int, rng: Rng) -> Draws:
        """Draw the condition of each game where there are several."""
        return {"condition": uniform(rng, (batch,))} if len(self.conditions) > 1 else {}

    def initial_state(self, batch: int, rng: Rng) -> PublicInvestmentState:
        """Return ``batch`` games before their first round."""
        amounts = zeros(rng, (batch, self.n))
        xp = namespace(amounts)
        conditions = constant(self.conditions, like=amounts)
        draws = self.draw_initial(batch, rng)
        if draws:
            index = floats(draws["condition"] * len(self.conditions), like=amounts)
            chosen = conditions[xp.astype(xp.floor(index), xp.int64)]
        else:
            chosen = amounts + conditions[0]
        return self.initial_state_from(chosen)

    def initial_states_by_condition(self, batch: int, rng: Rng) -> Mapping[str, PublicInvestmentState]:
        """Return ``batch`` new games of each condition, by its endowments: ``10-4-4-4``."""
        nothing = zeros(rng, (batch, self.n))
        return {
            "-".join(map(str, condition)): self.initial_state_from(nothing + constant(condition, like=nothing))
            for condition in self.conditions
        }

    def initial_state_from(self, endowments: Array) -> PublicInvestmentState:
        """Return games before their first round with given endowments (B, n)."""
        xp = namespace(endowments)
        nothing = xp.zeros_like(endowments)
        return PublicInvestmentState(
            turn=0,
            round=nothing[:, 0],
            endowments=endowments,
            contributions=nothing,
            payouts=nothing,
            payoffs=nothing,
            rule=xp.broadcast_to(nothing[:, :1], (nothing.shape[0], self._n_parameters)),
            legal=constant(np.arange(self.largest_endowment + 1), like=nothing) <= endowments[:, :, None],
        )

    def outcome(self, state: PublicInvestmentState, actions: Array) -> Array:
        """Return contributions from 0 to the endowments, weights (softmax of logits), or the announced parameters."""
        if self.phase(state) == "participant":
            xp = namespace(state.endowments)
            most = xp.minimum(floats(actions, state.endowments), state.endowments)
            return xp.maximum(most, xp.zeros_like(most))
        sent = floats(actions, state.endowments)[:, 0]
        return sent if self.announces else softmax(sent)

    def outcome_error(self, state: PublicInvestmentState, outcome: np.ndarray) -> str | None:
        """Describe the fault of contributions above endowments, weights off the simplex, or a rule outside its Box."""
        if self.phase(state) == "participant":
            fine = (outcome >= 0) & (outcome <= state.endowments)
            return None if fine.all() else "holds contributions below 0 or above the endowment"
        if self.announces:
            space: Any = self.action_space("mechanism")
            announced = outcome.astype(np.float32)
            fine = (announced >= space.low) & (announced <= space.high)
            return None if fine.all() else f"holds rules outside {space}"
        fine = (outcome >= 0).all(axis=-1) & (np.abs(outcome.sum(axis=-1) - 1) <= 1e-5)
        return None if fine.all() else f"holds weights that are negative or do not sum to 1: {outcome[~fine][0]}"

    def advance(
        self, state: PublicInvestmentState, outcome: Array, draws: Draws
    ) -> tuple[PublicInvestmentState, Rewards, Array, Array]:
        """Apply contributions, weights or an announcement. Payoffs come when a round's last phase is over."""
        nobody = state.round < 0
        if state.turn == 0:
            changed = {"rule": outcome} if self.announces else {"contributions": outcome}
            nothing = namespace(state.payoffs).zeros_like(state.payoffs)
            rewards = {"participant": nothing, "mechanism": nothing[:, :1]}
            return evolve(state, turn=1, **changed), rewards, nobody, nobody
        contributions = outcome if self.announces else state.contributions
        fund = total(contributions)[:, None]
        weights = self.family.weights(state.rule, state.endowments, contributions) if self.announces else outcome
        payouts = weights * (self.multiplier * fund)
        after = evolve(
            state,
            turn=1 if self.announces and self.announce_every == "game" else 0,
            round=state.round + 1,
            contributions=contributions,
            payouts=payouts,
            payoffs=state.endowments - contributions + payouts,
        )
        rewards = {"participant": after.payoffs, "mechanism": self.measure(after)[:, None]}
        return after, rewards, after.round >= self.n_rounds, nobody

    def deficit(self, state: PublicInvestmentState) -> Array:
        """Compute payoffs less the points kept and the multiplied fund in the last round, (B,)."""
        fund = total(state.contributions)
        return total(state.payoffs) - (total(state.endowments) - fund + self.multiplier * fund)

    def picture(self, state: PublicInvestmentState, index: int) -> dict[str, np.ndarray]:
        """Return endowments, contributions, payouts and payoffs of one game in points, the round and the rule."""
        amounts = ("endowments", "contributions", "payouts", "payoffs")
        picture = {f"{name} (points)": np.asarray(getattr(state, name)[index]) for name in amounts}
        picture["completed rounds"] = np.asarray(state.round[index : index + 1])
        rule = columns(self.family.layout) if self.announces else {}
        return picture | {f"rule {name}": np.asarray(state.rule[index, at]) for name, at in rule.items()}

    def wording(self, language: str = "en") -> Wording:
        """Return the words of the game; see :mod:`lawgiver.envs.public_investment.wording`."""
        return LANGUAGES[choice("language", language, self.languages)](self)

    def exact_scores(
        self, mechanism: Policy, *, inverse_temperature: float, anchor: Policy | None = None
    ) -> dict[str, Any] | NoSolution:
        """Return the expected values of a round in the participants' logit equilibrium against a memoryless mechanism.

        Beside ``surplus``, ``log_nash_welfare`` (the sum of log(payoff + 0.001)), ``rawlsian``, the game's own
        objective and ``gini`` (the expectation of the round's Gini): ``contribution_fraction`` and ``kl`` (nats, from
        the prior), lists with one number a seat; ``residual``; and ``by_condition``, each with its ``endowments``. No
        solution where there are more than 200,000 joint contributions, participants that are alike grouped. An
        anchor is floored at 1e-4; with one, values can be above :meth:`ceiling`.
        """
        from lawgiver.envs.public_investment.one_round import exact_scores

        return exact_scores(self, mechanism, inverse_temperature, anchor)

    def ceiling(self) -> float | None:
        """Return the best value a round of the objective with rational participants, on average over conditions.

        Rational participants give only what pays. Those who are anchored to giving more are not bound by it: at
        endowments (10, 2, 2, 2) the ceiling is 7.249, and people of inverse temperature 0.05 who are used to the
        libertarian rule (its equilibrium at 5) reach 7.402 under the strict egalitarian one.
        """
        from lawgiver.envs.public_investment.solutions import ceiling

        return ceiling(self)

    def ceiling_scores(self) -> list[dict[str, float]]:
        """Return the measures of the payoffs that attain the ceiling, the most equal such, for each condition."""
        from lawgiver.envs.public_investment.solutions import ceiling_scores

        return [ceiling_scores(self, endowments) for endowments in self.conditions]

    def known_solutions(self) -> tuple[KnownSolution, ...]:
        """See :mod:`lawgiver.envs.public_investment.solutions`."""
        from lawgiver.envs.public_investment.solutions import known_solutions

        return known_solutions(self)
