"""One group of N agents with a common mixed strategy: its exact equilibrium and optimum.

If each of N agents uses a resource with probability q, a user of it expects E[payoff(1 + K)], K ~ Binomial(N - 1, q).
That is a function of q alone, so that the symmetric equilibrium is the Wardrop equilibrium of a mass of 1 with these
expectations for costs. Its potential is E[sum_{k <= K} payoff(k)] / N with K ~ Binomial(N, q).

The optimum is the equilibrium when everybody is paid what its presence adds, k payoff(k) - (k - 1) payoff(k - 1): then
the potential is welfare. Transfers that make up the difference in expectation bring it about, as marginal tolls do for
a mass. Both are unique, up to strategies that are worth the same, if what is paid nowhere rises with k.

Two roads that pay a user 3 alone and 1 each to two are taken by chance, since nobody knows where the other goes:

    >>> table = np.array([[0.0, 3.0, 1.0]] * 2)
    >>> game = CongestionGame((2,), np.eye(2)[None], np.ones((1, 2), bool), table, np.zeros((1, 2)))
    >>> equilibrium_mixture(game).strategies, equilibrium_mixture(game).welfare
    (array([[0.5, 0.5]]), 4.0)
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.solvers.congestion.anonymous import CongestionGame, expected_of_loads, expected_payoffs
from lawgiver.envs.solvers.congestion.wardrop import NonatomicGame, relative_gap, total_cost, wardrop_equilibrium


@dataclass(frozen=True, eq=False)
class Mixture:
    """A strategy that all agents play: probabilities of the options (1, O), and the expected sum of payoffs."""

    strategies: np.ndarray
    welfare: float


@dataclass(frozen=True, eq=False)
class MixingCosts:
    """Expected cost of each resource of the game ``apart`` as a function of the probability of use.

    The options of ``apart`` are its resources one by one.
    """

    apart: CongestionGame

    def cost(self, loads: np.ndarray) -> np.ndarray:
        """Return the expected cost of each resource at the probabilities of use, (R,).

        By the binomial distribution itself: no term is lost beside larger ones, however steep the table is.
        """
        met = _binomial(self.apart.n - 1, np.clip(loads, 0.0, 1.0))
        return np.asarray(-(met * np.asarray(self.apart.table)[:, 1:]).sum(1))

    def area(self, loads: np.ndarray) -> np.ndarray:
        """Return the integral of each cost from 0 to the probability of use, (R,)."""
        summed = np.cumsum(np.where(np.arange(self.apart.n + 1) > 0, self.apart.table, 0.0), axis=-1)
        return np.asarray(-expected_of_loads(self.apart, loads[None], summed) / self.apart.n)


def _binomial(n: int, chances: np.ndarray) -> np.ndarray:
    """Return the probabilities of 0 to n successes in n trials of each chance, (R, n + 1)."""
    k = np.arange(n + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(k > 0, k * np.log(chances)[:, None], 0.0)
        logs = logs + np.where(k < n, (n - k) * np.log1p(-chances)[:, None], 0.0)
    likely = np.exp(logs + _log_ways(n))
    return np.asarray(likely / likely.sum(1, keepdims=True))


@lru_cache(maxsize=8)
def _log_ways(n: int) -> np.ndarray:
    """Return the logarithms of the binomial coefficients of n, (n + 1,)."""
    factorials = np.array([math.lgamma(k + 1) for k in range(n + 1)])
    return np.asarray(factorials[-1] - factorials - factorials[::-1])


def equilibrium_mixture(game: CongestionGame, transfers: np.ndarray | None = None) -> Mixture:
    """Return the symmetric equilibrium of rational agents; payoffs must nowhere rise in the load.

    Args:
        game: game of one group.
        transfers: paid to each user of a resource, (R,). None for nothing.

    Raises:
        UnsupportedGameError: if there are several groups.
    """
    tolls = None if transfers is None else -transfers
    return _mixture(game, wardrop_equilibrium(_as_mass(game), tolls).flows)


def best_mixture(game: CongestionGame) -> Mixture:
    """Return the strategy of the largest expected welfare when all play it, if the load's k payoff(k) is concave.

    Raises:
        UnsupportedGameError: if there are several groups.
    """
    return _mixture(game, equilibrium_mixture(_paid_by_presence(game)).strategies)


def _mixture(game: CongestionGame, strategies: np.ndarray) -> Mixture:
    return Mixture(strategies, -game.n * total_cost(_as_mass(game), strategies))


def best_mixture_regret(game: CongestionGame) -> float:
    """Compute an agent's largest gain from leaving the best mixture under marginal-contribution payments.

    The gain is relative to the payoffs of the options; it is 0 where the mixture is the best.

    Raises:
        UnsupportedGameError: if there are several groups.
    """
    return relative_gap(_as_mass(_paid_by_presence(game)), best_mixture(game).strategies)


def best_transfers(game: CongestionGame) -> np.ndarray:
    """Compute the transfers per resource, (R,), that make the best mixture an equilibrium.

    Raises:
        UnsupportedGameError: if there are several groups.
    """
    best = best_mixture(game).strategies
    loads = np.einsum("go,gor->r", best, game.uses)
    paid, due = _as_mass(game).costs.cost(loads), _as_mass(_paid_by_presence(game)).costs.cost(loads)
    return np.asarray(paid - due)


def _paid_by_presence(game: CongestionGame) -> CongestionGame:
    """Return the game in which each user of a resource is paid its marginal contribution to total payoffs there."""
    summed = np.arange(game.n + 1) * np.asarray(game.table)
    return replace(game, table=np.diff(summed, axis=-1, prepend=0.0))


def regret(game: CongestionGame, strategies: np.ndarray, transfers: np.ndarray | None = None) -> float:
    """Compute the largest gain from leaving an option that one's group uses, for strategies (G, O)."""
    payoffs = expected_payoffs(game, strategies, transfers)
    best = np.where(game.legal, payoffs, -np.inf).max(1, keepdims=True)
    return float((best - payoffs)[strategies > 0].max())


def _as_mass(game: CongestionGame) -> NonatomicGame:
    if len(game.counts) != 1:
        raise UnsupportedGameError(f"agents in {len(game.counts)} groups do not mix alike, allowed: one group")
    resources = np.eye(game.uses.shape[-1])
    apart = CongestionGame(
        game.counts, resources[None], np.ones((1, len(resources)), bool), game.table, np.zeros((1, len(resources)))
    )
    return NonatomicGame(np.ones(1), game.uses, game.legal, MixingCosts(apart), -np.asarray(game.constants))
