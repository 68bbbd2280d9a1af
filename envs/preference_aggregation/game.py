"""Preference aggregation: annotators report what replies are worth to them, and a mechanism makes a policy of it.

A policy is a distribution p over K replies, which is to stay near a reference q at a price tau. That is how a language
model is trained on people's feedback: where they disagree, the training is a mechanism, and whoever knows it may report
what it does not think. The mean of rewards is best for *regularised welfare*, mean_i <p, r_i> - tau KL(p || q), and
everybody gains by exaggerating; medians, Bradley-Terry fits (RLHF and DPO), Borda's points, the Nash lottery and others
trade welfare for less of that. With payments nothing has to be given up: MOSAIC makes the policy of the mean, and
charges everybody what the others lose by its presence.

In ``allocate`` mode the mechanism sees the feedback and sends a policy. In ``announce`` mode it announces before how
far rewards are trimmed, the temperature, and the share of MOSAIC's payments.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, ClassVar, Literal

import numpy as np

from lawgiver.envs.core.arrays import Array, Rng, constant, namespace, total, uniform
from lawgiver.envs.core.errors import (
    ParameterError,
    brief,
    choice,
    distinct_choices,
    distribution,
    integer,
    number,
)
from lawgiver.envs.core.fields import Field, Layout
from lawgiver.envs.core.game import Draws, KnownSolution, Rewards
from lawgiver.envs.families.choice_game import ChoiceGame, lottery_of
from lawgiver.envs.families.reporting_game import ReportingState
from lawgiver.envs.preference_aggregation import feedback as feedbacks
from lawgiver.envs.preference_aggregation import populations, rules
from lawgiver.envs.preference_aggregation.references import (
    MeasuredReplies,
    WrittenReplies,
    annotators_of,
    directions,
    measured_replies,
    written_replies,
)
from lawgiver.envs.solvers.preference_aggregation.mosaic import externalities
from lawgiver.envs.solvers.preference_aggregation.tilting import divergence, optimal_value, tilted
from lawgiver.envs.solvers.preference_aggregation.trimming import trimmed_mean

LARGEST_N = 1_000
"""Annotators."""
LARGEST_REPLIES = 5_000
LARGEST_PROFILE = 100_000
"""Annotators times replies."""
LARGEST_PAIRED = 50
"""Replies that are compared in pairs a finite number of times."""
REWARDS = ("uniform", "gaussian", "groups", "linear", "table", "measured", "language")
GIVEN = ("table", "measured", "language")
"""Rewards that a parameter of the same name describes."""
FAMILY = ("trim", "temperature", "charge", "weights")
HOTTEST = 10.0
COLDEST = 0.01
"""Largest announced factor on the temperature, and the one that lower ones count as."""
HEAVIEST = 2.0
"""Largest announced weight of an annotator."""

GOODHART: Mapping[str, Any] = {
    "n": 2,
    "rewards": "measured",
    "measured": {"v": (1.0, 0.0), "a": (0.4, 0.8), "w": ((1.0, 0.0), (0.0, 0.6)), "cost": 0.0, "nodes": 16},
    "tau": 0.2,
    "objective": "worth",
    "mechanism_mode": "announce",
}
"""Two measured features, of which the second is worth nothing and spoils replies. At a temperature of tau both together
are pursued too far: the peak is at 1.72 tau."""

WRITTEN: Mapping[str, Any] = {
    "model": "ngram",
    "query": "the value of",
    "briefs": ("#specialnames", "#compound", "#types"),
    "count": 20,
    "length": 12,
}
"""Three advertisers, each of whom wants a reply as one topic of Python's documentation would go on."""


@dataclass(frozen=True)
class PreferenceAggregation(ChoiceGame):
    """Annotators report rewards of replies, and a mechanism makes a policy of them, with payments or without.

    Args:
        n: number of annotators, 1 to 1,000.
        replies: number K of replies, 1 to 5,000; None for 4, or as many as what else is given has.
        reference_policy: q, K probabilities above 0, which policies are bound to; None for all alike.
        tau: temperature, > 0: the price of a nat of KL(p || q), in units of mean reward.
        rewards: where they come from: ``uniform``, independent on [0, 1]; ``gaussian``, independent, standard normal,
            cut at 4; ``groups``, everybody is of one of two groups, whose rewards are uniform on [0, 1], and adds
            ``noise`` of its own; ``linear``, theta_i . phi(y), with public features phi of length 1, and theta_i
            standard normal in each coordinate; ``table``, of annotators of a file; ``measured``, of annotators who each
            measure something of replies that are worth something else; ``language``, of advertisers to whom a language
            model writes.
        share: of the first of two groups, in [0, 1].
        noise: standard deviation of the members of a group, >= 0.
        features: number of features of ``linear`` rewards, 1 to 100.
        table: of ``table``, a CSV or Parquet file with the columns annotator, item and value, a row for each annotator
            and reply; n different annotators are drawn for each game.
        measured: of ``measured``, a mapping: replies have features y, which are worth v . y - y'Ay / 2, A with the
            diagonal a, and annotator i's reward is w_i . y. Keys ``v`` and ``a``, a number for each feature; ``w``, a
            row for each annotator; ``cost`` of weighing in what an annotator measures; ``nodes``, of a grid of replies
            along each feature, on which q is the standard normal distribution.
        language: of ``language``, a mapping: a language model writes replies to a query, and an advertiser's reward of
            one is the logarithm of how many times likelier its own brief makes it. Keys ``model``, a registered name or
            a mapping with ``name`` and its parameters; ``query``; ``briefs``, of n advertisers or more, n of whom are
            drawn for each game; and, unless they are 8, 20, true, 8 and 0: ``count`` of the replies, ``length`` in
            tokens, ``aware``, whether they are written to all briefs, ``limit`` of rewards, ``seed``.
        feedback: what the mechanism sees of a report: ``rewards``; its ``ranking``, as equally spaced rewards; or
            ``pairs``, answers to which of two replies is better, which tell rewards but for a constant.
        sharpness: beta > 0 of Bradley-Terry annotators, who prefer a to b with probability sigma(beta (r_a - r_b)).
        comparisons: of ``pairs``, how often each pair is compared, so that answers are drawn at random; None for the
            probabilities themselves.
        payments: whether annotators can be charged.
        announced: what a mechanism of ``announce`` mode announces, of ``trim``, ``temperature``, ``charge`` and
            ``weights``; None for the first three, without ``charge`` where nobody pays.
        objective: what the mechanism is paid, of true rewards: ``welfare``, their mean under the policy; ``least``;
            ``nash``; ``agreement`` (see the family); ``regularised``, welfare - tau KL(p || q); ``revenue``, the sum of
            payments; ``reference``, the mean of log q under the policy, what users of the reference keep; ``worth``, of
            measured replies, over that of the reference and less the cost of announced weights.
        mechanism_mode: ``allocate`` (logits of a policy, after the reports) or ``announce`` (a rule, before).

    Raises:
        ParameterError: if a parameter is outside its range, does not fit the others, or a file does not hold what it
            should.
    """

    n: int = 5
    replies: int | None = None
    reference_policy: Sequence[float] | None = None
    tau: float = 0.1
    rewards: str = "uniform"
    share: float = 0.6
    noise: float = 0.1
    features: int = 2
    table: str | None = None
    measured: Mapping[str, Any] | None = None
    language: Mapping[str, Any] | None = None
    feedback: str = "rewards"
    sharpness: float = 5.0
    comparisons: int | None = None
    payments: bool = True
    announced: Sequence[str] | None = None
    objective: str = "regularised"
    mechanism_mode: Literal["announce", "allocate"] = "allocate"

    name: ClassVar[str] = "preference_aggregation-v0"
    summary: ClassVar[str] = "makes a policy of annotators' feedback"
    reference: ClassVar[str] = (
        "Soumalias, Curry and Seuken 2024, Truthful Aggregation of LLMs with an Application to Online Advertising;"
        " Rafailov et al. 2023, Direct Preference Optimization; Gao, Schulman and Hilton 2023, Scaling Laws for Reward"
        " Model Overoptimization"
    )
    menu_noun: ClassVar[str] = "rankings"
    objectives: ClassVar[tuple[str, ...]] = (*ChoiceGame.objectives, "regularised", "revenue", "reference", "worth")
    relative_floor: ClassVar[float] = 1e-6  # utilities are of every size, and may be 0 or below
    measure_meanings: ClassVar[Mapping[str, str]] = {
        **ChoiceGame.measure_meanings,
        "regularised": "mean utility less tau times KL(p || q), without payments",
        "revenue": "sum of payments",
        "reference": "mean of log q under the policy, in nats",
        "divergence": "KL(p || q) of the policy to the reference, in nats",
        "worth": "mean worth of replies over that under the reference, less the cost of announced weights",
    }
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "annotators": {},
        "advertisers": {"n": 3, "replies": 50, "rewards": "gaussian", "tau": 1 / 3, "objective": "regularised"},
        "factions": {"n": 9, "replies": 4, "rewards": "groups", "objective": "least"},
        "language": {"n": 3, "rewards": "language", "language": WRITTEN, "tau": 1 / 3},
        "goodhart": {**GOODHART, "announced": ("temperature",)},
        "goodhart_features": {**GOODHART, "announced": ("weights",)},
    }
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "announce": {"mechanism_mode": "announce"},
        "without_payments": {"payments": False},
    }

    def __post_init__(self) -> None:
        """Check the parameters, read the table and lay out the replies."""
        object.__setattr__(self, "n", integer("n", self.n, 1, LARGEST_N))
        choice("rewards", self.rewards, REWARDS)
        choice("feedback", self.feedback, feedbacks.FEEDBACK)
        for name, interval in {
            "tau": "(0, inf)",
            "share": "[0, 1]",
            "noise": "[0, 1e6]",
            "sharpness": "(0, 1e6]",
        }.items():
            object.__setattr__(self, name, number(name, getattr(self, name), interval))
        object.__setattr__(self, "features", integer("features", self.features, 1, 100))
        for name in GIVEN:
            if (getattr(self, name) is None) == (self.rewards == name):
                needed = "not None" if self.rewards == name else f"None, or rewards={name!r}"
                raise ParameterError(
                    f"{name} is {brief(getattr(self, name))} with rewards={self.rewards!r}, allowed: {needed}"
                )
        self._check_replies()
        self._check_family()
        self.check_choices()
        if self.objective == "worth" and self.rewards != "measured":
            raise ParameterError(f"objective is 'worth' with rewards={self.rewards!r}, allowed: rewards='measured'")
        if self.objective == "revenue" and not self.payments:
            raise ParameterError("objective is 'revenue' with payments=False, allowed: payments=True")

    def _check_replies(self) -> None:
        """Find K, and check what has to agree with it."""
        known = self._known_replies
        if self.replies is None:
            object.__setattr__(self, "replies", 4 if known is None else known[0])
        object.__setattr__(self, "replies", integer("replies", self.replies, 1, LARGEST_REPLIES))
        if known is not None and known[0] != self.m:
            raise ParameterError(f"replies is {self.m}, but {known[1]} has {known[0]}, allowed: the same, or None")
        if self.n * self.m > LARGEST_PROFILE:
            raise ParameterError(
                f"{self.n:,} annotators and {self.m:,} replies make {self.n * self.m:,} rewards, allowed:"
                f" {LARGEST_PROFILE:,}; take replies up to {LARGEST_PROFILE // self.n:,}, or fewer annotators"
            )
        if self.reference_policy is not None:
            if self.rewards in ("measured", "language"):
                raise ParameterError(
                    f"reference_policy is given with rewards={self.rewards!r}, which has its own, allowed: None"
                )
            given = distribution("reference_policy", self.reference_policy, self.m, "for each reply")
            if min(given) == 0:
                raise ParameterError(f"reference_policy[{given.index(0)}] is 0, allowed: probabilities above 0")
            object.__setattr__(self, "reference_policy", given)
        if self.comparisons is not None:
            object.__setattr__(self, "comparisons", integer("comparisons", self.comparisons, 1, 1_000))
            if self.feedback != "pairs" or self.m > LARGEST_PAIRED:
                raise ParameterError(
                    f"comparisons is {self.comparisons} with feedback={self.feedback!r} and {self.m} replies, allowed:"
                    f" None, or feedback='pairs' and up to {LARGEST_PAIRED} replies"
                )
        if self._pool is not None and len(self._pool) < self.n:
            raise ParameterError(
                f"n is {self.n}, but there are {len(self._pool)} annotators to draw, allowed: up to {len(self._pool)}"
            )
        if self._replies_measured is not None and len(self._replies_measured.measured) != self.n:
            rows = len(self._replies_measured.measured)
            raise ParameterError(f"n is {self.n}, but measured.w has rows of {rows} annotators, allowed: n={rows}")

    @property
    def _known_replies(self) -> tuple[int, str] | None:
        """Number of replies that is given otherwise, and where."""
        if self._pool is not None:
            return self._pool.shape[1], repr(self.table) if self.written is None else "language"
        if self._replies_measured is not None:
            return len(self._replies_measured.features), "the grid of measured"
        given = self.reference_policy
        return (len(given), "reference_policy") if isinstance(given, (list, tuple, np.ndarray)) and len(given) else None

    def _check_family(self) -> None:
        """Check what is announced."""
        options = [name for name in FAMILY if self.payments or name != "charge"]
        given = [name for name in options if name != "weights"] if self.announced is None else self.announced
        object.__setattr__(self, "announced", distinct_choices("announced", given, options))
        if {"charge", "weights"} <= set(self._announced):
            raise ParameterError(
                "announced has both charge and weights, allowed: either, since payments are those of equal weights"
            )

    @property
    def _announced(self) -> tuple[str, ...]:
        return tuple(self.announced or ())

    @cached_property
    def _replies_measured(self) -> MeasuredReplies | None:
        return measured_replies(self.measured) if self.rewards == "measured" else None

    @cached_property
    def written(self) -> WrittenReplies | None:
        """The replies of a language model, None unless rewards are ``language``."""
        return written_replies(self.language) if self.rewards == "language" else None

    @cached_property
    def _pool(self) -> np.ndarray | None:
        """Rewards (A, K) of the annotators that are drawn from; None where rewards are made."""
        if self.written is not None:
            return self.written.rewards
        return annotators_of(str(self.table)) if self.rewards == "table" else None

    # -- replies ------------------------------------------------------------------------------------------------

    @property
    def m(self) -> int:
        """Number of replies."""
        assert self.replies is not None
        return self.replies

    @property
    def charges(self) -> bool:
        """Whether annotators can be charged."""
        return self.payments

    @cached_property
    def log_reference(self) -> np.ndarray:
        """Logarithm of the reference q, (K,)."""
        if self.written is not None:
            return self.written.log_reference
        if self._replies_measured is not None:
            return self._replies_measured.log_reference
        return np.log(np.full(self.m, 1 / self.m) if self.reference_policy is None else self.reference_policy)

    @cached_property
    def _range(self) -> tuple[float, float]:
        """Least and largest reward of a reply that an annotator can have."""
        cut = populations.CLIP
        if self.rewards == "gaussian":
            return -cut, cut
        if self.rewards == "linear":
            most = cut * float(np.abs(directions(self.m, self.features)).sum(1).max())
            return -most, most
        fixed = self._pool if self._replies_measured is None else self._replies_measured.rewards
        if fixed is None:
            return 0.0, 1.0
        low, high = float(fixed.min()), float(fixed.max())
        return (low, high) if low < high else (low, low + 1.0)

    @property
    def utility_low(self) -> float:
        """Least reward of a reply."""
        return self._range[0]

    @property
    def utility_high(self) -> float:
        """Largest reward of a reply."""
        return self._range[1]

    @property
    def payment_bound(self) -> float:
        """Range of rewards, than which MOSAIC never charges more."""
        return self.utility_high - self.utility_low

    @property
    def draw_size(self) -> int:
        """Number of uniform numbers that make an annotator's rewards."""
        if self._pool is not None:
            return math.ceil(len(self._pool) / self.n)
        sizes = {"gaussian": 2 * self.m, "groups": 4 * self.m + 1, "linear": 2 * self.features, "measured": 1}
        return sizes.get(self.rewards, self.m)

    def types_of(self, draws: Array) -> Array:
        """Return rewards (B, n, K) for numbers (B, n, d) drawn uniformly from [0, 1)."""
        if self._pool is not None:
            return populations.rows(draws, self._pool)
        if self.rewards == "gaussian":
            return populations.normal(draws)
        if self.rewards == "groups":
            return populations.grouped(draws, self.m, self.share, self.noise)
        if self.rewards == "linear":
            return populations.linear(draws, directions(self.m, self.features))
        if self._replies_measured is not None:
            return constant(self._replies_measured.rewards, draws) + 0 * draws[..., :1]
        return draws

    # -- feedback -----------------------------------------------------------------------------------------------

    def read(self, reports: Array) -> Array:
        """Return the part of reports (..., K) that the feedback tells."""
        return feedbacks.read(reports, self.feedback, *self._range)

    def menu(self) -> np.ndarray | None:
        """List all rankings, (K!, K), where that is the feedback and they are few."""
        if self.feedback != "ranking" or self.menu_absence:
            return None
        return feedbacks.rankings(self.m, *self._range)

    @property
    def menu_absence(self) -> str:
        """Why not all rankings are tried."""
        if self.feedback != "ranking" or self.m <= feedbacks.LARGEST_MENU:
            return ""
        return f"there are {self.m}! rankings, all of which are tried for up to {feedbacks.LARGEST_MENU} replies"

    @property
    def ordinal_menu(self) -> bool:
        """Whether rankings are reported and nobody pays."""
        return self.feedback == "ranking" and not self.payments

    def draw(self, batch: int, rng: Rng) -> Draws:
        """Draw the uniform numbers of the comparisons, (B, n, pairs), where their answers are random."""
        if self.comparisons is None:
            return {}
        return {"answers": uniform(rng, (batch, self.n, self.m * (self.m - 1) // 2))}

    def advance(
        self, state: ReportingState, outcome: Array, draws: Draws
    ) -> tuple[ReportingState, Rewards, Array, Array]:
        """Turn reports into answers to comparisons, where these are counted; see the family."""
        if self.comparisons is not None and self.phase(state) == "participant":
            fitted = feedbacks.judged(outcome, draws["answers"], self.sharpness, self.comparisons)
            outcome = namespace(fitted).clip(self.utility_low + fitted, self.utility_low, self.utility_high)
        return super().advance(state, outcome, draws)

    # -- rules --------------------------------------------------------------------------------------------------

    def rule_layout(self) -> Layout:
        """Return the fields of a rule that are announced."""
        fields = {
            "trim": Field("trim", 1, 0.0, 0.5, "share", "of annotators left out at either end, reply by reply"),
            "temperature": Field("temperature", 1, 0.0, HOTTEST, "factor", f"on tau, of at least {COLDEST:g}"),
            "charge": Field("charge", 1, 0.0, 1.0, "share", "of what the others lose by an annotator's presence"),
            "weights": Field("weight", self.n, 0.0, HEAVIEST, "factor", "on each annotator's rewards"),
        }
        return tuple(fields[name] for name in self._announced)

    @property
    def rule_formula(self) -> str | None:
        """Formula of the announced numbers."""
        if not self.announces:
            return None
        weighted = "weight x " if "weights" in self._announced else ""
        text = f"policy q exp(trimmed mean of {weighted}rewards / (temperature tau)) / Z"
        return f"{text}, and everybody pays charge x the others' loss" if "charge" in self._announced else text

    @property
    def members(self) -> Mapping[str, tuple[float, ...]]:
        """The known rules of the family."""
        if not self.announces:
            return {}
        known = {"mean": {}, "median": {"trim": 0.5}, "mosaic": {"charge": 1.0}}
        usual = {"trim": (0.0,), "temperature": (1.0,), "charge": (0.0,), "weights": (1.0,) * self.n}
        return {
            name: tuple(x for field in self._announced for x in ((own[field],) if field in own else usual[field]))
            for name, own in known.items()
            if set(own) <= set(self._announced)
        }

    def decide(self, parameters: Array, reports: Array) -> Array:
        """Return the policy, and any payments, (B, K + n), of announced numbers (B, D) and reports (B, n, K)."""
        at, start = {}, 0
        for field in self.rule_layout():
            at[field.name], start = parameters[:, start : start + field.size], start + field.size
        tau = self.tau * namespace(reports).clip(at["temperature"], COLDEST, None) if "temperature" in at else self.tau
        weighted = reports * at["weight"][..., None] if "weight" in at else reports
        log_reference = constant(self.log_reference, reports)
        policy = tilted(log_reference, trimmed_mean(weighted, at.get("trim", 0.0)), tau)
        if "charge" not in at:
            return self.joined(policy)
        return self.joined(policy, at["charge"] * externalities(policy, log_reference, reports, self.n * tau))

    @cached_property
    def direct_rules(self) -> Mapping[str, Callable[[Array], Array]]:
        """Rules by name, which decide by the feedback."""
        known = {name: partial(self._ruled, name) for name in rules.RULES}
        return {**known, "mosaic": self._mosaic} if self.payments else known

    def _ruled(self, name: str, reports: Array) -> Array:
        at = rules.Setting(constant(self.log_reference, reports), self.tau, self.sharpness, self.feedback == "ranking")
        return self.joined(rules.RULES[name](reports, at))

    def _mosaic(self, reports: Array) -> Array:
        log_reference = constant(self.log_reference, reports)
        policy = tilted(log_reference, namespace(reports).mean(reports, axis=1), self.tau)
        return self.joined(policy, externalities(policy, log_reference, reports, self.n * self.tau))

    @property
    def inapplicable_rules(self) -> Mapping[str, str]:
        """Rules that there are not, and what rules them out."""
        found = {} if self.payments else {"mosaic": "with payments=False"}
        if self.announces:
            of_family = f"with announced={list(self._announced)}, of whose family it is not"
            found = {name: of_family for name in (*rules.RULES, "mosaic") if name not in self.members} | found
        return found

    # -- measures -----------------------------------------------------------------------------------------------

    def social_measures(self) -> dict[str, Callable[[ReportingState], Array]]:
        """Return the measures of the family, and those of policies near a reference."""
        found = super().social_measures()
        found |= {"regularised": self._regularised, "divergence": self._divergence, "reference": self._reference}
        if self.payments:
            found["revenue"] = _revenue
        return found | ({"worth": self._worth} if self._replies_measured is not None else {})

    def _divergence(self, state: ReportingState) -> Array:
        return divergence(lottery_of(state), constant(self.log_reference, state.types))

    def _regularised(self, state: ReportingState) -> Array:
        return total(state.utilities) / self.n - self.tau * self._divergence(state)

    def _reference(self, state: ReportingState) -> Array:
        return total(lottery_of(state) * constant(self.log_reference, state.types))

    def _worth(self, state: ReportingState) -> Array:
        assert self._replies_measured is not None
        found = total(lottery_of(state) * constant(self._replies_measured.worths, state.types))
        if not self.announces or "weights" not in self._announced:
            return found
        return found - self._replies_measured.cost * total(state.parameters[:, -self.n :])

    # -- what is known ------------------------------------------------------------------------------------------

    def known_solutions(self) -> tuple[KnownSolution, ...]:
        """The greatest regularised welfare of annotators who tell the truth; and of measured replies the peak."""
        types = self.initial_state(64, np.random.default_rng(0)).types
        means = types.mean(1)
        best = tilted(self.log_reference, means, self.tau)
        attained = (best * means).sum(-1) - self.tau * divergence(best, self.log_reference)
        values = np.asarray(optimal_value(self.log_reference, means, self.tau))
        welfare = KnownSolution(
            name="greatest regularised welfare of the truth, mean of 64 profiles: the tilt by the mean reward",
            source="tau log E_q exp(r / tau); residual is the largest difference from what the policy attains",
            value=lambda: float(values.mean()),
            residual=lambda: float(np.abs(values - attained).max()),
            tolerance=1e-8,
        )
        return (welfare,) if self._replies_measured is None else (welfare, self._peak(self._replies_measured))

    def _peak(self, replies: MeasuredReplies) -> KnownSolution:
        """Declare the greatest worth of a tilt by the mean of what is measured."""
        model = replies.model(np.ones(self.n))
        distance, worth = model.peak
        temperature = float(np.linalg.norm(model.w)) / (math.sqrt(2) * distance)

        def off() -> float:
            policy = tilted(replies.log_reference, replies.rewards.mean(0), temperature)
            return abs(float(policy @ replies.worths) - worth)

        return KnownSolution(
            name=f"greatest worth of a tilt by the mean of what is measured, at temperature {temperature:.4g}",
            source="alpha^2 / 4 beta, for features that are normal; residual is the grid's distance from it",
            value=lambda: worth,
            residual=off,
            tolerance=1e-3,
        )

    # -- for people ---------------------------------------------------------------------------------------------

    def picture(self, state: ReportingState, index: int) -> dict[str, np.ndarray]:
        """Return types, reports, utilities, the policy and any payments of one game, and the divergence."""
        spent = np.asarray(self._divergence(state))[index] if state.turn > 1 else 0.0
        return super().picture(state, index) | {"divergence": np.array([spent])}


def _revenue(state: ReportingState) -> Array:
    return total(state.payments)
