"""Ex interim gains: what the best bid of one who knows only its own type brings, on average over the others' types.

The search is that of ex post audits, of another rule: the payoff of a bid is its mean over M draws of the others, who
bid as they do. The draws of a profile are points of a Kronecker sequence with a random shift of its own (Cranley and
Patterson 1976): each is uniform, and together they cover the types more evenly than independent draws do. Gradients are
not used: a mean over draws has a step at every bid of a rival, and its slope in between leads away from the best bid.
Of an audit's effort half is enough, rounded up: the draws limit what is known, not the search.

The largest of such means over bids is too large on average. The best bids are therefore also judged on a second sample,
where their gain is too small on average: no bid is better than the best one. Both are reported, and the interval goes
from the lower end of the second to the upper end of the first, so that it covers the mean gain of the best bids that
the search can find at least as often as its level says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace
from lawgiver.envs.families.auction_game import AuctionGame
from lawgiver.trainers.audit.result import Audit, Regret, mean_over_profiles
from lawgiver.trainers.audit.search import Search
from lawgiver.trainers.audit.trials import Response
from lawgiver.trainers.statistics.estimate import Estimate
from lawgiver.trainers.statistics.streams import AUDIT

RIVALS = 256
"""Draws of the others' types in each of the two samples."""
LARGEST = 2**23
"""Numbers that are held of the types and bids of one sample; profiles are searched in blocks of so many."""
CASES = 2**16
"""Games in which participants bid at once."""


@dataclass(frozen=True)
class ExInterim:
    """Gains from deviations of participants who know only their own types.

    Attributes:
        payoffs: expected payoffs of what is played, over the first sample, (P, n).
        regrets: by group of fields, over the first sample: chosen by it, hence too large on average.
        held_out: gains of the same reports over the second sample, by group: too small on average, (P, n).
        rivals: draws of the others' types in each sample.
        gamed: payments where everybody plays the best reports of :attr:`joint`, (P, n); None where the mechanism is not
            paid revenue.
    """

    payoffs: np.ndarray
    regrets: Mapping[str, Regret]
    held_out: Mapping[str, np.ndarray]
    rivals: int
    gamed: np.ndarray | None = None

    @property
    def joint(self) -> Regret:
        """Regret from misreports of all fields."""
        return list(self.regrets.values())[-1]

    def gain(self, name: str) -> Estimate:
        """Estimate the mean gain of a group: that of the second sample, with an interval up to that of the first."""
        held, chosen = mean_over_profiles(self.held_out[name]), mean_over_profiles(self.regrets[name].gains)
        return Estimate(held.mean, held.standard_error, held.low, chosen.high, held.n, "normal, held out to in sample")

    def data(self, shown: Callable[[int, int, np.ndarray], dict[str, Any]]) -> dict[str, Any]:
        """Collect the results as plain data and estimates.

        Args:
            shown: own type and report by field, for the number of a profile, the participant and its report (k,).
        """
        payoff = mean_over_profiles(self.payoffs)
        return {
            "stage": "ex interim",
            "rivals": self.rivals,
            "misreports_tried": sum(regret.tried for regret in self.regrets.values()),
            "payoff": {"mean": payoff, "min": self.payoffs.min(), "max": self.payoffs.max()},
            "groups": {name: self._of_group(name, payoff.mean, shown) for name in self.regrets},
            "revenue_gamed": None if self.gamed is None else Estimate.of_samples(self.gamed.sum(1)),
        }

    def _of_group(
        self, name: str, payoff: float, shown: Callable[[int, int, np.ndarray], dict[str, Any]]
    ) -> dict[str, Any]:
        regret, held = self.regrets[name], self.held_out[name]
        gain, chosen = self.gain(name), mean_over_profiles(regret.gains)
        profile, seat = (int(at) for at in np.unravel_index(regret.gains.argmax(), regret.gains.shape))
        shares = [x / payoff if payoff > 0 else None for x in (gain.mean, *gain.ends)]
        return {
            "stage": "ex interim",
            "absolute": {"mean": gain, "in_sample": chosen, "bias": chosen.mean - gain.mean},
            "share_of_payoff": dict(zip(("mean", "low", "high"), shares, strict=True)),
            "doubling": {"absolute": regret.added.mean()},
            "tried": regret.tried,
            "worst": {
                "participant": seat,
                **shown(profile, seat, regret.reports[profile, seat]),
                "payoff": self.payoffs[profile, seat],
                "gain": held[profile, seat],
                "gain_in_sample": regret.gains[profile, seat],
            },
        }


@dataclass(frozen=True)
class Rivals:
    """Draws of all types given each participant's own, and everybody's bids.

    Attributes:
        response: the rule.
        types: expected types, by profile and the participant that knows its own, (P, n, M, n, q).
        bids: (P, n, M, n, k); what that participant bids itself is replaced where a bid is tried.
    """

    response: Response
    types: np.ndarray
    bids: np.ndarray

    def own(self, numbers: Array, reports: Array, seats: Array) -> Array:
        """Compute the mean payoffs (c,) of participants ``seats`` (c,) who bid what ``reports`` (c, n, k) say.

        Args:
            numbers: of their profiles, in place of types, (c, n, 1).
            reports: of all, of which only their own are used.
            seats: who they are.
        """
        xp = namespace(reports)
        profiles, who = np.asarray(numbers)[:, 0, 0].astype(int), np.asarray(seats)
        bid = reports[xp.arange(len(who)), seats][:, None, None, :]
        mine = constant(np.arange(self.bids.shape[1]) == who[:, None], reports)[:, None, :, None]
        sent = xp.where(mine > 0, bid, constant(self.bids[profiles, who], reports))
        return self._means(constant(self.types[profiles, who], reports), sent, mine)

    def played(self, profiles: np.ndarray, seats: np.ndarray) -> np.ndarray:
        """Compute the mean payoffs (c,) of what is played, by profile and participant (c,)."""
        mine = (np.arange(self.bids.shape[1]) == seats[:, None]).astype(float)[:, None, :, None]
        found: np.ndarray = self._means(self.types[profiles, seats], self.bids[profiles, seats], mine)
        return found

    def _means(self, types: Array, bids: Array, mine: Array) -> Array:
        """Average over M draws the payoffs of the participants that ``mine`` (c, 1, n, 1) marks by 1, others by 0."""
        xp = namespace(bids)
        cases, draws, n = bids.shape[:3]
        utilities, payments = self.response(*(xp.reshape(x, (-1, *x.shape[2:])) for x in (types, bids)))
        payoffs = xp.reshape(utilities - payments, (cases, draws, n))
        return xp.sum(xp.mean(payoffs, axis=1) * mine[:, 0, :, 0], axis=-1)


def best_replies(
    game: AuctionGame,
    response: Response,
    bidding: Callable[[np.ndarray], np.ndarray],
    types: np.ndarray,
    found: Audit,
    rivals: int,
    chunk: int,
) -> ExInterim:
    """Search for the best bids of participants who know only their own types.

    Args:
        game: the auction.
        response: its rule.
        bidding: what everybody bids, types (B, n, q) to bids (B, n, k).
        types: of P profiles, (P, n, q).
        found: the ex post audit of the same profiles: what they bid, and effort and seed of the search.
        rivals: M, draws of the others' types in each of the two samples.
        chunk: maximum number of auctions held in parallel.
    """
    assert found.played is not None
    n = types.shape[1]
    size = rivals * n * n * (types.shape[2] + found.played.shape[2])
    block, parts = max(LARGEST // size, 1), []
    for start in range(0, len(types), block):
        rows = slice(start, start + block)
        rng = np.random.default_rng([AUDIT, found.seed, 3, 1 + start])
        samples = [_drawn(game, response, bidding, types[rows], rivals, rng) for _ in range(2)]
        parts.append(_searched(found, samples, found.played[rows], max(chunk // rivals, 1)))
    names = list(found.regrets)
    return ExInterim(
        np.concatenate([part.payoffs for part in parts]),
        {name: Regret.joined([part.regrets[name] for part in parts]) for name in names},
        {name: np.concatenate([part.held_out[name] for part in parts]) for name in names},
        rivals,
    )


def _searched(found: Audit, samples: list[Rivals], played: np.ndarray, chunk: int) -> ExInterim:
    """Search on the first sample, and judge on the second; ``chunk`` is the number of cases at once."""
    first, second = samples
    cases = np.indices(played.shape[:2]).reshape(2, -1)
    numbers = np.broadcast_to(np.arange(len(played), dtype=float)[:, None, None], (*played.shape[:2], 1))
    parts = [cases[:, start : start + chunk] for start in range(0, cases.shape[1], chunk)]

    def means(of: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
        """Compute a mean of every case, (P, n)."""
        return np.concatenate([of(*part) for part in parts]).reshape(played.shape[:2])

    payoffs, again = means(first.played), means(second.played)
    search = Search(found.layout, played, False, found.seed)
    regrets = search.run(first.own, numbers, payoffs, found.scale, (found.effort + 1) // 2, chunk)

    def held_out(regret: Regret) -> np.ndarray:
        """Compute the gains of reports over the second sample, (P, n); 0 of those who do not deviate."""
        judged = means(lambda profiles, seats: second.own(numbers[profiles], regret.reports[profiles], seats))
        return np.where(regret.gains > 0, judged - again, 0.0)

    held = {name: held_out(regret) for name, regret in regrets.items()}
    return ExInterim(payoffs, regrets, held, first.types.shape[2])


def _drawn(
    game: AuctionGame,
    response: Response,
    bidding: Callable[[np.ndarray], np.ndarray],
    types: np.ndarray,
    rivals: int,
    rng: np.random.Generator,
) -> Rivals:
    """Draw a sample of all types given each participant's own, for types (P, n, q)."""
    profiles, n, q = types.shape
    shape = game.draw_initial(1, np.random.default_rng(0))["types"].shape[1:]
    points = lattice(rivals, int(np.prod(shape))).reshape(1, 1, rivals, *shape)
    draws = (points + rng.random((profiles, 1, 1, *shape))) % 1.0
    draws = np.broadcast_to(draws, (profiles, n, rivals, *shape)).reshape(-1, *shape)
    known = np.broadcast_to(types[:, None, None], (profiles, n, rivals, n, q)).reshape(-1, n, q)
    seats = np.tile(np.repeat(np.arange(n), rivals), profiles)
    given = game.types_given(known, seats, draws)
    bids = np.concatenate([bidding(given[start : start + CASES]) for start in range(0, len(given), CASES)])
    expected = game.expected_types(given)
    return Rivals(response, *(x.reshape(profiles, n, rivals, n, -1) for x in (expected, bids)))


def lattice(count: int, size: int) -> np.ndarray:
    """Compute the first points of a Kronecker sequence in the unit cube, (count, size).

    Its slopes are powers of 1 / x, x the root of x^(size + 1) = x + 1: the golden ratio in one dimension.

    >>> lattice(3, 1)[:, 0].round(3)
    array([0.   , 0.618, 0.236])
    """
    root = 2.0
    for _ in range(64):
        root = (1 + root) ** (1 / (size + 1))
    slopes = root ** -np.arange(1.0, size + 1)
    found: np.ndarray = np.arange(count)[:, None] * slopes % 1.0
    return found
