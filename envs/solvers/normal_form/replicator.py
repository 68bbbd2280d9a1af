"""Replicator dynamics: the share of a strategy grows by what it earns above the mean of its population.

dx_a / dt = x_a (u_a(x) - x . u(x)) (Taylor and Jonker 1978), by the Runge-Kutta method of fourth order. In zero-sum
games with an interior equilibrium orbits are closed around it (Hofbauer 1996): in rock-paper-scissors the product of
shares stays what it is.

    >>> from lawgiver.envs.solvers.normal_form.forms import SymmetricForm
    >>> rps = SymmetricForm([[0, -1, 1, 0, 0, 0], [0, 1, 0, 0, -1, 0], [0, 0, -1, 0, 1, 0]], 2)
    >>> path = replicator(rps, 20.0, start=[[0.6, 0.3, 0.1]]).shares[0]
    >>> bool(np.abs(path.prod(axis=1) - 0.018).max() < 1e-9)
    True
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lawgiver.envs.core.errors import ParameterError, number
from lawgiver.envs.solvers.normal_form.forms import Form, Mixtures, checked_mixtures

LONGEST = 1_000_000
"""Steps of an integration."""


@dataclass(frozen=True, eq=False)
class Orbit:
    """A course of the replicator dynamics.

    Attributes:
        times: (T + 1,), from 0.
        shares: of the strategies of each population at these times, (T + 1, A_i) each.
    """

    times: np.ndarray
    shares: tuple[np.ndarray, ...]

    @property
    def average(self) -> Mixtures:
        """Mean shares over time."""
        return tuple(np.asarray(np.trapezoid(each, self.times, axis=0) / self.times[-1]) for each in self.shares)

    @property
    def last(self) -> Mixtures:
        """Shares at the end."""
        return tuple(each[-1] for each in self.shares)


def replicator(
    form: Form, time: float = 100.0, step: float = 0.01, start: Sequence[Sequence[float]] | None = None
) -> Orbit:
    """Follow the replicator dynamics.

    Args:
        form: the game; a symmetric one is played by a single population.
        time: to the end, > 0; payoffs are per unit of it.
        step: of the integration, > 0.
        start: shares at the beginning, uniform by default.

    Raises:
        ParameterError: if an argument is outside its range.
    """
    time, step = number("time", time, "(0, inf)"), number("step", step, "(0, inf)")
    count = max(1, round(time / step))
    if count > LONGEST:
        raise ParameterError(f"time is {time:g} in steps of {step:g}, allowed: at most {LONGEST:,} steps")
    shares = checked_mixtures(form, start)
    length, path = time / count, [shares]
    for _ in range(count):
        first = _growth(form, shares)
        second = _growth(form, _moved(shares, first, length / 2))
        third = _growth(form, _moved(shares, second, length / 2))
        fourth = _growth(form, _moved(shares, third, length))
        slope = tuple((a + 2 * b + 2 * c + d) / 6 for a, b, c, d in zip(first, second, third, fourth, strict=True))
        moved = (np.maximum(each, 0.0) for each in _moved(shares, slope, length))
        shares = tuple(each / each.sum() for each in moved)
        path.append(shares)
    return Orbit(np.linspace(0.0, time, count + 1), tuple(map(np.array, zip(*path, strict=True))))


def _growth(form: Form, shares: Mixtures) -> Mixtures:
    return tuple(mine * (worth - mine @ worth) for mine, worth in zip(shares, form.against(shares), strict=True))


def _moved(shares: Mixtures, slope: Mixtures, length: float) -> Mixtures:
    return tuple(mine + length * growth for mine, growth in zip(shares, slope, strict=True))
