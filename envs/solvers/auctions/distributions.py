"""Distributions of private types, and their virtual values (Myerson 1981, with ironing).

A participant with value v drawn from F, density f, has the virtual value phi(v) = v - (1 - F(v)) / f(v): the slope of
the revenue curve R(q) = q F^-1(1 - q), what a price earns that is paid with probability q. Where R is not concave, the
slope of its concave hull takes its place: the *ironed* virtual value, which never falls.

Under a piecewise-uniform density R is one arc of a parabola a piece. The hull is scanned arc by arc, and every stretch
of it that leaves the curve is the common tangent of two arcs: the one number that is computed by bisection, down to
rounding. So the ironed virtual value is piecewise linear, with slope 2 or 0 and possibly upward jumps.

    >>> Distribution(0.0, 1.0).virtual_value(np.array([0.25, 0.5, 1.0]))  # uniform: 2 v - 1
    array([-0.5,  0. ,  1. ])
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace, total
from lawgiver.envs.core.errors import ParameterError, number

NEGLIGIBLE = 1e-12
"""A piece with less mass than this is a gap: nothing is drawn from it."""


MASSES = "a list of relative probabilities of the pieces, numbers >= 0"
"""Allowed masses, as messages name them."""


@dataclass(frozen=True)
class Distribution:
    """A density that is constant on each of several pieces of equal width.

    Args:
        low: least value.
        high: greatest value, above ``low``.
        masses: relative probability of each piece, in ascending order; kept so that they add up to 1. One piece is the
            uniform distribution.

    Raises:
        ParameterError: naming the parameter that is outside its range.
    """

    low: float
    high: float
    masses: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        """Check the parameters."""
        low = number("low", self.low, "(-inf, inf)")
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", number("high", self.high, f"({low}, inf)"))
        object.__setattr__(self, "masses", _checked(self.masses))

    @property
    def mean(self) -> float:
        """The expected value."""
        pieces = self.pieces
        return float(pieces.masses @ (pieces.starts + pieces.masses / pieces.densities / 2))

    @cached_property
    def pieces(self) -> Pieces:
        """The pieces that something is drawn from."""
        masses = np.array(self.masses)
        starts = np.linspace(self.low, self.high, len(masses) + 1)[:-1]
        kept = masses > NEGLIGIBLE
        masses, starts = masses[kept] / masses[kept].sum(), starts[kept]
        below = np.concatenate([[0.0], np.cumsum(masses)[:-1]])
        return Pieces(starts, masses, below, masses * len(self.masses) / (self.high - self.low))

    @cached_property
    def trimmed(self) -> Distribution:
        """The same distribution without the gaps below the least value that is drawn and above the greatest."""
        drawn = np.flatnonzero(np.array(self.masses) > NEGLIGIBLE)
        first, last = int(drawn[0]), int(drawn[-1]) + 1
        if last - first == len(self.masses):
            return self
        ends = np.linspace(self.low, self.high, len(self.masses) + 1)
        return Distribution(float(ends[first]), float(ends[last]), self.masses[first:last])

    @cached_property
    def segments(self) -> Segments:
        """The stretches on which the ironed virtual value is linear, in ascending order."""
        return _segments(self.pieces)

    def quantile(self, u: Array) -> Array:
        """Compute the quantile (...) at ``u`` (...) in [0, 1]."""
        pieces = self.pieces
        k = _stretch(u, pieces.below)
        starts, below, densities = (constant(x, u)[k] for x in (pieces.starts, pieces.below, pieces.densities))
        return starts + (u - below) / densities

    def cdf(self, v: Array) -> Array:
        """Return the probability (...) of a value of at most ``v`` (...)."""
        xp, pieces = namespace(v), self.pieces
        reached = (v[..., None] - constant(pieces.starts, v)) * constant(pieces.densities, v)
        masses = constant(pieces.masses, v)
        return total(xp.minimum(xp.maximum(reached, xp.zeros_like(reached)), masses + xp.zeros_like(reached)))

    def virtual_value(self, v: Array) -> Array:
        """Return the ironed virtual value (...) of ``v`` (...); values outside the support are clipped to it.

        Uniform on [low, high]: 2 v - high.
        """
        xp, segments = namespace(v), self.segments
        inside = xp.clip(v, float(segments.starts[0]), float(segments.ends[-1]))
        k = _stretch(v, segments.starts)
        starts, first, slope = (constant(x, v)[k] for x in (segments.starts, segments.first, segments.slopes))
        return first + (inside - starts) * slope

    def critical(self, t: Array, *, above: bool = False) -> Array:
        """Return the least value (...) whose ironed virtual value is at least ``t`` (...), or above it.

        Where no value's is, the greatest value. The two differ where a stretch of values has the virtual value t.

        >>> Distribution(0.0, 1.0).critical(np.array([-3.0, 0.0, 0.5]))
        array([0.  , 0.5 , 0.75])
        """
        xp, segments = namespace(t), self.segments
        last = np.minimum(segments.last, np.append(segments.first[1:], np.inf))  # a rise that rounds beyond a flat
        k = _place(t, last, "right" if above else "left")
        beyond = k == len(last)
        k = xp.where(beyond, xp.full_like(k, len(last) - 1), k)
        starts, ends, first, slopes = (
            constant(x, t)[k] for x in (segments.starts, segments.ends, segments.first, segments.slopes)
        )
        inside = starts + xp.clip(t - first, 0.0, None) / xp.where(slopes > 0, slopes, xp.ones_like(slopes))
        return xp.where(beyond, ends, xp.where(slopes > 0, xp.minimum(inside, ends), starts))

    def virtual_survival(self, t: np.ndarray) -> np.ndarray:
        """Return the probability (...) that the ironed virtual value is above ``t`` (...); NumPy."""
        segments, t = self.segments, t[..., None]
        rise = np.where(segments.slopes > 0, segments.last - segments.first, 1)
        share = np.clip((segments.last - t) / rise, 0, 1)
        chance: np.ndarray = np.where(segments.slopes > 0, share, segments.first > t) @ segments.masses
        return chance


class Pieces(NamedTuple):
    """Start of each piece of a distribution, its mass, the mass below it and its density; arrays (k,)."""

    starts: np.ndarray
    masses: np.ndarray
    below: np.ndarray
    densities: np.ndarray


class Segments(NamedTuple):
    """Start and end of each segment, its first ironed virtual value, its slope, its mass; arrays (k,)."""

    starts: np.ndarray
    ends: np.ndarray
    first: np.ndarray
    slopes: np.ndarray
    masses: np.ndarray

    @property
    def last(self) -> np.ndarray:
        """The last ironed virtual value of each segment."""
        last: np.ndarray = self.first + self.slopes * (self.ends - self.starts)
        return last


class _Arc(NamedTuple):
    """The revenue curve q (top - q / density) for q in [start, end]."""

    start: float
    end: float
    top: float
    density: float

    def contact(self, slope: float) -> float:
        """Find the contact point of the arc with a line of this slope lowered from above."""
        return min(max((self.top - slope) * self.density / 2, self.start), self.end)

    def height(self, slope: float) -> float:
        """Compute the intercept of that line at q = 0."""
        q = self.contact(slope)
        return q * (self.price(q) - slope)

    def price(self, q: float) -> float:
        """Return the price that is paid with probability q."""
        return self.top - q / self.density

    def slope(self, q: float) -> float:
        """Return the slope of the revenue curve, the virtual value."""
        return self.top - 2 * q / self.density


def _tangent(left: _Arc, right: _Arc) -> float:
    """Return the slope of the common tangent of two arcs; the least slope at a concave kink."""
    scale = abs(left.top) + abs(right.top) + 1 / left.density + 1 / right.density
    meet = left.end == right.start and abs(left.price(left.end) - right.price(right.start)) <= 1e-12 * scale
    if meet and left.slope(left.end) >= right.slope(right.start) - 1e-12 * scale:
        return right.slope(right.start)

    def excess(slope: float) -> float:  # rises with the slope, because the left arc touches at the smaller q
        return left.height(slope) - right.height(slope)

    low, high = -scale, scale
    while excess(low) > 0:
        low *= 2
    while excess(high) < 0:
        high *= 2
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if excess(middle) < 0 else (low, middle)
    return high


def _segments(pieces: Pieces) -> Segments:
    """Scan the concave hull of the revenue curve from high prices, q = 0, to low ones, q = 1."""
    edges = np.append(1 - pieces.below, 0.0)  # so that neighbours share their ends to the last bit
    hull: list[tuple[_Arc, float]] = []  # each with the slope at which the hull comes to it
    for k in reversed(range(len(pieces.starts))):
        density = float(pieces.densities[k])
        start, end = float(edges[k + 1]), float(edges[k])
        arc, slope = _Arc(start, end, float(pieces.starts[k]) + end / density, density), math.inf
        while hull and (slope := _tangent(hull[-1][0], arc)) > hull[-1][1]:
            hull.pop()
        hull.append((arc, slope))
    rows: list[tuple[float, ...]] = []
    left, price = 0.0, hull[0][0].price(0.0)  # where the hull last lay on the curve
    for (arc, slope), leave in zip(hull, [slope for _, slope in hull[1:]] + [-math.inf], strict=True):
        start, end = arc.contact(slope), arc.contact(leave)
        if start - left > NEGLIGIBLE:
            rows.append((arc.price(start), price, slope, 0.0, start - left))
        if end - start > NEGLIGIBLE:
            rows.append((arc.price(end), arc.price(start), arc.slope(end), 2.0, end - start))
        left, price = end, arc.price(end)
    return Segments(*np.array(rows[::-1]).T)


def _stretch(x: Array, starts: np.ndarray) -> Array:
    """Return the index (...) of the interval that contains ``x`` (...), of intervals that start at ``starts`` (k,)."""
    return _place(x, starts[1:], "right")


def _place(x: Array, among: np.ndarray, side: Literal["left", "right"]) -> Array:
    """Count the ascending numbers ``among`` (k,) that are below ``x`` (...), of ``right`` the equal ones as well."""
    if type(x) is np.ndarray:
        return np.searchsorted(constant(among, x), x, side=side)
    return namespace(x).searchsorted(constant(np.ascontiguousarray(among), x), x.contiguous(), side=side)


def _checked(masses: Sequence[float]) -> tuple[float, ...]:
    told = f"masses is {masses!r}, allowed: the relative probabilities of one or more pieces, some of them above 0"
    if isinstance(masses, str) or not isinstance(masses, (Sequence, np.ndarray)) or not len(masses):
        raise ParameterError(told)
    relative = [number(f"masses[{k}]", mass, "[0, inf)") for k, mass in enumerate(masses)]
    if not 0 < sum(relative) < math.inf:
        raise ParameterError(told)
    return tuple(mass / sum(relative) for mass in relative)
