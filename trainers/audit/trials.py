"""Trials of misreports: the gain of each, and the best one so far of every participant.

A *case* is one participant of one profile of types. All others report the truth, or whatever it is that they play; a
misreport of one participant is one game, so that P profiles of n participants are P n games for each misreport that
everybody tries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import TypeAlias

import numpy as np

from lawgiver.envs.core.arrays import Array, namespace
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError
from lawgiver.envs.core.fields import Layout
from lawgiver.trainers.audit.population import Population
from lawgiver.trainers.audit.result import PROFITABLE, scale_of

Response: TypeAlias = Callable[[Array, Array], tuple[Array, Array]]
"""A rule: types (B, n, q) and reports (B, n, k) to utilities without payments and payments to the mechanism.

Both are (B, n). In a direct mechanism a type has the fields of a report, and q is k.

Game b of a batch depends on row b alone. It takes NumPy arrays (float64) and, where it is to be differentiated, torch
tensors of the same dtype.
"""

Own: TypeAlias = Callable[[Array, Array, Array], Array]
"""A rule as one participant of each game sees it: types, reports and its number (B,), to payoffs (B,)."""


BLOCK = 32
"""Reports of each case that are tried together; it does not depend on the chunk, and neither does what is found."""


class Trials:
    """The best misreports found so far, of one group of fields.

    Args:
        own: the rule that is audited.
        types: (P, n, q).
        truthful: payoffs of what is played, (P, n).
        scale: what payoffs are of the order of, > 0.
        varied: which numbers of a report may differ from the truth, bool (k,).
        chunk: games that are played at once, at most.
        low: the least report, (k,); ``high`` the greatest.
        played: what everybody reports, (P, n, k); None for the truth, the types.

    Attributes:
        gains: what the best misreport brings beyond what is played, 0 where none does, (P, n).
        reports: the best reports, those played where no misreport is better, (P, n, k).
        tried: number of misreports so far, over all cases.
        population: the best reports of each case that lie apart.
    """

    def __init__(
        self,
        own: Own,
        types: np.ndarray,
        truthful: np.ndarray,
        scale: float,
        varied: np.ndarray,
        chunk: int,
        low: np.ndarray,
        high: np.ndarray,
        played: np.ndarray | None = None,
    ) -> None:
        """See the class."""
        self.own, self.types, self.truthful, self.scale = own, types, truthful, scale
        self.played = types if played is None else played
        self.varied, self.chunk, self.low, self.high = varied, chunk, low, high
        self.gains = np.zeros(types.shape[:2])
        self.reports = self.played.copy()
        self.tried = 0
        self.population = Population.of_truth(self.played, int(varied.sum()))

    def confined(self, reports: np.ndarray) -> np.ndarray:
        """Replace the numbers of reports (P, n, k) that may not vary by those played."""
        found: np.ndarray = np.where(self.varied, reports, self.played)
        return found

    def offer_all(self, proposals: Iterable[np.ndarray]) -> None:
        """Try reports (P, n, k), one after the other for each case; what is good joins the population."""
        rest = iter(proposals)
        while block := list(islice(rest, BLOCK)):
            reports = self.confined(np.stack(block))
            span = np.where(self.varied & (self.high > self.low), self.high - self.low, np.inf)
            self.population = self.population.joined(reports, self._try(reports), span)

    def offer(self, proposal: np.ndarray) -> np.ndarray:
        """Try one report of each case, (P, n, k); return where it is better than all before, bool (P, n)."""
        before = self.gains
        self._try(self.confined(proposal)[None])
        return self.gains > before

    def breed(self, rng: np.random.Generator) -> None:
        """Try one report for each member of the population, which it takes the place of where it is better."""
        bred = self.confined(self.population.bred(self.low, self.high, rng))
        self.population = self.population.selected(bred, self._try(bred))

    def count(self, proposals: np.ndarray) -> None:
        """Count misreports (..., P, n, k) as tried; those that are played are none."""
        self.tried += int((proposals != self.played).any(-1).sum())

    def _try(self, proposals: np.ndarray) -> np.ndarray:
        """Try reports (c, P, n, k) that are confined; return what they bring beyond what is played, (c, P, n)."""
        self.count(proposals)
        count, profiles, n, k = proposals.shape
        payoffs = np.empty(count * profiles * n)
        flat = proposals.reshape(-1, k)
        for start in range(0, payoffs.size, self.chunk):
            cases = np.arange(start, min(start + self.chunk, payoffs.size))
            payoffs[cases] = self.payoffs(cases % (profiles * n), flat[cases])
        found: np.ndarray = payoffs.reshape(count, profiles, n) - self.truthful
        best = found.argmax(0)
        gain = np.take_along_axis(found, best[None], 0)[0]
        report = np.take_along_axis(proposals, best[None, ..., None], 0)[0]
        better = gain > self.gains
        self.gains = np.where(better, gain, self.gains)
        self.reports = np.where(better[..., None], report, self.reports)
        return found

    def payoffs(self, cases: np.ndarray, own: np.ndarray) -> np.ndarray:
        """Compute the payoffs (c,) of cases (c,), numbered profile by profile, that report ``own`` (c, k)."""
        types, reports, seats = self.games(cases)
        reports[np.arange(len(cases)), seats] = own
        found: np.ndarray = self.own(types, reports, seats)
        if not np.isfinite(found).all():
            raise ParameterError("the rule that is audited makes payoffs that are not finite, allowed: numbers")
        return found

    def games(self, cases: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Look up types and reports played (c, n, k) of cases (c,), and their participants (c,)."""
        profiles, seats = np.divmod(cases, self.types.shape[1])
        return self.types[profiles], self.played[profiles], seats


def own_of(response: Response) -> Own:
    """Convert a rule to the payoff of one participant of each game, selected from all payoffs."""

    def own(types: Array, reports: Array, seats: Array) -> Array:
        utilities, payments = response(types, reports)
        return (utilities - payments)[namespace(seats).arange(seats.shape[0]), seats]

    return own


def truth(
    response: Response, types: np.ndarray, chunk: int, played: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Compute utilities and payments, both (P, n), under truthful reports, or those ``played`` (P, n, k).

    Raises:
        UnsupportedGameError: if the same game played twice ends differently: gains cannot be told from luck.
        ParameterError: if the rule returns other shapes, or numbers that are not finite.
    """
    parts, step = [], max(chunk // 2, 1)
    for start in range(0, len(types), step):
        part, sent = (x[start : start + step] for x in (types, types if played is None else played))
        twice = np.concatenate([part, part])
        utilities, payments = (np.asarray(x, float) for x in response(twice, np.concatenate([sent, sent])))
        for name, x in (("utilities", utilities), ("payments", payments)):
            if x.shape != twice.shape[:2] or not np.isfinite(x).all():
                raise ParameterError(
                    f"the rule that is audited returns {name} of shape {x.shape}, allowed: finite {twice.shape[:2]}"
                )
            first, second = np.split(x, 2)
            # A network in single precision differs in its last digits by where in a batch a game stands.
            if np.abs(first - second).max() > PROFITABLE * scale_of(utilities, payments):
                raise UnsupportedGameError(
                    "the rule that is audited draws at random: the same reports had different outcomes, so that no gain"
                    " could be told from luck, allowed: rules without randomness"
                )
        parts.append((utilities[: len(part)], payments[: len(part)]))
    return np.concatenate([u for u, _ in parts]), np.concatenate([p for _, p in parts])


def bounds(layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    """Read the lower and upper bounds of a report, both (k,) in float64.

    Raises:
        ParameterError: if a bound is not finite.
    """
    low = np.concatenate([np.full(field.size, field.low, float) for field in layout])
    high = np.concatenate([np.full(field.size, field.high, float) for field in layout])
    endless = [field.name for field in layout if not np.isfinite([field.low, field.high]).all()]
    if endless:
        raise ParameterError(f"reports of {', '.join(endless)} have no end, allowed: fields with finite bounds")
    return low, high
