"""The linear equilibrium of the double auction, and what no mechanism can surpass.

One buyer with a value v and one seller with a cost c, both uniform on [0, 1], and a market that keeps d of each trade.
The seller's ask a counts with d, as if it cost c' = c + d. Both offer linearly in the equilibrium of Chatterjee and
Samuelson (1983), here with the spread,

    b(v) = (v + k l) / (1 + k)    and    a(c') = (c' + (1 - k) h) / (2 - k),

in which l = a(d) is the lowest ask and h = b(1) the highest bid. They trade if b(v) >= a(c'): on a triangle of (v, c')
with corners (l, d), (1, d) and (1, h), over which the gains and the price are linear, so that their means are those at
its centre. Who cannot trade offers its value or cost.

With d = 0 and k = 1/2 the gains are 9/64, the most that Myerson and Satterthwaite (1983) allow of any mechanism without
a subsidy; with d = 1/3 the market keeps 1/24, the most that their broker can earn.

    >>> from lawgiver.envs.double_auction import DoubleAuction
    >>> game = DoubleAuction()
    >>> [float(equilibrium_bids(game, (0.5, 0.0), seat)(np.array(1.0))) for seat in (0, 1)]  # 2 v / 3 + 1 / 12, ...
    [0.75, 1.0]
    >>> equilibrium_outcome(game, (0.5, 0.0))["welfare"]
    0.140625

Other equilibria exist: both name one price, for instance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lawgiver.envs.core.errors import NoSolution
from lawgiver.envs.core.game import KnownSolution
from lawgiver.envs.families.auction_game import BidFunction, of_levels
from lawgiver.envs.solvers.auctions.distributions import Distribution
from lawgiver.envs.solvers.auctions.myerson import highest_values
from lawgiver.envs.solvers.equilibrium.subgame import checked_parameters

if TYPE_CHECKING:
    from lawgiver.envs.double_auction.game import DoubleAuction


def equilibrium_bids(
    game: DoubleAuction, parameters: Sequence[float] | np.ndarray, seat: int
) -> BidFunction | NoSolution:
    """Return the equilibrium bid of a seat as a function of its value or cost.

    Truth under McAfee's rule, where it is a dominant strategy; else the linear equilibrium of one buyer and one seller.

    Args:
        game: the double auction.
        parameters: the announced w, (D,).
        seat: index of the participant, 0 to n - 1.
    """
    w = checked_parameters(game, parameters)
    if (refusal := of_levels(game)) is not None:
        return refusal
    if game.pricing == "mcafee":
        return np.asarray
    if game.n > 2:
        return NoSolution(f"the equilibrium of {game.n} traders under k_double is not known in closed form")
    linear = Linear(float(w[0]), float(w[1]) / game.high)
    offer = linear.ask if game.groups[seat] else linear.bid
    return lambda values: game.high * offer(np.asarray(values) / game.high)


def equilibrium_outcome(
    game: DoubleAuction, parameters: Sequence[float] | np.ndarray
) -> Mapping[str, Any] | NoSolution:
    """Compute what the equilibrium of one buyer and one seller is worth, in expectation.

    Returns:
        ``welfare`` (the gains from trade), ``revenue``, ``trade`` (its probability), ``surplus`` of both traders, and
        ``payoff``, of the buyer and of the seller, (2,); :class:`NoSolution` with more traders, or of prices on a grid.
    """
    w = checked_parameters(game, parameters)
    if (refusal := of_levels(game)) is not None:
        return refusal
    if game.n > 2:
        return NoSolution(f"the gains of {game.n} traders are not known in closed form")
    spread = float(w[-1]) / game.high
    found = _posted(spread) if game.pricing == "mcafee" else Linear(float(w[0]), spread).outcome()
    return {name: value if name == "trade" else game.high * value for name, value in found.items()}


@dataclass(frozen=True)
class Linear:
    """The linear equilibrium under k and a spread in [0, 1], values and costs on [0, 1]."""

    k: float
    spread: float

    @property
    def lowest_ask(self) -> float:
        """l, with the spread."""
        return (self.spread * (1 + self.k) + 1 - self.k) / 2

    @property
    def highest_bid(self) -> float:
        """h."""
        return (1 + self.k * self.lowest_ask) / (1 + self.k)

    def bid(self, values: np.ndarray) -> np.ndarray:
        """Compute bids (...) for values (...)."""
        return np.asarray(np.minimum(values, (values + self.k * self.lowest_ask) / (1 + self.k)))

    def ask(self, costs: np.ndarray) -> np.ndarray:
        """Compute asks (...), without the spread, for costs (...)."""
        raised = (costs + self.spread + (1 - self.k) * self.highest_bid) / (2 - self.k)
        return np.asarray(np.maximum(costs, raised - self.spread))

    def outcome(self) -> dict[str, Any]:
        """Compute welfare, revenue, the probability of trade and payoffs."""
        low, high, spread = self.lowest_ask, self.highest_bid, self.spread
        trade = (1 - low) * (high - spread) / 2
        value, cost = (low + 2) / 3, (high + 2 * spread) / 3
        bid, ask = (value + self.k * low) / (1 + self.k), (cost + (1 - self.k) * high) / (2 - self.k)
        price = self.k * bid + (1 - self.k) * ask
        return _of_trades(trade, value, cost - spread, price, price - spread)

    def regret(self, levels: int = 257) -> float:
        """Compute the most that either side gains by another offer, over grids of types and of offers.

        The expected payoff is integrated in closed form piece by piece: an offer is uniform where its owner may trade,
        and where it may not, as it then is the value or cost itself.
        """
        grid = np.linspace(0, 1, levels)
        own, offers = grid[:, None], grid[None, :]
        costs, asks = own + self.spread, offers + self.spread
        taken = self._buyer(own, offers).max(axis=1) - self._buyer(own, self.bid(own))[:, 0]
        given = self._seller(costs, asks).max(axis=1) - self._seller(costs, self.ask(own) + self.spread)[:, 0]
        return float(max(taken.max(), given.max()))

    def _buyer(self, value: np.ndarray, bid: np.ndarray) -> np.ndarray:
        """Integrate the buyer's payoff over asks up to its bid."""
        low, high = self.lowest_ask, self.highest_bid
        ends = ((low, np.clip(bid, low, high), 2 - self.k), (high, np.maximum(bid, high), 1.0))
        parts = [
            d * (end - start) * (value - self.k * bid - (1 - self.k) * (start + end) / 2) for start, end, d in ends
        ]
        return np.asarray(sum(parts))

    def _seller(self, cost: np.ndarray, ask: np.ndarray) -> np.ndarray:
        """Integrate the seller's payoff over bids from its ask, all with the spread."""
        low, high = self.lowest_ask, self.highest_bid
        ends = ((np.clip(ask, low, high), high, 1 + self.k), (np.minimum(ask, low), low, 1.0))
        parts = [d * (end - start) * (self.k * (start + end) / 2 + (1 - self.k) * ask - cost) for start, end, d in ends]
        return np.asarray(sum(parts))


def _posted(spread: float) -> dict[str, Any]:
    """Compute the outcome of McAfee's rule with one trader a side: a price that neither of them moves."""
    price = (1 + spread) / 2
    chance = (1 - spread) / 2
    return _of_trades(chance**2, (1 + price) / 2, chance / 2, price, price - spread)


def _of_trades(trade: float, value: float, cost: float, paid: float, received: float) -> dict[str, Any]:
    """Put together an outcome from the probability of trade and the means over trades."""
    return {
        "welfare": trade * (value - cost),
        "revenue": trade * (paid - received),
        "trade": trade,
        "surplus": trade * (value - paid + received - cost),
        "payoff": trade * np.array([value - paid, received - cost]),
    }


def first_best(game: DoubleAuction) -> float:
    """Compute the expected gains from all efficient trades: the m units go to the m highest of n values and costs.

    The sum of the m highest of n uniform numbers is m (1 - (m + 1) / (2 (n + 1))) on average, and costs are m / 2.
    """
    return game.high * game.sellers * game.buyers / (2 * (game.n + 1))


def largest_welfare(game: DoubleAuction) -> float | None:
    """Compute the largest gains from trade that any rule of the game leads to, one buyer and one seller; else None."""
    if game.n > 2:
        return None
    return game.high * (9 / 64 if game.pricing == "k_double" else 1 / 8)


def largest_revenue(game: DoubleAuction) -> float | None:
    """Compute the most that the market can keep of one buyer and one seller; else None.

    Under ``k_double`` what Myerson and Satterthwaite's broker earns; under ``mcafee`` it is d (1 - d)^2 / 4 at d = 1/3.
    """
    if game.n > 2:
        return None
    return game.high * (1 / 24 if game.pricing == "k_double" else 1 / 27)


def known_solutions(game: DoubleAuction) -> tuple[KnownSolution, ...]:
    """List the first best, and of one buyer and one seller what each canonical rule makes of them."""
    uniform = [Distribution(0.0, game.high)] * game.n

    def gap() -> float:
        efficient = highest_values(uniform, game.sellers) - game.sellers * game.high / 2
        return abs(first_best(game) - efficient) / game.high

    known = KnownSolution(
        "gains from all efficient trades",
        "the goods go to the highest of all values and costs; residual is against quadrature",
        lambda: first_best(game),
        gap,
    )
    if game.n > 2 or game.pricing != "k_double" or of_levels(game) is not None:
        return (known,)
    return (known, *(_equilibrium(game, rule, w) for rule, w in game.members.items() if rule in game.baselines))


def _equilibrium(game: DoubleAuction, rule: str, w: Sequence[float]) -> KnownSolution:
    linear = Linear(w[0], w[1] / game.high)
    paid = "what the market keeps" if rule == "broker" else "gains from trade"
    value = linear.outcome()["revenue" if rule == "broker" else "welfare"]
    source = "Myerson and Satterthwaite 1983" if rule == "broker" else "Chatterjee and Samuelson 1983"
    return KnownSolution(
        f"{paid} in the linear equilibrium, {rule}",
        f"{source}; residual is the gain from other offers",
        lambda: game.high * value,
        linear.regret,
    )
