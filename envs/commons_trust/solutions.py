"""Exact solutions of the common-pool trust game: a planner who dictates, reciprocators, the selfish.

*A planner who dictates returns.* With growth g > 1 a returned point is worth g one round later, as long as the pool
does not overflow. So all is returned until the pool would be full, from then on what growth gives beyond the capacity C
is consumed, C - C / g a round, and in the last round everything (:func:`most_consumed`).

*Reciprocators* return a fixed fraction f of every offer. If all of the pool R is offered, sum c = f R by any rule, so
that R_t = min(C, R_0 (g f)^t): the pool survives from f = 1 / g on. With fractions f_i the offers of a rule with a
constant weight w follow e' = M e until the pool is full, M = g (w / n 1 1' + (1 - w) I) diag(f), and the pool survives
if the spectral radius of M is at least 1 (:func:`reciprocation_matrix`).

*Selfish participants* who know which round is the last return nothing in it. Under equal offers they return nothing in
any round, if g < n: of a point returned g / n come back. Under proportional offers the last round but one is Tullock's
contest for a pool that will be full: each returns C (n - 1) / n^2.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lawgiver.envs.commons_trust.rule_family import MEMBERS, family_offers
from lawgiver.envs.core.errors import NoSolution
from lawgiver.envs.core.game import KnownSolution

if TYPE_CHECKING:
    from lawgiver.envs.commons_trust.game import CommonsTrust
    from lawgiver.envs.commons_trust.state import CommonsTrustState

EXACT = 1e-9
"""Largest residual of the known solutions, relative to the capacity."""
RECIPROCATED = 0.8
"""The fraction that reciprocators return in the known solution about them."""
LONGEST_CHECK = 200
"""Rounds up to which the known solutions are played and checked."""
DICTATED = "most that a planner who dictates returns can have kept, a participant and round"
RECIPROCAL = f"kept a participant and round under any rule if everybody returns {RECIPROCATED:g} of each offer"
THRESHOLD = "fraction of every offer that keeps up a pool that is offered whole"
SELFISH = "kept a participant and round by the selfish under equal offers, who know the last round"
CONTEST = "return of the selfish in the last round but one under proportional offers, from a full pool"
SOURCE = "Koster, Pislar et al. 2025, rules of the game"


# -- a planner who dictates returns --------------------------------------------------------------------------------


def most_consumed(first_pool: float, capacity: float, growth: float, n_rounds: int) -> float:
    """Compute the most points that can be consumed over ``n_rounds`` rounds, in closed form.

    Args:
        first_pool: the pool before the first round, at most ``capacity``.
        capacity: the most that the pool can hold.
        growth: what a returned point becomes, > 0.
        n_rounds: number of rounds, >= 1.
    """
    if growth <= 1:
        return first_pool
    pool = first_pool
    for left in range(n_rounds - 1, 0, -1):  # rounds after this one, in which all is returned while it fits
        if growth * pool >= capacity:
            return pool - capacity / growth + (left - 1) * (capacity - capacity / growth) + capacity
        pool *= growth
    return pool


def consumption_programme(first_pool: float, capacity: float, growth: float, n_rounds: int) -> float:
    """Compute the same as :func:`most_consumed` by a dynamic programme over the pool.

    V_k(R) = max over s in [0, R] of s + V_{k-1}(min(C, g (R - s))), V_1(R) = R. V is piecewise linear, with kinks where
    a pool grows to exactly the capacity, at C / g^j: so it is enough to look at pools R_0 g^j and C / g^j, and at 0.
    """
    with np.errstate(over="ignore"):  # what is beyond the capacity is left out
        powers = max(growth, 1.0) ** np.arange(n_rounds)
        pools = np.unique(np.concatenate([[0.0, first_pool, capacity], first_pool * powers, capacity / powers]))
    pools = pools[pools <= capacity]
    consumed = pools[:, None] - pools[None, :] / growth  # to go from one pool to another
    slack = EXACT * capacity
    consumed = np.where(consumed >= -slack, consumed, -np.inf)
    idle = pools[:, None] - pools[None, :]  # what is held back does not grow
    consumed = np.maximum(consumed, np.where(idle >= 0, idle, -np.inf))
    values = pools
    for _ in range(n_rounds - 1):
        values = (consumed + values[None, :]).max(axis=1)
    return float(values[np.argmin(np.abs(pools - first_pool))])


def dictated_fractions(game: CommonsTrust) -> np.ndarray:
    """Compute the fraction of all of the pool that is returned in each round of :func:`most_consumed`, (n_rounds,)."""
    if game.growth <= 1:
        return np.zeros(game.n_rounds)
    pool, fractions = game.first_pool, []
    for _ in range(game.n_rounds - 1):
        fractions.append(min(1.0, game.capacity / (game.growth * pool)))
        pool = min(game.capacity, game.growth * pool)
    return np.array([*fractions, 0.0])


# -- reciprocators -------------------------------------------------------------------------------------------------


def reciprocal_pools(game: CommonsTrust, fraction: float) -> np.ndarray:
    """Compute the pool before each round if all of it is offered, and ``fraction`` of every offer returned.

    Returns:
        (n_rounds + 1,), the last one after the last round.
    """
    steps = np.arange(game.n_rounds + 1)
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(np.minimum(game.capacity, game.first_pool * (game.growth * fraction) ** steps))


def reciprocation_matrix(growth: float, weight: float, fractions: np.ndarray) -> np.ndarray:
    """Compute the matrix M (n, n) by which offers e of one round lead to those of the next, below the capacity.

    Args:
        growth: what a returned point becomes.
        weight: weight of equal shares, w in [0, 1], the same at every pool.
        fractions: the part of its offer that each participant returns, (n,).
    """
    n = len(fractions)
    mixing = weight / n * np.ones((n, n)) + (1 - weight) * np.eye(n)
    return np.asarray(growth * mixing * np.asarray(fractions, float))


def played_pools(
    game: CommonsTrust, parameters: tuple[float, ...], fractions: np.ndarray
) -> tuple[np.ndarray, CommonsTrustState]:
    """Play one game by the rules, offers by a member of the rule family and given fractions of them returned.

    Args:
        game: the game; played on the continuum for ``n_rounds`` rounds.
        parameters: weight, exponent and floor of the rule.
        fractions: (n_rounds, n), or what broadcasts to it.

    Returns:
        The pools before each round and after the last, (n_rounds + 1,), and the last state.
    """
    game = replace(
        game, mechanism_mode="allocate", announce_every="round", integer_returns=False, continuation=None, min_rounds=1
    )
    state = game.initial_state(1, np.random.default_rng(0))
    pools = [game.first_pool]
    for returned in np.broadcast_to(fractions, (game.n_rounds, game.n)):
        offers = family_offers(np.array([parameters]), state.pool, state.returns, game.capacity)
        state, *_ = game.advance(state, offers, {})
        state, *_ = game.advance(state, offers * returned, {})
        pools.append(float(state.pool[0]))
    return np.array(pools), state


# -- the list ------------------------------------------------------------------------------------------------------


def known_solutions(game: CommonsTrust) -> tuple[KnownSolution, ...]:
    """List the solutions that are known with these parameters; see :func:`unknown_solutions`."""
    unknown = unknown_solutions(game)
    made = {DICTATED: _dictated, RECIPROCAL: _reciprocal, THRESHOLD: _threshold, SELFISH: _selfish, CONTEST: _contest}
    return tuple(make(game) for name, make in made.items() if name not in unknown)


def unknown_solutions(game: CommonsTrust) -> dict[str, NoSolution]:
    """List the solutions that are not known with these parameters, each with the reason."""
    names = (DICTATED, RECIPROCAL, THRESHOLD, SELFISH, CONTEST)
    if game.n_rounds > LONGEST_CHECK:
        return dict.fromkeys(names, NoSolution(f"it is played and checked for up to {LONGEST_CHECK} rounds"))
    unknown = {}
    if game.growth < 1:
        unknown[THRESHOLD] = NoSolution("with growth below 1 no fraction of an offer keeps up the pool")
    if game.growth >= game.n:
        unknown[SELFISH] = NoSolution("with growth of n or more the selfish return something")
    if game.n_rounds == 1 or game.growth * (game.n - 1) < game.n:
        unknown[CONTEST] = NoSolution("it is known for two rounds or more and growth of at least n / (n - 1)")
    if game.continuation is not None:
        random = NoSolution("it is known for a fixed number of rounds, without a continuation")
        unknown |= dict.fromkeys((DICTATED, RECIPROCAL, SELFISH, CONTEST), random)
    return unknown


def _a_round(game: CommonsTrust, consumed: float) -> float:
    return consumed / (game.n * game.n_rounds)


def _dictated(game: CommonsTrust) -> KnownSolution:
    parameters = game.first_pool, game.capacity, game.growth, game.n_rounds

    def residual() -> float:
        most = most_consumed(*parameters)
        _, last = played_pools(game, MEMBERS["equal_offers"], dictated_fractions(game)[:, None])
        off = max(abs(most - consumption_programme(*parameters)), abs(most - float(last.kept.sum())))
        return off / game.capacity

    return KnownSolution(
        name=DICTATED,
        source=f"{SOURCE}; dynamic programme over the pool (Bellman 1957)",
        value=lambda: _a_round(game, most_consumed(*parameters)),
        residual=residual,
        tolerance=EXACT,
    )


def _reciprocal(game: CommonsTrust) -> KnownSolution:
    pools = reciprocal_pools(game, RECIPROCATED)

    def residual() -> float:
        played = (played_pools(game, rule, np.array(RECIPROCATED))[0] for rule in MEMBERS.values())
        return max(float(np.abs(each - pools).max()) for each in played) / game.capacity

    return KnownSolution(
        name=RECIPROCAL,
        source=f"{SOURCE}; R_t = min(capacity, R_0 ({RECIPROCATED:g} growth)^t)",
        value=lambda: _a_round(game, (1 - RECIPROCATED) * float(pools[:-1].sum())),
        residual=residual,
        tolerance=EXACT,
    )


def _threshold(game: CommonsTrust) -> KnownSolution:
    def residual() -> float:
        rules = MEMBERS.values()
        played = (played_pools(game, rule, np.array(1 / game.growth))[0] for rule in rules)
        return max(float(np.abs(each - game.first_pool).max()) for each in played) / game.capacity

    return KnownSolution(
        name=THRESHOLD,
        source=f"{SOURCE}; growth * fraction = 1",
        value=lambda: 1 / game.growth,
        residual=residual,
        tolerance=EXACT,
    )


def _selfish(game: CommonsTrust) -> KnownSolution:
    def residual() -> float:
        _, last = played_pools(game, MEMBERS["equal_offers"], np.zeros(1))
        off = abs(float(last.kept.sum()) - game.first_pool)
        nothing = np.zeros(1001)
        gains = _last_two(game, "equal_offers", np.linspace(0, 1, 1001), nothing)
        return (off + max(float((gains - gains[0]).max()), 0.0)) / game.capacity

    return KnownSolution(
        name=SELFISH,
        source="backward induction: of a point returned growth / n come back",
        value=lambda: _a_round(game, game.first_pool),
        residual=residual,
        tolerance=EXACT,
    )


def _contest(game: CommonsTrust) -> KnownSolution:
    each = game.capacity * (game.n - 1) / game.n**2

    def residual() -> float:
        fractions = np.linspace(0, 1, 1001)
        best = np.full(1001, each / (game.capacity / game.n))
        worth = _last_two(game, "proportional_offers", np.append(fractions, best[0]), np.append(best, best[0]))
        return max(float((worth - worth[-1]).max()), 0.0) / game.capacity

    return KnownSolution(
        name=CONTEST,
        source="Tullock 1980, Efficient rent seeking: a contest for the capacity, (n - 1) / n^2 of it each",
        value=lambda: each,
        residual=residual,
        tolerance=EXACT,
    )


def _last_two(game: CommonsTrust, name: str, own: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Play two rounds from a full pool; return what participant 0 keeps, (B,).

    In the first it returns the fraction ``own`` (B,) of an equal offer and everybody else ``others`` (B,), in the
    second nobody returns anything.
    """
    game = replace(game, mechanism_mode="allocate", integer_returns=False, first_pool=game.capacity)
    state = game.initial_state(len(own), np.random.default_rng(0))
    fractions = np.column_stack([own, *[others] * (game.n - 1)])
    for returned in (fractions, 0 * fractions):
        offers = family_offers(np.array(MEMBERS[name]), state.pool, state.returns, game.capacity)
        state, *_ = game.advance(state, offers, {})
        state, *_ = game.advance(state, offers * returned, {})
    return np.asarray(state.kept[:, 0])
