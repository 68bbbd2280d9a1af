"""Games of people under a mechanism, round by round, and what they come to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lawgiver.envs.commons_trust.game import SMALLEST_OFFER, CommonsTrust
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.core.rollout import rollout
from lawgiver.trainers.evaluation.vote_shares import group_scores

CHUNK = 500
"""Games that are played at once."""


@dataclass(frozen=True)
class Plays:
    """G games of at most T rounds; rounds after the end of a game are NaN.

    Attributes:
        pools: before each round and after the last, (G, T + 1), in points.
        offers: (G, T, n), in points.
        returns: (G, T, n), in points.
    """

    pools: np.ndarray
    offers: np.ndarray
    returns: np.ndarray

    @property
    def kept(self) -> np.ndarray:
        """Mean kept by each participant a round, (G, n), in points."""
        kept: np.ndarray = np.nanmean(self.offers - self.returns, axis=1)
        return kept

    @property
    def final_pool(self) -> np.ndarray:
        """The pool after the last round of each game, (G,)."""
        rounds = np.isfinite(self.offers[..., 0]).sum(1)
        last: np.ndarray = self.pools[np.arange(len(self.pools)), rounds]
        return last

    def measures(self) -> dict[str, np.ndarray]:
        """Measure each game, (G,).

        ``surplus``: kept by a participant a round, in points; ``gini``: of what they keep over the game;
        ``sustained``: whether the pool holds more than a point in the end; ``excluded``: share of rounds and
        participants with an offer below a point.
        """
        kept = self.kept
        there = np.isfinite(self.offers)
        return {
            "surplus": kept.mean(1),
            "gini": group_scores(kept)[0],
            "sustained": (self.final_pool > SMALLEST_OFFER).astype(float),
            "excluded": ((self.offers < SMALLEST_OFFER) & there).sum((1, 2)) / there.sum((1, 2)),
        }


def play(game: CommonsTrust, mechanism: Policy, people: Policy, games: int, rng: np.random.Generator) -> Plays:
    """Play games of people under a mechanism.

    Args:
        game: the rules; the mechanism's and the people's own.
        mechanism: plays every round.
        people: the participants.
        games: how many.
        rng: of everything that is drawn. Each chunk of games has a stream of its own, the first numbers of which draw
            the people: with mechanisms that draw nothing the same people play under all of them.
    """
    parts = [
        _played(game, mechanism, people, min(CHUNK, games - start), stream)
        for start, stream in zip(range(0, games, CHUNK), rng.spawn(-(-games // CHUNK)), strict=True)
    ]
    return Plays(
        *(np.concatenate([_padded(part, game.n_rounds) for part in field]) for field in zip(*parts, strict=True))
    )


def _played(
    game: CommonsTrust, mechanism: Policy, people: Policy, games: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Play games at once; return pools (G, R + 1), offers and returns (G, R, n)."""
    state = game.initial_state(games, rng)
    pools, offers, returns = [np.asarray(state.pool)], [], []
    for step in rollout(game, {"mechanism": mechanism, "participant": people}, state, rng):
        if step.role == "participant":
            over = ~step.alive
            pools.append(np.where(over, np.nan, step.after.pool))
            offers.append(np.where(over[:, None], np.nan, step.after.last_offers))
            returns.append(np.where(over[:, None], np.nan, step.after.returns))
    return np.stack(pools, 1), np.stack(offers, 1), np.stack(returns, 1)


def _padded(part: np.ndarray, rounds: int) -> np.ndarray:
    """Add rounds of NaN to those of pools (G, R + 1) or others (G, R, n), up to T + 1 or T."""
    missing = rounds + (part.ndim == 2) - part.shape[1]
    return np.pad(part, [(0, 0), (0, missing)] + [(0, 0)] * (part.ndim - 2), constant_values=np.nan)
