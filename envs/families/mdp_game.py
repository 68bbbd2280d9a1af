"""Games in which participants report their rewards in a Markov decision process that the mechanism controls.

The participants take no action in the process: what each wants to happen is its private type. In ``announce`` mode the
mechanism announces the weights and boosts of a dynamic affine maximiser (:mod:`lawgiver.envs.solvers.mdp.affine`),
under which nobody gains by a misreport. In ``allocate`` mode it chooses any policy and any payments once it has seen
the reports.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np

from lawgiver.envs.core.arrays import Array, evolve, namespace, softmax
from lawgiver.envs.core.errors import ParameterError, choice, integer
from lawgiver.envs.core.fields import LOGIT_BOUND, Field, Layout, box, columns
from lawgiver.envs.families.ends import Ends, checked_ends, each_end
from lawgiver.envs.families.reporting_game import ReportingGame, ReportingState, simplex_error
from lawgiver.envs.solvers.auctions.distributions import MASSES, Distribution
from lawgiver.envs.solvers.mdp.affine import settle
from lawgiver.envs.solvers.mdp.model import MDP, MEMORY, check_memory, in_slices

WEIGHT_BOUND = 3.0
"""Largest absolute value of log w in an announcement: weights from 1/20 to 20."""
LARGEST_BOUND = 1e38
"""What boosts and payments stay below, which the spaces of observations and actions hold in float32."""
LARGEST_N = 1_000
"""Largest number of participants: a profile of reports poses n + 1 problems."""
LARGEST_TREE = 200_000
"""Largest number of (history, action) pairs of a tree: each has a boost."""
TYPES = ("uniform", "piecewise")


@dataclass(frozen=True)
class MDPGame(ReportingGame):
    """A Markov decision process that the mechanism controls, given the participants' reports.

    Args:
        n: number of participants.
        objective: the mechanism's reward.
        mechanism_mode: ``announce`` (log w and b of an affine maximiser, before the reports) or ``allocate`` (a policy
            and payments, after them).
        types: ``uniform``, or ``piecewise``: the density is constant on each of several pieces of equal width.
        low: least value of a type's private number: one for all, one a participant, or a rule by its number
            i = 1, ..., n, such as ``1/i``.
        high: the greatest, likewise; above ``low``.
        masses: relative probabilities of the pieces, from ``low`` to ``high``, where types are ``piecewise``.

    Raises:
        ParameterError: if a parameter is outside its range.
    """

    types: Literal["uniform", "piecewise"]
    low: Ends
    high: Ends
    masses: Sequence[float] | None

    objectives: ClassVar[tuple[str, ...]] = ("revenue", "welfare")

    def check_types(self, least: int = 1) -> None:
        """Check the number of participants, at least ``least``, their distributions, the objective and mode."""
        object.__setattr__(self, "n", integer("n", self.n, least, LARGEST_N))
        self.check_choices()
        choice("types", self.types, TYPES)
        if (self.types == "piecewise") != (self.masses is not None):
            if self.masses is None:
                raise ParameterError(f"masses is None with types='piecewise', allowed: {MASSES}")
            raise ParameterError(f"masses is {self.masses!r} with types={self.types!r}: give it with 'piecewise' alone")
        if self.masses is not None:
            masses: Any = self.masses
            Distribution(0, 1, masses)  # its own check
            object.__setattr__(self, "masses", tuple(masses))
        for end in ("low", "high"):
            object.__setattr__(self, end, checked_ends(end, getattr(self, end), self.n))
        _ = self.distributions  # their own check

    def check_tree(self, depth: int, n_actions: int) -> None:
        """Raise ParameterError if the tree of ``depth`` rounds with ``n_actions`` actions each is too large."""
        magnitude = depth * math.log10(n_actions)
        pairs = sum(n_actions ** (t + 1) for t in range(depth)) if magnitude < 15 else None
        if pairs is None or pairs > LARGEST_TREE:
            many = f"{pairs:,}" if pairs else f"more than 1e{magnitude - 0.5:.0f}"
            fits = next(t for t in range(18) if sum(n_actions ** (u + 1) for u in range(t + 1)) > LARGEST_TREE)
            raise ParameterError(
                f"{depth:,} rounds with {n_actions:,} actions in each make {many} pairs of history and action, "
                f"allowed: {LARGEST_TREE:,}; take fewer of n or m" + (f", which may be up to {fits}" if fits else "")
            )
        self.check_problem()
        self.check_bound()

    def check_problem(self) -> None:
        """Raise ParameterError if a single profile of reports takes more memory than :data:`MEMORY`.

        It poses n + 1 problems, whose rewards are held at once; n profiles of them, where payments are audited.
        """
        size = self.mdp.n_states * self.mdp.n_actions
        cure = "take fewer participants, states or actions"
        check_memory(f"a profile of {self.n:,} participants with {size:,} pairs of state and action",
                     4 * (self.n + 1) * size, MEMORY, cure)  # fmt: skip

    def check_bound(self) -> None:
        """Raise ParameterError if the bounds of boosts and payments overflow float32."""
        if not self.boost_bound < LARGEST_BOUND:
            raise ParameterError(
                f"boosts and payments go up to {self.boost_bound:g}, allowed: up to {LARGEST_BOUND:g}; take smaller"
                " units, or a lower discount"
            )

    @cached_property
    def distributions(self) -> tuple[Distribution, ...]:
        """Distribution of each participant's private numbers."""
        lows, highs = (each_end(end, self.n) for end in (self.low, self.high))
        masses = (1.0,) if self.masses is None else tuple(self.masses)
        return tuple(Distribution(low, high, masses) for low, high in zip(lows, highs, strict=True))

    @property
    def type_range(self) -> tuple[float, float]:
        """The least and the greatest private number of any participant."""
        return min(each.low for each in self.distributions), max(each.high for each in self.distributions)

    def types_of(self, draws: Array) -> Array:
        """Return types (B, n, k): drawn number by number, or whole profiles of a file."""
        return self.quantiles(draws) if self.profiles is None else self.drawn_profiles(draws)

    def quantiles(self, draws: Array) -> Array:
        """Return private numbers (B, n, d) for uniform draws of the same shape, by each participant's distribution."""
        xp = namespace(draws)
        return xp.stack([each.quantile(draws[:, i]) for i, each in enumerate(self.distributions)], axis=1)

    # -- functions of a game ------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def mdp(self) -> MDP:
        """The process."""

    @abstractmethod
    def rewards(self, types: Array) -> Array:
        """Compute each participant's rewards (B, n, S, A) for types (B, n, k).

        Linear in the types where the process is a tree.
        """

    @property
    def excluded(self) -> np.ndarray | None:
        """Which actions cannot be taken without each participant, bool (n, S, A); None if all can."""
        return None

    @property
    @abstractmethod
    def boost_bound(self) -> float:
        """Largest absolute value of a boost, of a payment likewise, in units of reward."""

    def path_measures(self, types: Array) -> Array | None:
        """Return the objective along each complete path of a tree, (B, L), or None where it depends on payments."""
        return None

    # -- rules --------------------------------------------------------------------------------------------------

    @property
    def members(self) -> Mapping[str, tuple[float, ...]]:
        """The dynamic VCG mechanism: weights of 1, no boosts."""
        return {"vcg": (0.0,) * (self.n + self.n_boosts)} if self.announces else {}

    @property
    def n_boosts(self) -> int:
        """One boost for each state and action, S A."""
        return self.mdp.n_states * self.mdp.n_actions

    @property
    def rule_formula(self) -> str | None:
        """Formula of weights and boosts."""
        return (
            "runs the process for the greatest sum of weight times reported reward, plus boosts; each pays what the"
            " others lose by it, divided by its weight"
        )

    def rule_layout(self) -> Layout:
        """Return log w, and b state by state."""
        return (
            Field("log_weights", self.n, -WEIGHT_BOUND, WEIGHT_BOUND, "log", "weights of the participants' rewards"),
            Field("boosts", self.n_boosts, -self.boost_bound, self.boost_bound, "reward",
                  "what each action in each state is worth to the mechanism, state by state"),
        )  # fmt: skip

    def decision_layout(self) -> Layout:
        """Return the logits of a policy, and the payments."""
        return (
            Field("policy_logits", math.prod(self.mdp.policy_shape), -LOGIT_BOUND, LOGIT_BOUND, "log-odds",
                  "of each action, state by state"),
            Field("payments", self.n, -self.boost_bound, self.boost_bound, "reward", "of each participant"),
        )  # fmt: skip

    def decision(self, actions: Array) -> Array:
        """Return the policy's probabilities, flattened, and the payments, (B, d)."""
        xp = namespace(actions)
        logits = xp.reshape(actions[:, : -self.n], (actions.shape[0], *self.mdp.policy_shape))
        return self.joined(softmax(logits), actions[:, -self.n :])

    def action_of(self, decision: Array) -> Array:
        """Return logits of the policy, and the payments, (B, d); both are kept within their bounds."""
        xp = namespace(decision)
        probabilities = xp.clip(decision[:, : -self.n], math.exp(-2 * LOGIT_BOUND), 1.0)
        logits = xp.log(probabilities) + LOGIT_BOUND
        payments = xp.clip(decision[:, -self.n :], -self.boost_bound, self.boost_bound)
        return xp.concat([logits, payments], axis=-1)

    def decide(self, parameters: Array, reports: Array) -> Array:
        """Compute the decision of the affine maximiser (log w, b), (B, D), for the reports."""
        xp, mdp = namespace(parameters), self.mdp
        weights = xp.exp(parameters[:, : self.n])
        boosts = xp.reshape(parameters[:, self.n :], (-1, mdp.n_states, mdp.n_actions))

        def decided(some: slice) -> Array:
            found = settle(mdp, self.rewards(reports[some]), weights[some], boosts[some], self.excluded)
            return self.joined(found.policy, found.payments)

        return self.in_slices(decided, reports.shape[0])

    def in_slices(self, function: Callable[[slice], Array], batch: int) -> Array:
        """Apply ``function`` to all profiles of a batch, in slices of bounded memory.

        Args:
            function: gives an array (N, ...) for a slice of N profiles, by their rewards and the n + 1 problems they
                pose.
            batch: number of profiles.
        """
        problem = self.mdp.n_states * self.mdp.n_actions + math.prod(self.mdp.policy_shape)
        return in_slices(function, batch, 4 * (self.n + 1) * problem, MEMORY)

    def joined(self, policy: Array, payments: Array) -> Array:
        """Return a policy (B, *policy_shape) and payments (B, n) as a decision (B, d)."""
        return namespace(payments).concat([namespace(policy).reshape(policy, (policy.shape[0], -1)), payments], axis=-1)

    def policy(self, decision: Array) -> Array:
        """Return the policy (B, *policy_shape) of a decision (B, d)."""
        return namespace(decision).reshape(decision[:, : -self.n], (decision.shape[0], *self.mdp.policy_shape))

    def settle(self, state: ReportingState, decision: Array) -> ReportingState:
        """Return the state in which the policy is run, exactly in expectation, and the payments are made."""

        def earned(some: slice) -> Array:
            occupancy = self.mdp.occupancy(self.policy(decision[some]))
            return namespace(occupancy).sum(occupancy[:, None] * self.rewards(state.types[some]), axis=(-2, -1))

        utilities = self.in_slices(earned, decision.shape[0])
        return evolve(state, utilities=utilities, payments=decision[:, -self.n :])

    def outcome_error(self, state: ReportingState, outcome: np.ndarray) -> str | None:
        """Describe the fault of a supplied mechanism's rule or policy; None if it is valid.

        Rules are held to their bounds, because participants see them.
        """
        if not self.announces:
            return simplex_error(self.policy(outcome))
        bounds, sent = box(self.rule_layout()), outcome.astype(np.float32)
        for field, at in zip(self.rule_layout(), columns(self.rule_layout()).values(), strict=True):
            wrong = outcome[:, at][(sent[:, at] < bounds.low[at]) | (sent[:, at] > bounds.high[at])]
            if wrong.size:
                return f"has {wrong[0]:g} among {field.name}, allowed: numbers in [{field.low:g}, {field.high:g}]"
        return None
