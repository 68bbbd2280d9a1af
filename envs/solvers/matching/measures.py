"""Measures of matchings and of lotteries over them: stability, envy, ranks, efficiency, and what lies bring.

Pairs that would rather have each other than what they have *block*. Of a lottery the published measure of stability
multiplies, for each pair, how much the two may expect to gain by each other (Ravindranath, Feng, Li, Ma, Kominers and
Parkes 2021, arXiv 2107.03427):

    (1/n) sum_ij [sum_i' r_i'j (q_ij - q_i'j)+ + (c_j - sum_i' r_i'j) q_ij+] [sum_j' r_ij' (p_ij - p_ij')+
                 + (1 - sum_j' r_ij') p_ij+]

with p the values, q the priorities, r the shares and c the capacities (1 there), to which what who is matched against
their will loses, (1/n) sum r (p- + q-), is added. It is 0 for a stable matching.

    >>> import numpy as np
    >>> values = np.array([[[2.0, 1.0], [2.0, 1.0]]])
    >>> priorities = np.array([[[2.0, 2.0], [1.0, 1.0]]])
    >>> blocking_pairs(np.array([[1, 0]]), values, priorities), blocking_pairs(np.array([[0, 1]]), values, priorities)
    (array([1]), array([0]))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace
from lawgiver.envs.solvers.matching.preferences import all_reports, places_at, seats_of, shares
from lawgiver.envs.solvers.social_choice.profiles import positions

Rule = Callable[[Array, Array], Array]
"""Shares (B, n, m) for values and priorities (B, n, m)."""
CHUNK = 100_000
"""Markets that a rule is asked about at once."""


def prefers(matching: Array, values: Array) -> Array:
    """Mark the acceptable columns (B, n, m) that a row likes better than what it has in a matching (B, n)."""
    xp = namespace(values)
    has = xp.sum(shares(matching, values.shape[-1], values) * values, axis=-1, keepdims=True)
    place, own = positions(values), xp.maximum(matching, xp.zeros_like(matching))[..., None]
    tied = xp.take_along_axis(place, own, axis=-1)  # of equal numbers the lower index comes first
    alone = (matching < 0)[..., None]
    better = (values > has) | ((values == has) & (place < tied) & ~alone)
    return better & (values > 0)


def blocking(matching: Array, values: Array, priorities: Array, capacities: int | Sequence[int] | None = None) -> Array:
    """Mark the pairs (B, n, m) that block a matching: both accept, and like, each other better than what they have.

    A column likes a row better if it has a seat left, or somebody whom it likes less, or does not accept.
    """
    xp, m = namespace(values), values.shape[-1]
    has = shares(matching, m, values) > 0
    places = places_at(priorities)
    places = xp.where(priorities > 0, places, places + values.shape[1])  # who is not accepted comes below all
    worst = xp.max(xp.where(has, places, xp.full_like(places, -1)), axis=1)
    taken = xp.sum(xp.astype(has, xp.int64), axis=1)
    full = taken >= xp.asarray(seats_of(capacities, m), device=values.device)
    wanted = (~full | (worst >= values.shape[1]))[:, None, :] | (places < worst[:, None, :])
    return prefers(matching, values) & (priorities > 0) & wanted & ~has


def blocking_pairs(
    matching: Array, values: Array, priorities: Array, capacities: int | Sequence[int] | None = None
) -> Array:
    """Count the pairs that block a matching (B, n), integers (B,)."""
    xp = namespace(values)
    return xp.sum(xp.astype(blocking(matching, values, priorities, capacities), xp.int64), axis=(-2, -1))


def unwilling_pairs(matching: Array, values: Array, priorities: Array) -> Array:
    """Count the pairs of a matching of which one side at least would rather be alone, integers (B,)."""
    xp = namespace(values)
    against = (shares(matching, values.shape[-1], values) > 0) & ((values < 0) | (priorities < 0))
    return xp.sum(xp.astype(against, xp.int64), axis=(-2, -1))


def justified_envy(matching: Array, values: Array, priorities: Array) -> Array:
    """Count the pairs of rows of which one would rather have the other's column and comes before it there, (B,)."""
    xp, m = namespace(values), values.shape[-1]
    has = shares(matching, m, values) > 0
    places = places_at(priorities)
    worse = has[:, None] & (places[:, :, None] < places[:, None])  # (B, envious, envied, column)
    envies = worse & prefers(matching, values)[:, :, None] & (priorities > 0)[:, :, None]
    return xp.sum(xp.astype(envies, xp.int64), axis=(-3, -2, -1))


def wants(chances: Array, values: Array) -> Array:
    """Compute the probability (..., n, m) that a row by its shares has what it likes less than an acceptable column."""
    xp = namespace(values)
    place = positions(values)
    below = xp.astype(place[..., :, None] < place[..., None, :], chances.dtype)  # (..., wanted, had)
    worse = xp.sum(below * chances[..., None, :], axis=-1) + 1 - xp.sum(chances, axis=-1, keepdims=True)
    return worse * xp.astype(values > 0, chances.dtype)


def expected_blocking(
    chances: Array, values: Array, priorities: Array, capacities: int | Sequence[int] | None = None
) -> Array:
    """Compute the expected number of blocking pairs, (B,), as if the two of a pair were matched independently.

    For shares of 0 and 1 it is their number. Else the number depends on the lottery over matchings, which shares do not
    tell.
    """
    xp = namespace(values)
    seats = constant(seats_of(capacities, values.shape[-1]), chances)
    left = seats - xp.sum(chances, axis=-2)
    open_ = xp.minimum(_below(chances, priorities) + left[..., None, :], constant(1.0, chances))
    accepted = xp.astype(priorities > 0, chances.dtype)
    return xp.sum(wants(chances, values) * open_ * accepted, axis=(-2, -1))


def expected_envy(chances: Array, values: Array, priorities: Array) -> Array:
    """Compute the expected number of pairs with justified envy, (B,), as if matched independently.

    For shares of 0 and 1 it is their number; see :func:`expected_blocking`.
    """
    xp = namespace(values)
    accepted = xp.astype(priorities > 0, chances.dtype)
    return xp.sum(wants(chances, values) * _below(chances, priorities) * accepted, axis=(-2, -1))


def _below(chances: Array, priorities: Array) -> Array:
    """Sum the shares of those who come after a row at a column, (..., n, m)."""
    xp = namespace(priorities)
    place = places_at(priorities)
    after = xp.astype(place[..., :, None, :] < place[..., None, :, :], chances.dtype)  # (..., before, after, m)
    return xp.sum(after * chances[..., None, :, :], axis=-2)


def inefficient(matching: Array, values: Array, capacities: int | Sequence[int] | None = None) -> Array:
    """Test whether another matching is better for some rows and worse for none, whatever the columns like, (B,).

    So it is where a row likes a seat that is left better than its own, where one would rather be alone, and where rows
    can trade along a cycle.
    """
    xp, (_, n, m) = namespace(values), values.shape
    has = shares(matching, m, values)
    likes = prefers(matching, values)
    free = xp.sum(has, axis=1) < constant(seats_of(capacities, m), values)
    wasted = xp.any(likes & free[:, None, :], axis=(-2, -1)) | xp.any((has > 0) & (values < 0), axis=(-2, -1))
    path = xp.astype(likes, values.dtype) @ xp.matrix_transpose(has)  # i likes what k has
    for _ in range(n.bit_length()):
        path = xp.astype((path + path @ path) > 0, values.dtype)
    return wasted | (xp.sum(path * xp.eye(n, dtype=values.dtype, device=values.device), axis=(-2, -1)) > 0)


def ranks(values: Array) -> Array:
    """Compute the place of each partner (..., m) in a list, from 1; who is not acceptable comes after being alone."""
    xp = namespace(values)
    return positions(values) + 1 + xp.astype(values <= 0, xp.int64)


def expected_rank(chances: Array, values: Array) -> Array:
    """Compute the expected rank (..., n) of what rows have by shares (..., n, m); alone has the next after the list."""
    xp = namespace(values)
    alone = xp.sum(xp.astype(values > 0, values.dtype), axis=-1) + 1
    return alone + xp.sum(chances * (xp.astype(ranks(values), values.dtype) - alone[..., None]), axis=-1)


def stability_violation(
    chances: Array, values: Array, priorities: Array, capacities: int | Sequence[int] | None = None
) -> Array:
    """Compute the published violation of stability of shares (B, n, m), (B,), without that of participation."""
    xp, zero = namespace(values), constant(0.0, values)
    seats = constant(seats_of(capacities, values.shape[-1]), values)
    above = xp.maximum(values[..., :, None] - values[..., None, :], zero)  # (B, n, wanted, had)
    rows = xp.sum(chances[..., None, :] * above, axis=-1)
    rows = rows + (1 - xp.sum(chances, axis=-1, keepdims=True)) * xp.maximum(values, zero)
    over = xp.maximum(priorities[:, :, None] - priorities[:, None], zero)  # (B, wanted, had, m)
    columns = xp.sum(chances[:, None] * over, axis=2)
    columns = columns + (seats - xp.sum(chances, axis=1))[:, None] * xp.maximum(priorities, zero)
    return xp.sum(rows * columns, axis=(-2, -1)) / values.shape[1]


def participation_violation(chances: Array, values: Array, priorities: Array) -> Array:
    """Compute what those lose who are matched by shares (B, n, m) to somebody worse than nobody, over n, (B,)."""
    xp, zero = namespace(values), constant(0.0, values)
    loss = xp.maximum(-values, zero) + xp.maximum(-priorities, zero)
    return xp.sum(chances * loss, axis=(-2, -1)) / values.shape[1]


def dominance_violation(truth: Array, deviation: Array, values: Array) -> Array:
    """Compute the most that probabilities of the best k acceptable partners rise by other reports, (..., A).

    Args:
        truth: shares of the true report, (..., m).
        deviation: shares of A others, (..., A, m).
        values: true ones, (..., m).
    """
    xp, m = namespace(values), values.shape[-1]
    best = (positions(values)[..., :, None] <= xp.arange(m, device=values.device)) & (values > 0)[..., :, None]
    gained = (deviation - truth[..., None, :]) @ xp.astype(best, deviation.dtype)
    return xp.max(xp.maximum(gained, xp.zeros_like(gained)), axis=-1)


def truthfulness_violation(
    rule: Rule,
    values: np.ndarray,
    priorities: np.ndarray,
    *,
    sides: str = "two",
    reports: np.ndarray | None = None,
    agents: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Compute :func:`dominance_violation` of the best of all reports, by rows (B, n) and by columns (B, m).

    The published violation of strategyproofness is the mean of the two means.

    Args:
        rule: of shares by values and priorities.
        values: (B, n, m).
        priorities: (B, n, m).
        sides: ``two``, or ``one`` where rows alone report: then columns have none, (B, 0).
        reports: what may be reported, (A, m), on NumPy; None for all lists with truncation.
        agents: number of rows, and of columns, that try them, the first ones; None for all.
    """
    truth = np.asarray(rule(values, priorities))

    def tried(side: int) -> np.ndarray:
        """Compute the violations of rows (0), or of columns (1), (B, n) or (B, m)."""
        own, granted = ((np.swapaxes(x, 1, 2) if side else x) for x in ((values, priorities)[side], truth))
        menu = all_reports(own.shape[2]) if reports is None else reports
        found = np.zeros((len(own), own.shape[1] if agents is None else min(agents, own.shape[1])))
        step = max(CHUNK // len(menu), 1)
        for start in range(0, len(own), step):
            part = slice(start, start + step)
            size = len(own[part])
            for agent in range(found.shape[1]):
                told = np.repeat(own[part], len(menu), axis=0)
                told[:, agent] = np.tile(menu, (size, 1))
                others = np.repeat((priorities, values)[side][part], len(menu), axis=0)
                decided = rule(others, np.swapaxes(told, 1, 2)) if side else rule(told, others)
                reached = np.asarray(np.swapaxes(decided, 1, 2) if side else decided)[:, agent]
                reached = reached.reshape(size, len(menu), -1)
                found[part, agent] = dominance_violation(granted[part, agent], reached, own[part, agent]).max(-1)
        return found

    return tried(0), tried(1) if sides == "two" else np.zeros((len(values), 0))
