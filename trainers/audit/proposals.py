"""Proposals of misreports in any game: extremes, exaggerations, near-ties, other people's types, random draws.

They depend on the layout of a report alone. A field alone is searched number by number and in
proportions; all fields at once as wholes, since what single fields can do is searched by then.

Each is a report of every participant of every profile at once, (P, n, k), inside the bounds of the reports.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

FACTORS = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.01, 1.05, 1.1, 1.25, 1.5, 2.0, 4.0, 10.0)
"""By which the truth is scaled."""
NEAR = (0.0, 1e-6, -1e-6, 1e-3, -1e-3, 0.02, -0.02)
"""How far above the truth or another's report a near-tie lies, as shares of the range of the number."""
RIVALS = 8
"""Others whose types are tried, at most."""
POWERS = (0.5, 2.0, 4.0, 8.0)
"""To which the truth is raised: above 1 what is great stands out."""
PROPORTIONS = 1e-3
"""How far from another's proportion of two numbers a near-tie lies, as a share of it."""
PAIRS = 12
"""Pairs of a field's numbers whose proportion is brought next to others', at most."""


def heuristic(types: np.ndarray, low: np.ndarray, high: np.ndarray, field: slice | None) -> Iterator[np.ndarray]:
    """Yield misreports by rule.

    Args:
        types: what is true, and what all others report, (P, n, k).
        low: the least report, (k,); ``high`` the greatest.
        field: the one that is misreported; None for all at once.
    """
    for proposal in _wholes(types, low, high):
        yield np.clip(proposal, low, high)
    if field is None:
        return
    for own in _of_field(types[..., field], low[field], high[field]):
        yield _with(types, field, own, low, high)
    for place in range(types.shape[2])[field]:
        for value in (low[place], high[place], *(factor * types[..., place] for factor in (0.5, 2.0))):
            yield _with(types, place, value, low, high)
        for rival in _ordered(types[..., place]):
            for margin in NEAR:
                yield _with(types, place, rival + margin * (high - low)[place], low, high)


def _ordered(numbers: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the others' numbers (P, n) by size, from the least to the greatest, for numbers (P, n)."""
    count = numbers.shape[1] - 1
    others = np.sort([np.roll(numbers, -1 - other, axis=1) for other in range(count)], axis=0)
    for rank in _spread(count):
        yield others[rank]


def _spread(count: int, most: int = RIVALS) -> list[int]:
    """Choose up to ``most`` of the numbers 0 to count - 1, evenly spread, both ends included."""
    return sorted({round(x) for x in np.linspace(0, count - 1, min(count, most)).tolist()})


def coordinate(
    best: np.ndarray, types: np.ndarray, low: np.ndarray, high: np.ndarray, field: slice
) -> Iterator[np.ndarray]:
    """Yield the best reports (P, n, k) of all other fields together with bounds and multiples of one field's truth."""
    for own in (low[field], high[field], *(factor * types[..., field] for factor in FACTORS)):
        yield _with(best, field, own, low, high)


def _wholes(types: np.ndarray, low: np.ndarray, high: np.ndarray) -> Iterator[np.ndarray]:
    """Yield misreports that change all numbers of a report by one rule."""
    for extreme in (low, high, (low + high) / 2):
        yield np.broadcast_to(extreme, types.shape)
    for factor in FACTORS:
        yield factor * types
    for margin in NEAR[1:]:
        yield types + margin * (high - low)
    for rank in _spread(types.shape[1] - 1):
        rival = np.roll(types, -1 - rank, axis=1)
        for margin in NEAR:
            yield rival + margin * (high - low)
    yield from _mixed(types, high - low)
    yield low + high - types


def _mixed(types: np.ndarray, span: np.ndarray) -> Iterator[np.ndarray]:
    """Yield, number by number, the greater and the less of the truth and of a near-tie with a rival.

    Where many things are for sale at once, the best report may be a near-tie for those that are won, and the truth for
    the others. The rival is each of the others, and whoever has the least or the greatest of each number.
    """
    if types.shape[2] == 1 or types.shape[1] == 1:
        return
    others = [np.roll(types, -1 - rank, axis=1) for rank in range(types.shape[1] - 1)]
    extremes = [np.min(others, axis=0), np.max(others, axis=0)] if len(others) > 1 else []
    for rival in (*extremes, *(others[rank] for rank in _spread(len(others)))):
        for margin in NEAR:
            yield np.maximum(types, rival + margin * span)
            yield np.minimum(types, rival + margin * span)


def _of_field(own: np.ndarray, low: np.ndarray, high: np.ndarray) -> Iterator[np.ndarray]:
    """Yield other numbers (P, n, s) for one field of several, with true numbers ``own`` between bounds (s,)."""
    if own.shape[-1] == 1:
        return
    yield from _rearranged(own)
    for place in np.eye(own.shape[-1], dtype=bool):
        yield np.broadcast_to(np.where(place, high, low), own.shape)
        yield np.broadcast_to(np.where(place, low, high), own.shape)
    if (low >= 0).all():  # proportions mean something
        greatest = np.maximum(own.max(-1, keepdims=True), np.finfo(float).tiny)
        for power in POWERS:
            yield high * (own / greatest) ** power
        yield from _near_proportions(own, low, high)


def _rearranged(own: np.ndarray) -> Iterator[np.ndarray]:
    """Yield a field's numbers in other orders: turned round, sorted both ways, and all alike at their mean."""
    ascending = np.sort(own, axis=-1)
    for shift in range(1, own.shape[-1]):
        yield np.roll(own, shift, axis=-1)
    yield ascending
    yield ascending[..., ::-1]
    yield np.broadcast_to(own.mean(-1, keepdims=True), own.shape)


def _near_proportions(own: np.ndarray, low: np.ndarray, high: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the truth with two numbers in a proportion just above or below another's.

    Where shares go by proportions, whoever is just short of another's takes nearly all that the other could as well
    do without. One number gives way, and the other as well where the first would leave its bounds.
    """
    pairs = [(one, two) for one in range(own.shape[-1]) for two in range(own.shape[-1]) if one != two]
    floored = np.maximum(own, np.finfo(float).tiny)
    for at in _spread(len(pairs), PAIRS):
        one, two = pairs[at]
        for rival in _ordered(floored[..., one] / floored[..., two]):
            for proportion in (rival * (1 - PROPORTIONS), rival * (1 + PROPORTIONS)):
                report = own.copy()
                report[..., one] = np.clip(own[..., two] * proportion, low[one], high[one])
                report[..., two] = np.clip(report[..., one] / proportion, low[two], high[two])
                yield report


def _with(types: np.ndarray, place: int | slice, value: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    report = types.copy()
    report[..., place] = np.clip(value, low[place], high[place])
    return report


def uniform(shape: tuple[int, ...], low: np.ndarray, high: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw reports uniformly between the bounds, (P, n, k)."""
    reports: np.ndarray = low + rng.random(shape) * (high - low)
    return reports
