"""Equilibria of rational bidders in sealed-bid auctions, where they are known.

:func:`equilibrium_bids` returns the bid as a function of the value or signal, :func:`equilibrium_outcome` what it leads
to. Which equilibrium that is, and why:

- bidders who are alike, of independent private values: :mod:`lawgiver.envs.sealed_bid.symmetric`;
- bidders whose values have different distributions: :mod:`lawgiver.envs.sealed_bid.asymmetric`;
- signals of a common worth: :mod:`lawgiver.envs.sealed_bid.common_worth`.

Where a mechanism weighs bidders alike, quality only scales what there is to get, and a handicap is a reserve. Each
equilibrium is checked by the gain of the best deviation on a grid of bids; a generalised second-price auction, say:

    >>> from lawgiver.envs.sealed_bid import SealedBid
    >>> game = SealedBid(n=3, pricing="next", slots=(1.0, 0.5))
    >>> equilibrium_bids(game, [0.0], seat=0)(np.array([0.5, 1.0])).round(4)  # ln(1 + v)
    array([0.4055, 0.6931])
    >>> round(equilibrium_outcome(game, [0.0])["revenue"], 6)
    0.5
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from lawgiver.envs.core.arrays import Array
from lawgiver.envs.core.errors import NoSolution, integer
from lawgiver.envs.core.game import KnownSolution
from lawgiver.envs.families.auction_game import of_levels
from lawgiver.envs.sealed_bid.asymmetric import FirstPrice, SolvedFirstPrice, Truthful, UniformFirstPrice, Unrivalled
from lawgiver.envs.sealed_bid.common_worth import CommonWorth
from lawgiver.envs.sealed_bid.symmetric import Alike
from lawgiver.envs.solvers.auctions.distributions import Distribution
from lawgiver.envs.solvers.equilibrium.subgame import checked_parameters

if TYPE_CHECKING:
    from lawgiver.envs.sealed_bid.game import SealedBid

GRID = 256
"""Bids on the grid of deviations of known solutions; tests take 1,024."""


@dataclass(frozen=True)
class Equilibrium:
    """An equilibrium of rational bidders.

    Attributes:
        bids: bids (...) of values or signals (...) of a seat; 0 stays out.
        outcome: expected ``revenue``, ``welfare`` and, as ``payoff``, that of each bidder; or why they are not known.
        gain: most that a type of any bidder gains by another bid on a grid of so many.
        closed: whether it is in closed form, up to quadrature.
    """

    bids: Callable[[int, np.ndarray], np.ndarray]
    outcome: Callable[[], dict[str, Any] | NoSolution]
    gain: Callable[[int], float]
    closed: bool = True


def equilibrium_bids(
    game: SealedBid, parameters: Sequence[float] | Array, seat: int
) -> Callable[[np.ndarray], np.ndarray] | NoSolution:
    """Find the bids of rational bidders under w (D,).

    Args:
        game: the auction.
        parameters: w, (D,).
        seat: number of the bidder, from 0.

    Returns:
        A function of values or signals (...), NumPy, that returns bids (...) in money, 0 for those who stay out;
        :class:`NoSolution` where no equilibrium is known.

    Raises:
        ParameterError: if w or the seat is none.
    """
    integer("seat", seat, 0, game.n - 1)
    found = equilibrium(game, parameters)
    return found if isinstance(found, NoSolution) else partial(found.bids, seat)


def equilibrium_outcome(game: SealedBid, parameters: Sequence[float] | Array) -> dict[str, Any] | NoSolution:
    """Compute what rational bidders lead to under w (D,).

    Returns:
        Expected ``revenue``, ``welfare`` and ``surplus`` of the bidders, in money (surplus in what they maximise), and
        ``payoff``, the expected payoff of each bidder, (n,); :class:`NoSolution` where it is not known.

    Raises:
        ParameterError: if w is none.
    """
    found = equilibrium(game, parameters)
    outcome = found if isinstance(found, NoSolution) else found.outcome()
    if isinstance(outcome, NoSolution):
        return outcome
    payoffs = np.broadcast_to(np.asarray(outcome["payoff"], float), (game.n,))
    return {
        "revenue": float(outcome["revenue"]),
        "welfare": float(outcome["welfare"]),
        "surplus": float(payoffs.sum()),
        "payoff": payoffs,
    }


def equilibrium(game: SealedBid, parameters: Sequence[float] | Array) -> Equilibrium | NoSolution:
    """Find the equilibrium of rational bidders under w (D,); see the module's docstring.

    It is of bids of any size: there is none of bids that are levels, nor where it takes a bid above the game's largest.

    Raises:
        ParameterError: if w is none.
    """
    rule = _rule(game, parameters)
    found = of_levels(game) or _of_any_bids(game, rule)
    if isinstance(found, NoSolution) or (game.pricing != "skip" and game.largest_bid >= game.greatest):
        return found  # nobody bids above its value at the other prices
    tops = (
        [each.trimmed.high for each in game.distributions]
        if game.information == "private"
        else [game.greatest] * game.n
    )
    most = max(float(found.bids(seat, np.array(top))) for seat, top in enumerate(tops))
    if most > game.largest_bid + 1e-9 * game.greatest:
        return NoSolution(f"bids go up to {most:.6g} in equilibrium, above the largest bid, {game.largest_bid:.6g}")
    return found


def _of_any_bids(game: SealedBid, rule: _Rule) -> Equilibrium | NoSolution:
    """Find the equilibrium where there is no largest bid."""
    if game.information != "private":
        return _common(game, rule)
    if game.profiles is None and len(set(game.distributions)) == 1 and rule.even:
        alike = Alike(
            game.n,
            game.pricing,
            tuple(rule.sizes),
            game.distributions[0],
            rule.least[0],
            rule.fee,
            rule.own if game.pricing in ("first", "next") else None,
            1 - game.risk_aversion,
        )
        if alike.problem is not None:
            return NoSolution(alike.problem)
        return Equilibrium(lambda seat, values: alike.bids(values), alike.outcome, alike.gain)
    if rule.truthful and not rule.fee:
        return _truthful(game, rule)
    return _first_price(game, rule)


@dataclass(frozen=True)
class _Rule:
    """Terms of an auction under w.

    Attributes:
        least: least bid of each seat that takes part.
        fee: the entry fee.
        own: share of the own bid in the price, of ``first`` and ``next``.
        sizes: of the slots, times quality.
        even: whether bidders are weighed alike, and alike in quality.
        truthful: whether bidders bid their values whatever the others do, if they take part.
    """

    least: tuple[float, ...]
    fee: float
    own: float
    sizes: np.ndarray
    even: bool
    truthful: bool


def _rule(game: SealedBid, parameters: Sequence[float] | Array) -> _Rule:
    w = checked_parameters(game, parameters)
    terms = game.terms(np.asarray(w, float)[None])
    ones = np.ones(game.n)
    weights = ones if terms.weights is None else np.broadcast_to(terms.weights, (game.n, 1))[:, 0]
    shifts = 0.0 if terms.handicaps is None else np.broadcast_to(terms.handicaps, (game.n, 1))[:, 0]
    least = np.ravel(terms.reserve) / weights + shifts  # as it is: that of the rule is rounded up, to be let in
    even = bool(np.ptp(weights) == 0 and np.ptp(least) == 0 and len(set(game.qualities)) == 1)
    mix = None if terms.mix is None else float(np.ravel(terms.mix)[0])
    own = (1.0 if game.pricing == "first" else 0.0) if mix is None else mix
    sizes = game.sizes * game.qualities[0]
    neutral = not game.risk_aversion or len(set(sizes)) == 1
    priced = game.pricing == "vcg" or (game.pricing in ("first", "next") and own == 0 and len(sizes) == 1)
    fee = 0.0 if terms.entry_fee is None else float(np.ravel(terms.entry_fee)[0])
    return _Rule(tuple(float(b) for b in least), fee, own, sizes, even, priced and neutral)


def _truthful(game: SealedBid, rule: _Rule) -> Equilibrium:
    """Build the equilibrium in dominant strategies, whatever is known of the others."""

    def bids(seat: int, values: np.ndarray) -> np.ndarray:
        v = np.asarray(values, float)
        return np.where(v >= rule.least[seat], v, 0.0)

    def outcome() -> dict[str, Any] | NoSolution:
        if game.profiles is not None or not rule.even or game.risk_aversion:
            return NoSolution("outcomes of truthful bids are known of risk-neutral bidders who are weighed alike")
        return Truthful(game.distributions, tuple(rule.sizes), rule.least[0]).outcome()

    return Equilibrium(bids, outcome, lambda cells: 0.0)


def _common(game: SealedBid, rule: _Rule) -> Equilibrium | NoSolution:
    plain = rule.even and not rule.fee and not any(rule.least) and not game.risk_aversion and len(rule.sizes) == 1
    pricing = {0.0: "next", 1.0: "first"}.get(rule.own, "") if game.pricing in ("first", "next", "vcg") else ""
    if not plain or not pricing:
        return NoSolution(
            "of a common worth an equilibrium is known for one item at the first or next price, of risk-neutral bidders"
            " without reserve and fee"
        )
    found = CommonWorth(game.n, game.information, pricing)
    return Equilibrium(lambda seat, values: found.bids(values), lambda: _scaled(found.outcome(), rule), found.gain)


def _first_price(game: SealedBid, rule: _Rule) -> Equilibrium | NoSolution:
    """Find the equilibrium of a first-price auction of two bidders who differ."""
    plain = game.n == 2 and rule.even and not rule.fee and not game.risk_aversion and game.profiles is None
    if not plain or game.pricing not in ("first", "next") or rule.own != 1 or len(rule.sizes) > 1:
        return NoSolution(
            "of bidders who differ an equilibrium is known where truth is dominant, and for two of them, risk neutral,"
            " for one item at the first price without fee"
        )
    drawn = [each.trimmed for each in game.distributions]
    order = sorted((0, 1), key=lambda seat: drawn[seat].low)
    pair = (drawn[order[0]], drawn[order[1]])
    found = _of_two(pair, rule.least[0])
    if isinstance(found, NoSolution):
        return found

    def bids(seat: int, values: np.ndarray) -> np.ndarray:
        v = np.asarray(values, float)
        return np.where(v >= rule.least[0], found.bids(order.index(seat), v), 0.0)

    def outcome() -> dict[str, Any]:
        told = found.outcome()
        return _scaled(told | {"payoff": tuple(told["payoff"][order.index(seat)] for seat in (0, 1))}, rule)

    return Equilibrium(bids, outcome, found.gain, not isinstance(found, SolvedFirstPrice))


@lru_cache(maxsize=64)
def _of_two(pair: tuple[Distribution, Distribution], least: float) -> FirstPrice | NoSolution:
    """Find the first-price equilibrium of two bidders, the one with the lower lowest value first."""
    if least >= min(each.high for each in pair):
        return Unrivalled(pair, least)
    uniform = all(len(each.masses) == 1 for each in pair)
    closed = UniformFirstPrice(pair)
    if uniform and least <= closed.bottom:
        if pair[0].high > closed.bottom:
            return closed
        return NoSolution("one bidder outbids the other whatever their values are")
    if pair[0].low == pair[1].low:
        return SolvedFirstPrice(pair, least)
    return NoSolution("two bidders with different lowest values have a known equilibrium if uniform and unreserved")


def _scaled(outcome: dict[str, Any], rule: _Rule) -> dict[str, Any]:
    """Scale the outcome of one item to the size of the slot."""
    size = float(rule.sizes[0])
    payoff = tuple(size * np.atleast_1d(outcome["payoff"]))
    return {"revenue": size * outcome["revenue"], "welfare": size * outcome["welfare"], "payoff": payoff}


def _residual(game: SealedBid, solved: Equilibrium) -> float:
    return solved.gain(GRID) / game.greatest


def known(game: SealedBid) -> tuple[KnownSolution, ...]:
    """List revenue, welfare and bidders' surplus in equilibrium under each canonical rule for which it is known."""
    found: list[KnownSolution] = []
    for name in game.baselines:
        solved = equilibrium(game, game.members[name])
        if isinstance(solved, NoSolution) or not solved.closed:
            continue
        outcome = equilibrium_outcome(game, game.members[name])
        if isinstance(outcome, NoSolution):
            continue
        found += [
            KnownSolution(
                name=f"{measure} of rational bidders under {name}",
                source="equilibrium bids by quadrature; residual is the largest gain of another bid, over the greatest"
                " value",
                value=partial(float, outcome[measure]),
                residual=partial(_residual, game, solved),
            )
            for measure in ("revenue", "welfare", "surplus")
        ]
    return tuple(found)


def numerical(game: SealedBid) -> dict[str, NoSolution]:
    """List the canonical rules whose equilibrium is found by a differential equation, which is no known solution."""
    found = {name: equilibrium(game, game.members[name]) for name in game.baselines}
    reason = NoSolution("its bids are in no closed form; game.equilibrium_outcome(parameters) solves for them")
    return {
        f"equilibrium under {name}": reason
        for name, each in found.items()
        if not isinstance(each, NoSolution) and not each.closed
    }
