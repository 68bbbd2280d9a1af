"""A divisible good over several rounds: demand falls as it is met, and prices spread it over rounds.

Participant i has an appetite theta_i of 0 .. K units and in each of T rounds asks for x_i units of a good, no more than
a ration or its appetite. The unit that finds an appetite of s units is worth ``value`` (s - 1/2): demand is linear, and
what is consumed today is not wanted tomorrow. To supply X = sum_j x_j in a round costs supply_cost X^2 / 2n, which all
bear in equal parts. So a round's utility is

    r_i = value (theta_i x_i - x_i^2 / 2) - waiting_cost (theta_i - x_i) - supply_cost X^2 / 2 n^2

and then theta_i' = theta_i - x_i, a unit more with probability ``recovery`` if that is below K. Impatient participants
all ask at once, when supply is dearest. The mechanism announces prices w_1 .. w_T by round, and how they rise with the
quantity: x_i units cost w_t x_i + w_{T+1} x_i^2 / 2 in round t. Everybody gets what it asks for: the allocation rule
has no parameters, the mechanism is its transfer rule. Think of empty car batteries and a grid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np

from lawgiver.envs.core.arrays import Array, Rng, constant, floats, namespace, total, uniform
from lawgiver.envs.core.errors import ParameterError, choice, integer, number, sums_to_one
from lawgiver.envs.core.fields import Field, Layout
from lawgiver.envs.core.game import LARGEST_SEATS, Draws, KnownSolution
from lawgiver.envs.divisible_good import solutions
from lawgiver.envs.divisible_good.subgame import DivisibleGoodSubgame
from lawgiver.envs.families.mechanism_game import MechanismGame, MechanismState

LARGEST_APPETITE = 100
"""Largest appetite in units."""
LARGEST_TABLE = 500_000
"""Rounds times pairs of appetite and quantity up to which the exact solvers end."""
OBJECTIVES = ("local", "full")
PRICES = ("round", "flat")


@dataclass(frozen=True)
class DivisibleGood(MechanismGame):
    """Consumers of a good whose marginal cost of supply rises with the round's demand.

    The mechanism announces its prices once; in each round every participant sees its appetite, the round and the
    prices, and asks for a quantity.

    Args:
        n: number of participants, >= 2.
        rounds: T, >= 1.
        appetite: K, the largest appetite, in units of the good, >= 1.
        ration: the most that can be asked for in a round, 1 to K units.
        value: slope of marginal utility in units: its fall from one unit to the next, > 0.
        waiting_cost: cost per round of a unit wanted and not consumed, >= 0.
        supply_cost: what a unit more for everybody adds to the marginal cost of supply, >= 0.
        recovery: probability that an appetite grows by one unit after a round, in [0, 1].
        opening: probabilities of the opening appetites 0 .. K, not all of them 0; None for even ones.
        prices: one price for each ``round``, or a ``flat`` one for all.
        agent_objective: what participants maximise: ``local``, what they consume, wait for and pay, so that
            everybody has a dominant strategy; ``full``, their share of the cost of supply as well.
        box: largest absolute value of a price and of the slope, > 0.
        objective: the mechanism's reward of a round: ``welfare``, the sum of utilities, or a registered objective.

    Raises:
        ParameterError: if a parameter is outside its range.
    """

    n: int = 10
    rounds: int = 3
    appetite: int = 10
    ration: int = 5
    value: float = 0.2
    waiting_cost: float = 0.2
    supply_cost: float = 0.5
    recovery: float = 0.2
    opening: Sequence[float] | None = None
    prices: Literal["round", "flat"] = "round"
    agent_objective: Literal["local", "full"] = "local"
    box: float = 2.0

    name: ClassVar[str] = "divisible_good-v0"
    summary: ClassVar[str] = "prices a good over several rounds"
    reference: ClassVar[str] = (
        "Mguni and Tomczak, Efficient Reinforcement Dynamic Mechanism Design, section 2: amounts of a divisible good "
        "acquired over multiple rounds"
    )
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "One price for all rounds": {"prices": "flat"},
        "One round": {"rounds": 1},
    }

    def __post_init__(self) -> None:
        """Check every parameter."""
        most = integer("appetite", self.appetite, 1, LARGEST_APPETITE)
        settings = {
            "n": integer("n", self.n, 2, LARGEST_SEATS),
            "rounds": integer("rounds", self.rounds, 1, LARGEST_TABLE // (most + 1) ** 2),
            "appetite": most,
            "ration": integer("ration", self.ration, 1, most),
            "value": number("value", self.value, "(0, 1e12]"),
            "waiting_cost": number("waiting_cost", self.waiting_cost, "[0, 1e12]"),
            "supply_cost": number("supply_cost", self.supply_cost, "[0, 1e12]"),
            "recovery": number("recovery", self.recovery, "[0, 1]"),
            "opening": None if self.opening is None else _distribution(self.opening, most),
            "box": number("box", self.box, "(0, inf)"),
        }
        for name, value in settings.items():
            object.__setattr__(self, name, value)
        self.check_objective()
        choice("prices", self.prices, PRICES)
        choice("agent_objective", self.agent_objective, OBJECTIVES)

    @property
    def horizon(self) -> int:
        """T."""
        return self.rounds

    @property
    def members(self) -> Mapping[str, tuple[float, ...]]:
        """No prices, and Pigouvian prices (the marginal external cost of consumption)."""
        charge = tuple(float(w) for w in solutions.pigou(self)) if self.prices == "round" else ()
        fits = charge and max(charge) <= self.box
        return {**super().members, **({"pigou": charge} if fits else {})}

    # -- types, announcements, w --------------------------------------------------------------------------------

    @property
    def type_size(self) -> int:
        """The appetite."""
        return 1

    def type_layout(self) -> Layout:
        """Return the field of the appetite."""
        return (Field("appetite", 1, 0, self.appetite, "units", "how much of the good the participant still wants"),)

    def parameter_layout(self) -> Layout:
        """Return the prices by round (or the one for all), and the slope."""
        count = self.rounds if self.prices == "round" else 1
        when = f"rounds 1 to {count}" if count > 1 else "every round"
        return (
            Field("prices", count, -self.box, self.box, "utility a unit", f"price of the good in {when}"),
            Field("slope", 1, -self.box, self.box, "utility a unit^2", "by how much the price rises with each unit"),
        )

    @property
    def rule_names(self) -> tuple[str, ...]:
        """A price by round, or one for all, and the slope."""
        by_round = self.prices == "round"
        return (*((f"price_{t + 1}" for t in range(self.rounds)) if by_round else ("price",)), "slope")

    @property
    def rule_formula(self) -> str | None:
        """Formula of the cost of quantities."""
        price = "price_t" if self.prices == "round" else "price"
        return f"k units in round t cost {price} k + slope k^2 / 2"

    def announcement_layout(self) -> Layout | int:
        """Participants ask for 0 to ``ration`` units."""
        return self.ration + 1

    @cached_property
    def initial_distribution(self) -> np.ndarray:
        """The distribution of initial appetites, (K + 1,)."""
        even = np.full(self.appetite + 1, 1 / (self.appetite + 1))
        return even if self.opening is None else np.array(self.opening)

    def initial_types(self, draws: Array) -> Array:
        """Return appetites (B, n, 1), by inverting their distribution function."""
        passed = draws[..., None] >= constant(np.cumsum(self.initial_distribution)[:-1], draws)
        return total(floats(passed, draws))

    def legal_actions(self, state: MechanismState, role: str) -> Array | None:
        """Mask quantities above the appetite, (B, n, ration + 1)."""
        self.check_role(role)
        if role == "mechanism":
            return None
        return constant(np.arange(self.ration + 1), state.types) <= state.types

    def outcome(self, state: MechanismState, actions: Array) -> Array:
        """Return w (B, D), or requested quantities (B, n), capped at the appetite."""
        asked = super().outcome(state, actions)
        if self.phase(state) == "mechanism":
            return asked
        return namespace(asked).minimum(asked, state.types[..., 0])

    # -- rules --------------------------------------------------------------------------------------------------

    def allocate(self, types: Array, announcements: Array, parameters: Array) -> Array:
        """Return the requested quantities, (B, n, 1)."""
        return announcements[..., None]

    def in_force(self, state: MechanismState) -> Array:
        """Return the round's price and the slope, (B, 2)."""
        if self.prices == "flat":
            return state.parameters
        now = min(state.turn, self.rounds) - 1
        return namespace(state.parameters).stack([state.parameters[:, now], state.parameters[:, -1]], axis=-1)

    def transfer(self, types: Array, allocations: Array, parameters: Array) -> Array:
        """Return minus the cost of quantities under price and slope (B, 2), (B, n)."""
        quantities = allocations[..., 0]
        return -(parameters[:, :1] * quantities + parameters[:, 1:] * quantities**2 / 2)

    def gain(self, appetites: Array, quantities: Array) -> Array:
        """Compute the gains from quantities at given appetites, before prices and the cost of supply."""
        consumed = self.value * (appetites * quantities - quantities**2 / 2)
        return consumed - self.waiting_cost * (appetites - quantities)

    def utility(self, types: Array, allocations: Array) -> Array:
        """Return the gains less an equal share of the cost of supply, (B, n)."""
        supplied = total(allocations[..., 0])[..., None]
        return self.gain(types[..., 0], allocations[..., 0]) - self.supply_cost * supplied**2 / (2 * self.n**2)

    def attributed(self, types: Array, allocations: Array, utilities: Array) -> Array:
        """Return the utility that participants maximise: the gain alone, if they are ``local``."""
        return self.gain(types[..., 0], allocations[..., 0]) if self.agent_objective == "local" else utilities

    def draw(self, batch: int, rng: Rng) -> Draws:
        """Draw the uniform numbers of the appetites' recovery."""
        return {"recovery": uniform(rng, (batch, self.n))}

    def next_types(self, types: Array, allocations: Array, draws: Draws) -> Array:
        """Return the remaining appetites (B, n, 1), some of them grown by one unit."""
        left = types - allocations
        grows = (draws["recovery"][..., None] < self.recovery) & (left < self.appetite)
        return left + floats(grows, left)

    @property
    def welfare_bounds(self) -> tuple[float, float]:
        """Outer bounds: full appetites wait at the largest cost of supply; full appetites are met for free."""
        eaten = self.value * (self.appetite * self.ration - self.ration**2 / 2)
        lost = self.waiting_cost * self.appetite + self.supply_cost * self.ration**2 / 2
        return -self.n * lost, self.n * eaten

    @property
    def welfare_scale(self) -> float:
        """The value of satisfying everybody's initial appetite."""
        return self.n * self.value * float(self.initial_distribution @ np.arange(self.appetite + 1) ** 2) / 2

    # -- exact solutions --------------------------------------------------------------------------------------

    @cached_property
    def subgame(self) -> DivisibleGoodSubgame:
        """The consumers' subgame in tables."""
        return DivisibleGoodSubgame(self)

    @cached_property
    def plan(self) -> solutions.Plan:
        """The planner's optimum."""
        return solutions.planner(self)

    def optimum(self) -> float:
        """Return the largest welfare of a common policy that depends on the own appetite alone."""
        return float(self.subgame.welfare(self.plan.policy))

    def known_solutions(self) -> tuple[KnownSolution, ...]:
        """The planner's optimum by its duality gap, and the prices that make rational participants follow it."""
        scale = self.welfare_scale
        known = KnownSolution(
            name="welfare at the planner's optimum",
            source="concave programme over how often each appetite gets each quantity; residual is the duality gap",
            value=self.optimum,
            residual=lambda: self.n * self.plan.gap / scale,
        )
        if "pigou" not in self.members:
            return (known,)
        charge = np.array(self.members["pigou"])
        return (
            known,
            KnownSolution(
                name="price of the first unit in the first round that is worth what it costs others",
                source="marginal external cost at the planner's optimum; residual is the regret of who follows it",
                value=lambda: float(charge[0]),
                residual=lambda: solutions.regret(self, charge, self.plan.policy) / scale,
            ),
        )


def _distribution(given: Sequence[float], most: int) -> tuple[float, ...]:
    told = f"opening is {given!r}, allowed: the probabilities of the appetites 0 to {most}, some of them above 0"
    if isinstance(given, str) or not isinstance(given, (Sequence, np.ndarray)) or len(given) != most + 1:
        raise ParameterError(told)
    chances = tuple(number(f"opening[{i}]", chance, "[0, 1]") for i, chance in enumerate(given))
    if not sums_to_one(sum(chances)) or chances[0] == 1:
        raise ParameterError(f"{told}, that add up to 1")
    return tuple(chance / sum(chances) for chance in chances)
