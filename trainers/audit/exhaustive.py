"""Exact audits of reporting games whose reports are read as one of finitely many: all of them are tried.

A *case* is one participant of one profile, as in a search. Whatever it reports is read as a row of the game's menu, so
that the best row is the best report. Where the rows are rankings and nobody pays, what is tried also says how much
participants of *any* utility function with the same ranking gain: regret in the sense of first-order stochastic
dominance, which is about lotteries and is not to be compared with gains in payoffs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.families.play_out import final_state
from lawgiver.envs.families.reporting_game import ReportingGame
from lawgiver.envs.solvers.social_choice.dominance import fosd_regret
from lawgiver.envs.solvers.social_choice.profiles import positions
from lawgiver.trainers.audit.result import ROUNDING, Regret


@dataclass(frozen=True)
class Cases:
    """Participants of profiles, each to try the whole menu of a game.

    Attributes:
        game: the game.
        rule: its mechanism.
        menu: (A, k).
        types: (P, n, k + p), with what is public behind.
        payoffs: of the truth, (P, n).
    """

    game: ReportingGame
    rule: Policy
    menu: np.ndarray
    types: np.ndarray
    payoffs: np.ndarray

    def regrets(self, chunk: int) -> tuple[Regret, Regret | None]:
        """Return regret in payoffs and, of a menu of rankings, in the sense of dominance.

        Args:
            chunk: maximum number of games played in parallel; with a longer menu, as many as it has rows.
        """
        told = self.game.read(self.game.private(self.types))
        honest = np.asarray(self.game.honest_choice(self.types))
        truthful = self._truthful_prospects(chunk) if self.game.ordinal_menu else None
        others, step = np.arange(1, len(self.menu)), max(chunk // max(len(self.menu) - 1, 1), 1)
        found: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {"payoff": [], "dominance": []}
        for start in range(0, honest.size, step):
            profiles, seats = np.divmod(np.arange(start, min(start + step, honest.size)), honest.shape[1])
            own = honest[profiles, seats]
            rows = (own[:, None] + others) % len(self.menu)  # all but the truth, (c, A - 1)
            each, who = (np.repeat(x, len(others)) for x in (profiles, seats))
            reports = told[each]
            reports[np.arange(len(each)), who] = self.menu[rows.reshape(-1)]
            done = final_state(self.game, self.rule, self.types[each], reports)
            paid = np.asarray(done.payoffs, float)[np.arange(len(each)), who].reshape(rows.shape)
            if not np.isfinite(paid).all():
                raise ParameterError("the rule that is audited makes payoffs that are not finite, allowed: numbers")
            found["payoff"].append(_best(paid - self.payoffs[profiles, seats, None], rows, own))
            if truthful is not None:
                chances, worth = truthful
                reached = np.asarray(self.game.prospects(done)[0], float)[np.arange(len(each)), who]
                reached = reached.reshape(*rows.shape, chances.shape[-1])
                regret = fosd_regret(chances[profiles, seats], reached, positions(worth[profiles, seats]))
                found["dominance"].append(_best(np.where(regret > ROUNDING, regret, 0.0), rows, own))
        return self._regret(found["payoff"]), None if truthful is None else self._regret(found["dominance"])

    def _truthful_prospects(self, chunk: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the chances of the alternatives under the truth, and what these are worth, (P, n, a) each."""
        parts = (self.types[start : start + chunk] for start in range(0, len(self.types), chunk))
        played = [self.game.prospects(final_state(self.game, self.rule, part, part)) for part in parts]
        chances, worth = (np.concatenate([np.asarray(x, float) for x in each]) for each in zip(*played, strict=True))
        return chances, worth

    def _regret(self, found: list[tuple[np.ndarray, np.ndarray]]) -> Regret:
        gains, rows = (np.concatenate(each).reshape(self.types.shape[:2]) for each in zip(*found, strict=True))
        reports = np.where((gains > 0)[..., None], self.menu[rows], self.game.private(self.types))
        return Regret(gains, reports, gains.size * (len(self.menu) - 1), np.zeros_like(gains))


def _best(gains: np.ndarray, rows: np.ndarray, own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest of the gains (c, A - 1) of rows of the menu, and this row; 0 and ``own`` (c,) without any."""
    gains, rows = (np.concatenate([x, y], axis=1) for x, y in ((0 * own[:, None], gains), (own[:, None], rows)))
    best = gains.argmax(axis=1)[:, None]
    return np.take_along_axis(gains, best, 1)[:, 0], np.take_along_axis(rows, best, 1)[:, 0]
