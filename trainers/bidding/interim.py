"""Interim payoffs of a bidder: expectations over rivals, exact for the rivals' bids that are given.

Where values are private and independent, one thing is sold, and a bidder gets it if its bid beats the best of the
others and the reserve, the expected payoff of value v and bid b is v X(b) - P(b), with X the expected share and P the
expected payment. Of each of M draws of the rivals' bids let t be the bid to beat. Share and payment are an affine
function of b below t, another above, and something else at b = t, where ties are shared. With the draws in order of t
and prefix sums of the coefficients, X and P at any b cost a search: O(log M), after O(M log M).

No formula of a price stands here. The coefficients are read off the game's own rule: two bids above t, two below, and
t itself. That the rule has this form is then checked at other bids, and nothing is returned if it does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, evolve, namespace, take_games
from lawgiver.envs.core.errors import NoSolution
from lawgiver.envs.core.fields import columns
from lawgiver.envs.families.auction_game import AuctionGame
from lawgiver.envs.families.mechanism_game import MechanismGame, MechanismState
from lawgiver.trainers.bidding.seats import outcomes, payoffs

CHECKED = 512
"""Draws whose table is compared with the rule itself."""
TRIED = 16
"""Bids at which it is: as many in the Box, below the reserve, and at the bids to beat."""
ACCURACY = 1e-9
"""Largest deviation, as a share of the Box, in float64; of float32 the root of its precision."""


@dataclass(frozen=True)
class Interim:
    """Expected share and payment of one seat by its own bid, over M draws of what the others bid.

    Attributes:
        least: the least bid, at which a bidder stays out if it can.
        reserve: bids below it stay out.
        out: share and payment of those who stay out, (2,).
        beaten: the bids to beat, ascending, (M,).
        above: prefix sums of the share and of the payment's intercept and slope in the own bid where it beats them,
            (M + 1, 3).
        at: the same where it ties, without slope, (M + 1, 3).
        below: the same where it loses, (M + 1, 3).
    """

    least: float
    reserve: float
    out: Array
    beaten: Array
    above: Array
    at: Array
    below: Array

    def __call__(self, bids: Array) -> tuple[Array, Array]:
        """Compute X and P, of the shape of ``bids``."""
        xp, draws = namespace(bids), self.beaten.shape[0]
        flat = xp.reshape(bids, (-1,))
        lower = xp.searchsorted(self.beaten, flat, side="left")
        upper = xp.searchsorted(self.beaten, flat, side="right")
        sums = self.above[lower] + self.at[upper] - self.at[lower] + self.below[draws] - self.below[upper]
        inside = (flat >= self.reserve) & (flat > self.least)
        share = xp.where(inside, sums[:, 0] / draws, self.out[0])
        payment = xp.where(inside, (sums[:, 1] + sums[:, 2] * flat) / draws, self.out[1])
        return xp.reshape(share, bids.shape), xp.reshape(payment, bids.shape)


@dataclass(frozen=True)
class Probe:
    """The rule as seen by one seat whose rivals' bids are fixed: share and payment, each (M,), by its own bid.

    Attributes:
        game: the auction.
        state: M games that wait for bids.
        actions: everybody's bids, (M, n, 1); those of the seat do not matter.
        seat: whose bid is tried.
    """

    game: AuctionGame
    state: MechanismState
    actions: Array
    seat: int

    def __call__(self, bids: Array) -> tuple[Array, Array]:
        """Compute share and payment for own bids (M,)."""
        xp = namespace(self.actions)
        own = constant(np.arange(self.game.n) == self.seat, self.actions)[None, :, None]
        sent = xp.where(own > 0, bids[:, None, None], self.actions)
        found = outcomes(self.game, self.state, sent)[:, self.seat]
        return found[:, 0], found[:, 1]

    def line(self, low: Array, high: Array) -> Array:
        """Compute share, and intercept and slope of the payment, (M, 3), where they are affine between two bids."""
        xp = namespace(low)
        first, second = low + (high - low) * 0.25, low + (high - low) * 0.75
        share, less = self(first)
        _, more = self(second)
        gap = second - first
        slope = xp.where(gap > 0, (more - less) / xp.where(gap > 0, gap, xp.ones_like(gap)), xp.zeros_like(gap))
        return xp.stack([share, less - slope * first, slope], axis=-1)


def interim(game: MechanismGame, state: MechanismState, actions: Array, seat: int) -> Interim | NoSolution:
    """Tabulate a seat's interim share and payment against given bids of the others.

    Args:
        game: the auction.
        state: M games that wait for bids, types and w included.
        actions: everybody's bids, (M, n, 1); those of the seat do not matter.
        seat: whose payoffs are tabulated.

    Returns:
        the table, or why the rule has not the form that it needs.
    """
    if not isinstance(game, AuctionGame):
        return NoSolution(f"{game.name} is no auction, in which a share of something is paid for")
    if actions.ndim != 3 or actions.shape[-1] != 1:
        return NoSolution(f"bids in {game.name} are not one number of a Box")
    fault = _rule_fault(game, state, actions, seat) or _types_fault(game, state, actions, seat)
    if fault is not None:
        return NoSolution(f"seat {seat} of {game.name} has no payoff v X(b) - P(b) by the best bid of others: {fault}")
    return tabulated(game, state, actions, seat)


def tabulated(game: AuctionGame, state: MechanismState, actions: Array, seat: int) -> Interim:
    """Tabulate as :func:`interim` does, where it is known that the rule has the form that it needs."""
    xp = namespace(actions)
    probe = Probe(game, state, actions, seat)
    low, high = (float(end[0]) for end in game.action_bounds("participant"))
    others = xp.max(constant(np.where(np.arange(game.n) == seat, -np.inf, 0.0), actions) + actions[..., 0], axis=-1)
    reserve = max(low, _reserve(game, state))
    beaten = xp.maximum(others, xp.zeros_like(others) + reserve)
    bottom, top = xp.zeros_like(beaten), xp.zeros_like(beaten) + high
    tie = xp.stack([*probe(beaten), bottom], axis=-1)
    above, below = probe.line(beaten, top), probe.line(bottom + reserve, beaten)
    out = xp.stack([xp.mean(part) for part in probe(bottom + low)])
    order = xp.argsort(beaten)
    return Interim(low, reserve, out, beaten[order], *(_prefix_sums(piece[order]) for piece in (above, tie, below)))


def _reserve(game: AuctionGame, state: MechanismState) -> float:
    """Read the reserve, where w or the game has one."""
    place = columns(game.parameter_layout()).get("reserve")
    return float(getattr(game, "reserve", -np.inf)) if place is None else float(state.parameters[0, place][0])


def _prefix_sums(x: Array) -> Array:
    """Sum over the first 0, 1, .. M rows of x (M, 3), (M + 1, 3)."""
    xp = namespace(x)
    return xp.concat([xp.zeros_like(x[:1]), xp.cumulative_sum(x, axis=0)], axis=0)


def _rule_fault(game: AuctionGame, state: MechanismState, actions: Array, seat: int) -> str | None:
    """Compare a table of some draws with the rule itself, at random bids and at those that tie."""
    rows = slice(0, CHECKED)
    probe = Probe(game, take_games(state, rows), actions[rows], seat)
    table = tabulated(game, probe.state, probe.actions, seat)
    low, high = (float(end[0]) for end in game.action_bounds("participant"))
    rng, ones = np.random.default_rng(0), namespace(actions).ones_like(table.beaten)
    ties = [float(table.beaten[place]) for place in rng.integers(len(table.beaten), size=TRIED).tolist()]
    inside, outside = (low + (end - low) * rng.random(TRIED) for end in (high, table.reserve))
    for bid in (low, *inside, *outside, *ties):
        found = [float(part.mean()) for part in probe(bid * ones)]
        told = [float(part[0]) for part in table(bid * ones[:1])]
        if not np.allclose(found, told, rtol=0, atol=_tolerance(actions) * (high - low)):
            return f"share and payment of a bid of {float(bid):.3g} are {found[0]:.3g} and {found[1]:.3g}, not as told"
    return None


def _tolerance(like: Array) -> float:
    """Return the largest rounding error of numbers of the order of 1, in the precision of an array."""
    precision: float = namespace(like).finfo(like.dtype).eps
    return max(ACCURACY, float(precision**0.5))


def _types_fault(game: AuctionGame, state: MechanismState, actions: Array, seat: int) -> str | None:
    """Find what speaks against independent private values and payoffs that are worth less payment."""
    state, actions = take_games(state, slice(0, CHECKED)), actions[:CHECKED]
    tolerance = _tolerance(actions) * float(np.ptp(game.action_bounds("participant")))
    rng = np.random.default_rng(0)
    count, xp = state.types.shape[0], namespace(state.types)
    draws, fresh = (rng.random((count, game.n, game.type_size)) for _ in range(2))
    mine = np.arange(game.n) == seat
    chosen = [draws, np.where(mine[:, None], draws, fresh), np.where(mine[:, None], fresh, draws)]
    types, others_anew, own_anew = (game.initial_types(each) for each in chosen)
    if not ((others_anew == types)[:, mine].all() and (own_anew == types)[:, ~mine].all()):
        return "types are not independent"
    games, strangers, another = (
        evolve(state, types=constant(each, state.types)) for each in (types, others_anew, own_anew)
    )
    paid = payoffs(game, games, actions)[:, seat]
    if float(xp.max(xp.abs(paid - payoffs(game, strangers, actions)[:, seat]))) > tolerance:
        return "payoffs depend on the types of others"
    found, worth = outcomes(game, games, actions)[:, seat], game.worth(games.types)[:, seat]
    if worth.shape[-1] != 1 or float(xp.max(xp.abs(found - outcomes(game, another, actions)[:, seat]))) > tolerance:
        return "what it gets depends on its type, or is not one thing"
    if float(xp.max(xp.abs(worth[:, 0] * found[:, 0] - found[:, 1] - paid))) > tolerance:
        return "payoffs are not worth less payment"
    return None
