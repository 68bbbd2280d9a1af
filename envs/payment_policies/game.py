"""Games with payments between learning agents: principals pay each other's agents, a mechanism sets their rules.

Two participants, the *principals*, each have an agent that plays a stage game for them, round after round, and learns
to. Before it does, each principal announces what it will pay the other one in every round in which the other's agent
plays the *trigger*, its first action: to bid nothing in an auction, to cooperate in a dilemma. The agents then learn
for T rounds, from what they are paid with the payments (:mod:`lawgiver.envs.payment_policies.dynamics`). A principal
gets the average over the last quarter of them. So the payments that are announced make a game of their own, the
*payment game*, whose equilibria are those of the principals.

The mechanism moves first: the seller's reserve and the format of its auction, or a tax on what principals pay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from lawgiver.envs.core.arrays import Array, as_numpy, constant, namespace, select
from lawgiver.envs.core.fields import Field, Layout, columns
from lawgiver.envs.core.game import KnownSolution
from lawgiver.envs.families.mechanism_game import MechanismState
from lawgiver.envs.families.revenue_game import RevenueGame
from lawgiver.envs.payment_policies import solutions
from lawgiver.envs.payment_policies.dynamics import Agents, LearnerName, averages
from lawgiver.envs.payment_policies.parameters import MENU, N_BIDS, VALUES, check, layout
from lawgiver.envs.payment_policies.stages import FORMATS, TWO_BY_TWO, Payoffs, auction_outcomes, matrix_outcomes
from lawgiver.envs.payment_policies.subgame import TABLES_MEMORY, PaymentSubgame
from lawgiver.envs.solvers.mdp.model import in_slices

TABLES = 16
"""Numbers for each joint action of a stage game while its tables are made, about."""


@dataclass(frozen=True)
class PaymentPolicies(RevenueGame):
    """Two principals who announce payments to each other's learning agents, under rules that a mechanism announced.

    The mechanism announces w, the numbers listed in ``announced``. Each principal sees w and chooses an amount of the
    menu, which its agent pays in every round in which the other's plays its first action. The agents learn for
    ``rounds`` rounds, and principals get the average payoff of the last quarter, payments included.

    Args:
        stage: the game that agents play: ``second_price`` or ``first_price``, an auction of one item;
            ``prisoners_dilemma``, ``stag_hunt``, ``chicken``, ``battle_of_the_sexes`` or ``matching_pennies``; or the
            payoffs of any game of two participants with two actions each, (2, 2, 2), by the first's action, the
            second's, and whose they are.
        values: what the item is worth to each bidder, > 0; of auctions alone.
        n_bids: number of bids, evenly from 0 to the greater value, of which none above the own value is made; of
            auctions alone.
        menu: amounts that a principal can pay a round, ascending, >= 0.
        learner: how agents learn: ``hedge``, ``multiplicative_weights`` or ``regret_matching``.
        learning_rate: eta of the first two, per unit of payoff; > 0.
        rounds: T, for how many rounds agents learn, 4 to 1,000,000.
        announced: what the mechanism announces, one or more of ``reserve`` and ``mix``, in auctions, and ``tax``; None
            for the reserve in auctions, and the tax elsewhere.
        objective: the mechanism's reward: ``revenue``, what it is paid, taxes included; ``welfare``, what agents get is
            worth; ``surplus``, what principals get; or an objective of the entry-point group.

    Raises:
        ParameterError: if a parameter is outside its range, or does not go with another.
    """

    n: int = field(default=2, init=False)
    stage: str | Payoffs = "second_price"
    values: Sequence[float] = VALUES
    n_bids: int = N_BIDS
    menu: Sequence[float] = MENU
    learner: LearnerName = "hedge"
    learning_rate: float = 0.5
    rounds: int = 400
    announced: Sequence[str] | None = None

    name: ClassVar[str] = "payment_policies-v0"
    summary: ClassVar[str] = "sells to learning agents whose owners pay each other"
    reference: ClassVar[str] = (
        "Kolumbus, Halpern and Tardos, Paying to Do Better: Games with Payments between Learning Agents "
        "(arXiv 2405.20880)"
    )
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "Format and tax announced": {"announced": ("reserve", "mix", "tax")},
        "A two-by-two game": {"stage": "prisoners_dilemma", "menu": (0.0, 1.0, 2.1, 3.0)},
    }
    payoff_unit: ClassVar[str] = "money"
    measure_meanings: ClassVar[Mapping[str, str]] = {
        "revenue": "what the mechanism is paid, taxes included, money",
        "surplus": "what principals get, payments between them included, money",
    }
    reward_meaning: ClassVar[Mapping[str, str]] = {
        "participant": "what its agent gets less what it pays, payments between principals included: the average of a "
        "round of the last quarter, once agents have learned",
        "mechanism": "the `objective` of these rounds; `revenue` is what the seller is paid, and the tax",
    }

    def __post_init__(self) -> None:
        """Check every parameter."""
        check(self)

    # -- types, announcements, w --------------------------------------------------------------------------------

    @property
    def is_auction(self) -> bool:
        """Whether agents bid."""
        return isinstance(self.stage, str) and self.stage in FORMATS

    @cached_property
    def payoffs(self) -> Payoffs:
        """Payoffs of a two-by-two game, (2, 2, 2); not asked of auctions."""
        return TWO_BY_TWO[self.stage] if isinstance(self.stage, str) else self.stage

    @cached_property
    def bids(self) -> np.ndarray:
        """The grid of bids of an auction, (A,)."""
        return np.linspace(0.0, max(self.values), self.n_bids)

    @property
    def type_size(self) -> int:
        """The participant's number: everything else is known to both."""
        return 1

    def type_layout(self) -> Layout:
        """Return the field of the participant's number."""
        return (Field("player", 1, 0, 1, "number", "which participant this is: 0, as of the first value, or 1"),)

    def initial_types(self, draws: Array) -> Array:
        """Return the participants' numbers, (B, 2, 1)."""
        return constant(np.arange(2.0)[:, None], draws) + 0 * draws

    def parameter_layout(self) -> Layout:
        """Return the fields of what is announced."""
        return layout(self)

    @property
    def rule_formula(self) -> str | None:
        """Formula of prices and payments."""
        kept = "payments arrive less the share `tax`" if "tax" in self.announced_names else "payments arrive whole"
        if not self.is_auction:
            return kept
        weight = "mix" if "mix" in self.announced_names else f"{FORMATS[str(self.stage)]:g}"
        return f"price: m times the own bid and 1 - m times the next, at least the reserve, m = {weight}; {kept}"

    @property
    def announced_names(self) -> tuple[str, ...]:
        """Names of the numbers that the mechanism announces, in the order of w."""
        assert self.announced is not None  # filled in by the check
        return tuple(self.announced)

    @property
    def members(self) -> Mapping[str, tuple[float, ...]]:
        """The rules that announce zeros; of auctions ``no_reserve``, and by format; and ``no_payments``, taxed away."""
        plain = {"reserve": 0.0, "mix": FORMATS.get(str(self.stage), 0.0), "tax": 0.0}
        found = dict(super().members)
        if self.is_auction:
            found["no_reserve"] = self._action(plain)
        if "mix" in self.announced_names:
            found |= {name: self._action(plain | {"mix": weight}) for name, weight in FORMATS.items()}
        if "tax" in self.announced_names:
            found["no_payments"] = self._action(plain | {"tax": 1.0})
        return found

    def _action(self, w: Mapping[str, float]) -> tuple[float, ...]:
        return tuple(w[name] for name in self.announced_names)

    @property
    def baselines(self) -> tuple[str, ...]:
        """All canonical rules but the one that announces zeros, where it is among them by another name."""
        names = tuple(self.members)
        return names[1:] if self.is_auction else names

    def announcement_layout(self) -> Layout | int:
        """Principals choose an amount of the menu."""
        return len(self.menu)

    def announcements(self, actions: Array) -> Array:
        """Return the amounts (B, 2) that actions stand for."""
        xp = namespace(actions)
        return select(constant(self.menu, actions), np.arange(len(self.menu)))[xp.astype(actions, xp.int64)]

    # -- rules --------------------------------------------------------------------------------------------------

    @cached_property
    def agents(self) -> Agents:
        """The agents, with the actions that each may play."""
        legal = self.bids <= np.array(self.values)[:, None] * (1 + 1e-12) if self.is_auction else np.ones((2, 2))
        return Agents(self.learner, self.learning_rate, self.rounds, np.asarray(legal, float))

    def learned(self, parameters: Array, made: Array) -> Array:
        """Play what agents learn under each mechanism and each pair of payments.

        Args:
            parameters: w, (W, D).
            made: what each principal pays a round for the trigger, (W, P, 2), or (1, P, 2).

        Returns:
            a round on average, of each participant: worth, price, payments made, and payments received, (W, P, 2, 4).
        """
        xp = namespace(parameters)
        levy = self._announced("tax", parameters)[:, None, None]
        means = averages(self.agents, self._outcomes(parameters), made, levy)
        paid = made * xp.flip(means[..., 2], axis=-1)
        received = xp.flip(paid, axis=-1) * (1 - levy)
        return xp.concat([means[..., :2], paid[..., None], received[..., None]], axis=-1)

    def _outcomes(self, parameters: Array) -> Array:
        """Compute worth and price of all joint actions of the stage game under w (W, D), (W or 1, 2, 2, A, A)."""
        if not self.is_auction:
            return constant(matrix_outcomes(self.payoffs), parameters)
        reserve, weight = (self._announced(name, parameters) for name in ("reserve", "mix"))
        return auction_outcomes(np.array(self.values), self.bids, reserve, weight)

    def _announced(self, name: str, parameters: Array) -> Array:
        """Return one of the numbers of w (W, D), or its value where it is not announced, (W,)."""
        places = columns(self.parameter_layout())
        if name in places:
            return parameters[:, places[name].start]
        known = FORMATS.get(str(self.stage), 0.0) if name == "mix" else 0.0
        return namespace(parameters).zeros_like(parameters[:, 0]) + known

    @property
    def numbers(self) -> int:
        """Numbers that the tables of one mechanism take while they are made, about."""
        return TABLES * int(self.agents.legal.shape[-1]) ** 2

    def allocate(self, types: Array, announcements: Array, parameters: Array) -> Array:
        """Play what agents learn: worth, price, payments made and received, (B, 2, 4), for payments (B, 2) under w.

        Games in which the same is announced are played once.
        """
        xp = namespace(announcements)
        told = xp.concat([parameters, announcements], axis=-1)
        rows = as_numpy(told)
        _, first, which = np.unique(rows, axis=0, return_index=True, return_inverse=True)
        w, made = (each[self._index(first, told)] for each in (parameters, announcements))
        if len(np.unique(rows[first, : parameters.shape[-1]], axis=0)) == 1:
            found = self.learned(w[:1], made[None])[0]
        else:
            found = in_slices(
                lambda some: self.learned(w[some], made[some, None])[:, 0], len(first), self.numbers, TABLES_MEMORY
            )
        return found[self._index(which.ravel(), told)]

    def _index(self, places: np.ndarray, like: Array) -> Array:
        if type(like) is np.ndarray:
            return places
        return namespace(like).asarray(places, device=like.device)

    def transfer(self, types: Array, allocations: Array, parameters: Array) -> Array:
        """Compute what participants receive less what they pay, to each other and to the mechanism, (B, 2)."""
        return allocations[..., 3] - allocations[..., 2] - allocations[..., 1]

    def infos(self, state: MechanismState) -> Mapping[str, Array]:
        """List the worth of the joint actions and payments on balance, (B, 2) each, and revenue, (B,).

        Payments include those between principals; all are of the last round, zeros before there is one.
        """
        return {"utilities": state.utilities, "payments": 0 - state.transfers, "revenue": self.revenue(state)}

    def utility(self, types: Array, allocations: Array) -> Array:
        """Return the worth of the joint actions that are played, (B, 2)."""
        return allocations[..., 0]

    @cached_property
    def welfare_bounds(self) -> tuple[float, float]:
        """Bounds: nothing sold, or the item with who values it most; or the sums of payoffs, and 0 within them."""
        if self.is_auction:
            return 0.0, max(self.values)
        sums = np.array(self.payoffs).sum(axis=-1)
        return min(float(sums.min()), 0.0), max(float(sums.max()), 0.0)

    @cached_property
    def welfare_scale(self) -> float:
        """The greater value; of a two-by-two game, the sizes of payoffs or how they differ, whichever is larger."""
        if self.is_auction:
            return max(self.values)
        table = np.array(self.payoffs)
        return float(max(np.abs(table).max(), np.ptp(table))) or 1.0

    # -- exact solutions ----------------------------------------------------------------------------------------

    @cached_property
    def subgame(self) -> PaymentSubgame:
        """The payment game in tables."""
        return PaymentSubgame(self)

    def first_best(self) -> float:
        """Return the largest welfare of a joint action."""
        return max(self.values) if self.is_auction else float(np.array(self.payoffs).sum(axis=-1).max())

    def references(self) -> Mapping[str, Mapping[str, float | None]]:
        """The first best; it bounds revenue in auctions too, where nobody need pay, or bids more than its value."""
        best = {"first_best": self.first_best()}
        return {"welfare": best, "surplus": best, **({"revenue": best} if self.is_auction else {})}

    def known_solutions(self) -> tuple[KnownSolution, ...]:
        """Equilibria of the payment game under each baseline; of a two-by-two game, the payments that turn it."""
        return solutions.known_solutions(self)
