r"""Confidence bounds on values that are learned by asking, the questions that narrow them, and bounds on regret.

After N answers in [0, 1] with the mean m, the truth lies within m +- w, w = sqrt(ln(2 P n T^2) / (2 N)), for all P n
pairs and at all times up to T, with a probability of at least 1 - 1/T (Hoeffding 1963 for a pair and a number of
answers, and a union bound over both). :func:`interval` cuts this down to [0, 1].

*Dueling bounds*: the assignment is the best by its optimistic value, and the question is about what its pessimistic
value hangs on, so that the two meet where they are farthest apart. The regret of the period is at most the difference
of these values. :func:`dueling_questions` asks about a pair of whose gap, min(1, 2 w), it is at most a multiple c:

    max_min           c = 1 / min e         who is worst off by lower bounds: f(x*) <= U_i / e_i and f(x_t) >= L_i / e_i
    sum               c = n                 the pair of the widest interval, of n that add up
    nash              c = n / 0.05          likewise, times 1 / max(L_i, 0.05), the steepest slope of log there
    proportionality   c = 2 (1 - 1/n)       who may miss its share by most, about its least known item: two weights of
                                            1 - 1/n in all
    envy              c = 2                 of those who may envy most the one whose envy is known least, about its own
                                            item or the envied one, the less known
    stability         c = 2                 the pair that may gain most by each other, about the least known of the four
                                            values that this hangs on

A pair of which s answers are known has a gap of at most min(1, 2 w(s)); so T questions, spread over P n pairs, add up
to P n + 2 sqrt(2 ln(2 P n T^2) P n T) at most, and regret to c times that: :func:`regret_bound`.

Values of items that an agent has not got can only be asked for in the query mode ``any_pair``; the last three criteria
hang on them, so that with ``own`` there is no such bound.
"""

from __future__ import annotations

import math
from numbers import Real

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace
from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.solvers.online_allocation.assignments import all_assignments, at_items, inverse
from lawgiver.envs.solvers.online_allocation.criteria import COMBINED, FLOOR, LOSSES, TIE, Criterion

UNASKED = 0.5
"""Number of answers that a pair counts for that nobody was asked about, so that its half-width is finite."""


def log_term(criterion: Criterion, rounds: int) -> float:
    """Compute ln(2 P n T^2), by which intervals hold at once in all T = ``rounds`` rounds."""
    return math.log(2 * criterion.participants * criterion.n * rounds**2)


def half_widths(criterion: Criterion, counts: Array, rounds: int) -> Array:
    """Compute the half-width w of the interval of each pair, (B, P, n), for its number of answers."""
    xp = namespace(counts)
    answers = xp.maximum(counts, constant(UNASKED, counts))
    return xp.sqrt(log_term(criterion, rounds) / (2 * answers))


def interval(criterion: Criterion, estimates: Array, counts: Array, rounds: int) -> tuple[Array, Array]:
    """Compute lower and upper bounds of values in [0, 1], (B, P, n) each.

    Args:
        criterion: the criterion, for the number of pairs.
        estimates: mean answers, (B, P, n).
        counts: numbers of answers, (B, P, n); the interval of a pair without any is [0, 1].
        rounds: number of rounds T in which all intervals are to hold.
    """
    xp = namespace(estimates)
    width = half_widths(criterion, counts, rounds)
    unknown = counts == 0
    lower = xp.maximum(estimates - width, xp.zeros_like(estimates))
    upper = xp.minimum(estimates + width, xp.ones_like(estimates))
    return xp.where(unknown, xp.zeros_like(lower), lower), xp.where(unknown, xp.ones_like(upper), upper)


def dueling_questions(
    criterion: Criterion, lower: Array, upper: Array, widths: Array, assignment: Array
) -> tuple[Array, Array]:
    """Find how urgent a question to each participant is, (B, P), and the item to ask it about, integers (B, P).

    Args:
        criterion: the criterion.
        lower: lower bounds of the values, (B, P, n).
        upper: upper bounds, (B, P, n).
        widths: half-widths of the intervals, (B, P, n).
        assignment: the item of each agent, integers (B, n).
    """
    xp = namespace(lower)
    own = criterion.matched(assignment)
    upper = upper + TIE * widths  # where bounds are cut off at 1, the one that is known least comes first
    if criterion.two_sided:
        urgency, other = _blocking(criterion, lower, upper, assignment)
        item = _less_known(widths, own, other)
    elif COMBINED[criterion.name] == "sum":
        urgency, item = at_items(widths * criterion.slopes(lower), own), own
    else:
        urgency, item = -at_items(criterion.pair_values(lower, upper), own), own
        if criterion.name == "proportionality":
            item = xp.argmax(widths, axis=-1)
        if criterion.name == "envy":
            urgency, item = _envious(criterion, lower, upper, widths, own)
    return urgency + TIE * at_items(widths, item), item


def _less_known(widths: Array, one: Array, other: Array) -> Array:
    """Choose of two items of each participant, (B, P) each, the one with the wider interval."""
    return namespace(widths).where(at_items(widths, one) >= at_items(widths, other), one, other)


def _envious(criterion: Criterion, lower: Array, upper: Array, widths: Array, own: Array) -> tuple[Array, Array]:
    """Find who may be the most envious and is known least, (B, P), and whose item to ask about, integers (B, P).

    Where nobody can be spared envy, it is soon known who envies most; that nobody else does has to be learned as well.
    Regret is at most what is unknown of the envy of whoever may envy most, and so of whoever is asked.
    """
    xp = namespace(lower)
    most = -at_items(criterion.pair_values(lower, upper), own)
    least = -at_items(criterion.pair_values(upper, lower), own)
    may_be = most >= xp.max(least, axis=-1, keepdims=True)
    own_item = constant(range(criterion.n), lower) == xp.astype(own, lower.dtype)[..., None]
    envied = xp.argmax(xp.where(own_item, constant(-1.0, lower), upper), axis=-1)
    return xp.where(may_be, most - least, most - 2), _less_known(widths, own, envied)


def _blocking(criterion: Criterion, lower: Array, upper: Array, assignment: Array) -> tuple[Array, Array]:
    """Find what each participant may gain with another partner who gains too, at most, and that partner, (B, P)."""
    xp = namespace(lower)
    alike = all_assignments(criterion.n)[:1]
    own, others = (criterion.relabelled(bound, assignment) for bound in (lower, upper))
    gain = criterion.blocking(own, others, alike)[:, 0]  # of agent i and the item of agent j
    back = inverse(assignment)
    agents_gain, items_gain = xp.max(gain, axis=-1), xp.max(gain, axis=-2)
    agents_other = xp.take_along_axis(assignment, xp.argmax(gain, axis=-1), axis=-1)
    items_other = xp.take_along_axis(xp.argmax(gain, axis=-2), back, axis=-1)
    urgency = xp.concat([agents_gain, xp.take_along_axis(items_gain, back, axis=-1)], axis=-1)
    return urgency, xp.concat([agents_other, items_other], axis=-1)


def gap_multiple(criterion: Criterion, query: str) -> float:
    """Compute c: a period's regret is at most c times the gap of the pair that dueling bounds ask about.

    Raises:
        UnsupportedGameError: where no answer bounds regret: losses in the query mode ``own``.
    """
    n = criterion.n
    if criterion.name in LOSSES:
        if query == "own":
            raise UnsupportedGameError(
                f"regret by {criterion.name!r} hangs on values of items that are somebody else's: no bound is known"
                " with query='own', allowed: query='any_pair'"
            )
        return 2 * (1 - 1 / n) if criterion.name == "proportionality" else 2.0
    return {"sum": float(n), "nash": n / FLOOR, "max_min": 1 / min(criterion.entitlements)}[criterion.name]


def largest_regret(criterion: Criterion) -> float:
    """Compute the largest regret that a period can have, for values in [0, 1]."""
    n = criterion.n
    return {"sum": float(n), "nash": -n * math.log(FLOOR), "max_min": 1 / max(criterion.entitlements)}.get(
        criterion.name, 1.0
    )


def regret_bound(criterion: Criterion, query: str, rounds: int, t: Array | float) -> Array:
    """Compute the proven bound on cumulative regret of dueling bounds with one question a period or more.

    It holds in all of the first t periods at once with a probability of at least 1 - 1/T.

    Args:
        criterion: the criterion.
        query: query mode, ``own`` or ``any_pair``.
        rounds: T, the number of rounds that the confidence bounds are made for.
        t: numbers of periods up to T, of any shape, or one number.

    Raises:
        UnsupportedGameError: where none is known, see :func:`gap_multiple`.
    """
    t = np.asarray(t, float) if isinstance(t, Real) else t
    xp = namespace(t)
    pairs = criterion.participants * criterion.n
    gaps = pairs + 2 * xp.sqrt(2 * log_term(criterion, rounds) * pairs * t)
    return xp.minimum(gap_multiple(criterion, query) * gaps, largest_regret(criterion) * t)
