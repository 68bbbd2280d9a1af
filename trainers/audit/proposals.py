"""Misreports that are worth trying in any game: extremes, exaggerations, near-ties, other people's types, chance.

Each is a report of every participant of every profile at once, (P, n, k), inside the bounds of the reports.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

FACTORS = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.01, 1.05, 1.1, 1.25, 1.5, 2.0, 4.0, 10.0)
"""By which the truth is scaled."""
MARGINS = (1e-6, 1e-3, 0.02)
"""How far beside another's report a near-tie lies, as a share of the range of the number."""


def structured(
    types: np.ndarray, low: np.ndarray, high: np.ndarray, fields: list[slice], varied: np.ndarray
) -> Iterator[np.ndarray]:
    """Yield misreports by rule.

    Args:
        types: what is true, and what all others report, (P, n, k).
        low: the least report, (k,); ``high`` the greatest.
        fields: where each field stands.
        varied: which numbers may differ from the truth, (k,): what single numbers are tried.
    """
    for proposal in _wholes(types, low, high, fields):
        yield np.clip(proposal, low, high)
    others = range(1, types.shape[1])
    for place in np.flatnonzero(varied).tolist():
        for value in (low[place], high[place], *(factor * types[..., place] for factor in (0.5, 2.0))):
            yield _with(types, place, value, low, high)
        for shift in others:
            rival = np.roll(types[..., place], -shift, axis=1)
            for margin in (0.0, *MARGINS):
                for sign in (1, -1) if margin else (1,):
                    yield _with(types, place, rival + sign * margin * (high - low)[place], low, high)


def _wholes(types: np.ndarray, low: np.ndarray, high: np.ndarray, fields: list[slice]) -> Iterator[np.ndarray]:
    """Yield misreports that change all numbers of a report by one rule."""
    for extreme in (low, high, (low + high) / 2):
        yield np.broadcast_to(extreme, types.shape)
    for factor in FACTORS:
        yield factor * types
    for margin in MARGINS:
        for sign in (1, -1):
            yield types + sign * margin * (high - low)
    for shift in range(1, types.shape[1]):
        rival = np.roll(types, -shift, axis=1)
        yield rival
        for margin in MARGINS:
            for sign in (1, -1):
                yield rival + sign * margin * (high - low)
    yield low + high - types
    for field in fields:
        yield from _rearranged(types, field)


def _rearranged(types: np.ndarray, field: slice) -> Iterator[np.ndarray]:
    """Yield one field's numbers in other orders: turned round, sorted both ways, and all alike at their mean."""
    own = types[..., field]
    size = own.shape[-1]
    if size == 1:
        return
    ascending = np.sort(own, axis=-1)
    average = np.broadcast_to(own.mean(-1, keepdims=True), own.shape)
    for other in (
        *(np.roll(own, shift, axis=-1) for shift in range(1, size)),
        ascending,
        ascending[..., ::-1],
        average,
    ):
        report = types.copy()
        report[..., field] = other
        yield report


def _with(types: np.ndarray, place: int, value: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    report = types.copy()
    report[..., place] = np.clip(value, low[place], high[place])
    return report


def anywhere(shape: tuple[int, ...], low: np.ndarray, high: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return reports drawn uniformly between the bounds, (P, n, k)."""
    reports: np.ndarray = low + rng.random(shape) * (high - low)
    return reports
