"""Firms that set prices round after round, and a regulator of their market who announces how.

Firms sell differentiated products to consumers of logit demand (:mod:`lawgiver.envs.price_competition.demand`). Each
chooses among ``n_prices`` prices, from a little below those of the Nash equilibrium of a single round to a little above
those of a monopoly, at which the joint profit is largest, and sees what all of them asked in the last round. Whether
firms that learn from their profits alone come to ask more than in the Nash equilibrium, and what keeps them there, is
the question of Calvano et al. 2020; what a regulator, who moves first, can do about it is that of Johnson et al. 2023.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np

from lawgiver.envs.core.arrays import Array, Rng, constant, evolve, floats, namespace, select, total, uniform, zeros
from lawgiver.envs.core.fields import Field, Layout, columns
from lawgiver.envs.core.game import Draws, Game, KnownSolution, Rewards
from lawgiver.envs.price_competition.demand import Demand, logit_demand, steered_demand
from lawgiver.envs.price_competition.parameters import ANNOUNCED, FORMULAS, check, layout
from lawgiver.envs.price_competition.solutions import Market, monopoly_prices, nash_prices


@dataclass(frozen=True)
class PriceState:
    """State of B games.

    Attributes:
        turn: 0 before the mechanism has announced w, 1 from then on.
        round: completed rounds, (B,).
        parameters: the announced w, (B, D).
        choices: index of the price that each firm asked last, (B, n); before the first round they are drawn.
        quantities: units that each firm sold to a consumer in the last round, (B, n).
        refund: tax that consumers paid in the last round and got back, (B,).
        surplus: consumers' surplus of the last round, the refund included, (B,).
        payoffs: profits of the last round, (B, n).
    """

    turn: int
    round: Array
    parameters: Array
    choices: Array
    quantities: Array
    refund: Array
    surplus: Array
    payoffs: Array

    @property
    def endowments(self) -> Array:
        """Profits of firms that sell nothing: zeros, (B, n)."""
        return namespace(self.payoffs).zeros_like(self.payoffs)


@dataclass(frozen=True)
class PriceCompetition(Game[PriceState]):
    """Firms that set prices in each of many rounds, under a regulation that the mechanism has announced.

    The mechanism announces w, the numbers listed in ``announced``, once a game. In each round every firm sees w and the
    last prices, and chooses its price; a price above the cap is charged at the cap. Consumers pay the price and the
    tax, and get the tax back as a lump sum. Sales, profits and surplus are those to one consumer, in expectation.

    Args:
        n: number of firms, 2 to 4.
        quality: a_i of the firms' products: one for all, or one a firm.
        cost: of a unit, c_i >= 0, likewise.
        outside: a_0, what a consumer gets who buys nothing.
        differentiation: mu > 0, the scale of consumers' tastes: near 0 products are near substitutes.
        discount: delta in [0, 1), the weight that a firm gives the next round's profit in this one's; rewards are not
            discounted.
        n_prices: prices that a firm can ask, evenly spaced, at least 2.
        extension: xi >= 0: with d from the Nash equilibrium's price to that of monopoly, prices begin xi d
            below the one and end xi d above the other.
        announced: what the mechanism announces, one or more of ``price_cap``, ``unit_tax``, ``steering``.
        rounds: number of rounds, >= 1.
        objective: the mechanism's reward of a round: ``consumer_surplus``, ``welfare``, that and all profits,
            ``profit``, their sum alone, or a registered objective.

    Raises:
        ParameterError: if a parameter is outside its range.
    """

    n: int = 2
    quality: float | Sequence[float] = 2.0
    cost: float | Sequence[float] = 1.0
    outside: float = 0.0
    differentiation: float = 0.25
    discount: float = 0.95
    n_prices: int = 15
    extension: float = 0.1
    announced: Sequence[str] = ("price_cap",)
    rounds: int = 20
    objective: str = "consumer_surplus"

    name: ClassVar[str] = "price_competition-v0"
    payoff_unit: ClassVar[str] = "money"
    measure_meanings: ClassVar[Mapping[str, str]] = {
        "consumer_surplus": "of a consumer, money",
        "welfare": "consumer surplus and profits, money",
        "profit": "of all firms together, money",
        "price": "mean price that is charged, money",
    }
    summary: ClassVar[str] = "caps, taxes or steers firms that set prices"
    reference: ClassVar[str] = (
        "Calvano, Calzolari, Denicolò and Pastorello 2020, Artificial Intelligence, Algorithmic Pricing, and"
        " Collusion; Johnson, Rhodes and Wildenbeest 2023, Platform Design When Sellers Use Pricing Algorithms"
    )
    sum_type: ClassVar[Literal["general", "constant", "identical"]] = "general"
    budget_balanced: ClassVar[bool] = True
    horizon_known: ClassVar[bool] = True
    objectives: ClassVar[tuple[str, ...]] = ("consumer_surplus", "welfare", "profit")
    reward_meaning: ClassVar[Mapping[str, str]] = {
        "participant": "the firm's profit, once a round",
        "mechanism": "the `objective`, once a round",
    }
    unaudited: ClassVar[str] = (
        "firms report nothing: lawgiver evaluate RUN measures what best replies to the learners of prices that"
        " the trainer q_learning has trained would gain"
    )
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "Everything announced, three unequal firms": {
            "n": 3,
            "quality": (2.0, 2.0, 1.5),
            "cost": (1.0, 1.2, 0.8),
            "announced": ANNOUNCED,
        },
    }

    def __post_init__(self) -> None:
        """Check every parameter."""
        check(self)

    # -- the market ---------------------------------------------------------------------------------------------

    @cached_property
    def market(self) -> Market:
        """Firms and consumers, without any regulation."""

        def each(value: Any) -> tuple[float, ...]:
            return (value,) * self.n if isinstance(value, float) else tuple(value)

        return Market(each(self.quality), each(self.cost), self.outside, self.differentiation)

    @cached_property
    def nash(self) -> np.ndarray:
        """Prices of the Nash equilibrium of a round without regulation, (n,)."""
        return nash_prices(self.market)

    @cached_property
    def monopoly(self) -> np.ndarray:
        """Monopoly prices: those of the largest joint profit of a round, without regulation, (n,)."""
        return monopoly_prices(self.market)

    @cached_property
    def _grid(self) -> tuple[np.ndarray, np.ndarray]:
        """The least price of each firm and the step to the next, (n,) each."""
        beyond = self.extension * (self.monopoly - self.nash)
        low, high = self.nash - beyond, self.monopoly + beyond
        return low, (high - low) / (self.n_prices - 1)

    def action_values(self) -> np.ndarray:
        """Return the prices of each firm, (n, n_prices)."""
        low, step = self._grid
        return np.asarray(low[:, None] + step[:, None] * np.arange(self.n_prices))

    @cached_property
    def largest_margin(self) -> float:
        """The largest price less cost that a firm can ask: a cap there does not bind."""
        return float((self.action_values()[:, -1] - np.array(self.market.cost)).max())

    def references(self) -> Mapping[str, Mapping[str, float | None]]:
        """List measures of a round without regulation, in Nash equilibrium and at monopoly prices."""

        def told(prices: np.ndarray) -> dict[str, float]:
            profit, surplus = float(self.market.profits(prices).sum()), float(self.market.demand(prices).surplus)
            measured = {"consumer_surplus": surplus, "welfare": surplus + profit, "profit": profit}
            return {**measured, "price": float(prices.mean())}

        nash, monopoly = told(self.nash), told(self.monopoly)
        return {name: {"nash": nash[name], "monopoly": monopoly[name]} for name in nash}

    # -- who does and sees what ---------------------------------------------------------------------------------

    @property
    def members(self) -> Mapping[str, tuple[float, ...]]:
        """The market without regulation, and where prices are capped the cap at cost."""
        free = {"price_cap": self.largest_margin, "unit_tax": 0.0, "steering": 0.0}
        named = {"no_mechanism": tuple(free[name] for name in self.announced)}
        if "price_cap" in self.announced:
            named["price_at_cost"] = (0.0,) * len(self.announced)
        return named

    @property
    def rule_formula(self) -> str | None:
        """Formula of what is announced."""
        return "; ".join(FORMULAS[name] for name in self.announced)

    @property
    def roles(self) -> Mapping[str, int]:
        """The firms and one mechanism."""
        return {"participant": self.n, "mechanism": 1}

    @property
    def max_steps(self) -> int:
        """The announcement and the rounds."""
        return 1 + self.rounds

    def phase(self, state: PriceState) -> str:
        """Return the role that acts now."""
        return "participant" if state.turn else "mechanism"

    def parameter_layout(self) -> Layout:
        """Return the fields of w."""
        return layout(self)

    def observation_layout(self, role: str) -> Layout:
        """Everybody sees the last prices, a firm its own first; firms see the round and w as well."""
        prices = self.action_values()
        low, high, n = float(prices.min()), float(prices.max()), self.n
        before = "before the first round they are drawn"
        if role == "mechanism":
            return (Field("prices", n, low, high, "money", f"last asked, by firm; {before}"),)
        self.check_role(role)
        rule = tuple(
            Field(f"rule_{field.name}", 1, field.low, field.high, field.unit, field.meaning)
            for field in self.parameter_layout()
        )
        return (
            Field("own_price", 1, low, high, "money", f"last asked; {before}"),
            Field("other_prices", n - 1, low, high, "money", "last asked by the others, by firm"),
            Field("round", 1, 0, self.rounds, "rounds", "completed rounds"),
            *rule,
        )

    def action_layout(self, role: str) -> Layout | int:
        """The mechanism announces w; firms choose a price by its index, from the least."""
        self.check_role(role)
        return self.parameter_layout() if role == "mechanism" else self.n_prices

    def observe(self, state: PriceState, role: str) -> Array:
        """Compute the observations of a role, (B, n_role, d)."""
        asked = self._asked(state.choices)
        if role == "mechanism":
            return asked[:, None, :]
        self.check_role(role)
        xp, n = namespace(asked), self.n
        own_first = np.array([[i, *(j for j in range(n) if j != i)] for i in range(n)])
        shared = xp.concat([state.round[:, None], state.parameters], axis=-1)[:, None, :]
        shared = xp.broadcast_to(shared, (shared.shape[0], n, shared.shape[-1]))
        return xp.concat([select(asked, own_first), shared], axis=-1)

    def last_actions(self, obs: Array) -> Array:
        """Read the index of the price that each firm asked last, integers (B, n), from firms' observations."""
        xp = namespace(obs)
        low, step = self._grid
        places = (obs[:, 0, : self.n] - constant(low, obs)) / constant(step, obs)
        return xp.astype(xp.clip(xp.round(places), 0, self.n_prices - 1), xp.int64)

    # -- the dynamics -------------------------------------------------------------------------------------------

    def draw_initial(self, batch: int, rng: Rng) -> Draws:
        """Draw the prices before the first round."""
        return {"choices": uniform(rng, (batch, self.n))}

    def initial_state(self, batch: int, rng: Rng) -> PriceState:
        """Return ``batch`` games before the mechanism's announcement."""
        drawn = self.draw_initial(batch, rng)["choices"]
        nothing, none = zeros(rng, (batch, self.n)), zeros(rng, (batch,))
        w = zeros(rng, (batch, len(self.announced)))
        choices = namespace(drawn).floor(drawn * self.n_prices)
        return PriceState(0, none, w, choices, nothing, none, none, nothing)

    def outcome(self, state: PriceState, actions: Array) -> Array:
        """Return w (B, D), or the firms' choices (B, n) as numbers."""
        sent = floats(actions, state.payoffs)
        return sent if self.phase(state) == "participant" else sent[:, 0]

    def outcome_error(self, state: PriceState, outcome: np.ndarray) -> str | None:
        """Describe the fault of choices that are no index of a price; None if there is none."""
        if self.phase(state) == "mechanism":
            return None
        there = (outcome >= 0) & (outcome < self.n_prices) & (outcome == np.floor(outcome))
        return None if there.all() else f"holds choices other than 0 to {self.n_prices - 1}"

    def advance(self, state: PriceState, outcome: Array, draws: Draws) -> tuple[PriceState, Rewards, Array, Array]:
        """Take w, or play a round."""
        nobody = state.round < 0
        if state.turn == 0:
            nothing = namespace(state.payoffs).zeros_like(state.payoffs)
            rewards = {"participant": nothing, "mechanism": nothing[:, :1]}
            return evolve(state, turn=1, parameters=outcome), rewards, nobody, nobody
        charged, demand = self.sales(outcome, state.parameters)
        refund = self._announced("unit_tax", state.parameters) * total(demand.quantities)
        played = evolve(
            state,
            round=state.round + 1,
            choices=outcome,
            quantities=demand.quantities,
            refund=refund,
            surplus=demand.surplus + refund,
            payoffs=(charged - constant(self.market.cost, charged)) * demand.quantities,
        )
        rewards = {"participant": played.payoffs, "mechanism": self.measure(played)[:, None]}
        return played, rewards, played.round >= self.rounds, nobody

    def sales(self, choices: Array, parameters: Array) -> tuple[Array, Demand]:
        """Compute the prices that are charged (B, n), and demand, for choices (B, n) under w (B, D)."""
        xp, quality = namespace(choices), constant(self.market.quality, choices)
        charged = self._asked(choices)
        if "price_cap" in self.announced:
            cap = constant(self.market.cost, choices) + self._announced("price_cap", parameters)[:, None]
            charged = xp.where(charged > cap, cap, charged)
        gains = quality - charged - self._announced("unit_tax", parameters)[:, None]
        if "steering" not in self.announced:
            return charged, logit_demand(gains, self.outside, self.differentiation)
        steering = self._announced("steering", parameters)
        return charged, steered_demand(gains, charged, steering, self.outside, self.differentiation)

    def _asked(self, choices: Array) -> Array:
        low, step = self._grid
        return constant(low, choices) + constant(step, choices) * choices

    def _announced(self, name: str, parameters: Array) -> Array:
        """Read one of the numbers of w (B, D), (B,); 0 where it is not announced."""
        places = columns(self.parameter_layout())
        return parameters[:, places[name].start] if name in places else 0 * parameters[:, 0]

    # -- what is measured ---------------------------------------------------------------------------------------

    def own_measure(self, state: PriceState) -> Array:
        """Compute consumer surplus, welfare or profit of the last round, (B,)."""
        return self.measures()[self.objective](state)

    def measures(self) -> dict[str, Callable[[PriceState], Array]]:
        """Return consumer surplus, welfare, profit and the mean price that is asked, and the objective if another."""
        own: dict[str, Callable[[PriceState], Array]] = {
            "consumer_surplus": lambda state: state.surplus,
            "welfare": lambda state: state.surplus + total(state.payoffs),
            "profit": lambda state: total(state.payoffs),
            "price": lambda state: total(self.charged(state)) / self.n,
        }
        return own if self.objective in own else {self.objective: self.measure, **own}

    def charged(self, state: PriceState) -> Array:
        """Compute the prices that were charged in the last round, (B, n)."""
        return self.sales(state.choices, state.parameters)[0]

    def deficit(self, state: PriceState) -> Array:
        """Compute what consumers got back in the last round less the tax that they paid, (B,)."""
        return state.refund - self._announced("unit_tax", state.parameters) * total(state.quantities)

    def infos(self, state: PriceState) -> Mapping[str, Array]:
        """Return the units that each firm sold to a consumer in the last round, (B, n)."""
        return {"quantities": state.quantities}

    def picture(self, state: PriceState, index: int) -> dict[str, np.ndarray]:
        """Return prices, sales and profits of one game, and what was announced."""
        rule = {name: np.asarray(w)[None] for name, w in zip(self.announced, state.parameters[index], strict=True)}
        return {
            "price asked": np.asarray(self._asked(state.choices)[index]),
            "sold": np.asarray(state.quantities[index]),
            "profit": np.asarray(state.payoffs[index]),
            "consumer surplus": np.asarray(state.surplus[index : index + 1]),
            "completed rounds": np.asarray(state.round[index : index + 1]),
            **{f"rule {name}": value for name, value in rule.items()},
        }

    # -- what is known ------------------------------------------------------------------------------------------

    def ceiling(self) -> float | None:
        """Return consumer surplus, or welfare, at prices at cost, where a cap can bring them about.

        Firms that do not sell below cost leave consumers no more, and prices at cost make welfare largest.
        """
        cost = np.array(self.market.cost)
        loses = (self.action_values()[:, 0] < cost).any()
        if self.objective not in ("consumer_surplus", "welfare") or "price_cap" not in self.announced or loses:
            return None
        return float(self.market.demand(cost).surplus)

    def known_solutions(self) -> tuple[KnownSolution, ...]:
        """Prices and profits of the Nash equilibrium and of monopoly, checked by the slopes of profits."""

        def solution(name: str, what: str, prices: np.ndarray, slopes: np.ndarray) -> tuple[KnownSolution, ...]:
            def off() -> float:
                return float(np.abs(slopes).max())

            price, profit = float(prices[0]), float(self.market.profits(prices)[0])
            source = f"{what}; Anderson, de Palma and Thisse 1992, chapter 7"
            return (
                KnownSolution(f"price of firm 0, {name}", source, lambda: price, off),
                KnownSolution(f"profit of firm 0, {name}", source, lambda: profit, off),
            )

        own = np.diag(self.market.slopes(self.nash))
        joint = self.market.slopes(self.monopoly).sum(axis=0)
        return (
            *solution("Nash equilibrium of a round", "markup mu / (1 - q_i)", self.nash, own),
            *solution("monopoly", "markup mu / q_0", self.monopoly, joint),
        )
