"""Distributions of the fraction of an offer that is returned, in [0, 1] or in whole points, on NumPy and torch.

A fraction is nothing, everything, any alike, or near one of K aims:

    w_0 [x = 0] + w_1 [x = 1] + w_2 + sum_k w_(2+k) f((x - m_k) / s_k) / (s_k Z_k)          on [0, 1],

f being the logistic density, and Z_k = F((1 - m_k) / s_k) - F(-m_k / s_k) what the interval keeps of its mass. The
logistic function F, its inverse and differences of it have closed forms, exact far out in the tails too, which the
normal distribution has not; discretised mixtures of it are a common model of whole numbers (Salimans, Karpathy, Chen
and Kingma 2017, PixelCNN++, arXiv 1701.05517, section 2.1).

Of an offer of t whole points the point k = 0, ..., t is returned where floor(x (t + 1)) = k: so every cell is as wide,
'any alike' gives every legal return the same probability, and as offers grow the returned fraction tends to x.

    >>> weights, aim, noise = np.array([0.1, 0.0, 0.3, 0.6]), np.array([0.5]), np.array([0.2])
    >>> np.exp(ReturnedFraction(weights, aim, noise).log_probabilities(np.array(2.0), 4)).round(3)
    array([0.304, 0.491, 0.204, 0.   ])
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace

NOTHING, EVERYTHING, ANY, AIMS = 0, 1, 2, 3
"""Columns of the weights; those of the aims are the last ones."""
SCALE = math.sqrt(3) / math.pi
"""Scale of a logistic distribution of standard deviation 1."""
CELLS = 200
"""Of the interval, for moments."""


@dataclass(frozen=True)
class ReturnedFraction:
    """Mixture of nothing, everything, the uniform distribution and K logistic ones truncated to [0, 1].

    Attributes:
        weights: probabilities of nothing, of everything, of the uniform component and of each aim, (..., 3 + K).
        aims: the modes m of the logistic components if they lie in [0, 1]; any number, (..., K).
        noise: standard deviations of those before they are truncated, s = sqrt(3) / pi times as large; > 0, (..., K).
    """

    weights: Array
    aims: Array
    noise: Array

    def log_probabilities(self, offers: Array, n_actions: int) -> Array:
        """Compute those of returning 0, 1, ... whole points of offers >= 0 (...), (..., n_actions).

        Minus infinity above the offer, which is at most ``n_actions - 1`` points; of less than 1 point 0 is returned.
        """
        return self._whole(constant(np.arange(n_actions + 1), self.aims), offers)

    def log_probability(self, points: Array, offers: Array) -> Array:
        """Compute that of returning so many whole points (...) of offers >= 0 (...), (...)."""
        return self._whole(points[..., None] + constant([0.0, 1.0], self.aims), offers)[..., 0]

    def _whole(self, ends: Array, offers: Array) -> Array:
        """Compute the log-probabilities of L successive whole points, given with the one after, (..., L + 1)."""
        xp = namespace(self.aims)
        top, action = xp.floor(offers)[..., None], ends[..., :-1]
        legal = action <= top
        bells = self._cells(ends / (top + 1))
        found = self.weights[..., ANY, None] / (top + 1) + xp.sum(self.weights[..., AIMS:, None] * bells, axis=-2)
        found = found + xp.where(action == 0, self.weights[..., NOTHING, None], xp.zeros_like(found))
        found = found + xp.where(action == top, self.weights[..., EVERYTHING, None], xp.zeros_like(found))
        return xp.where(legal, xp.log(xp.where(legal, found, xp.ones_like(found))), constant(-np.inf, self.aims))

    def log_density(self, fractions: Array) -> Array:
        """Compute the log-density at fractions (...) in [0, 1]; at 0 and at 1 that of the probabilities there."""
        xp = namespace(self.aims)
        low, high, scale = self._ends()
        z = (fractions[..., None] - self.aims) / scale
        bells = xp.exp(z - 2 * _softplus(z) - _log_mass(low, high)) / scale
        found = self.weights[..., ANY] + xp.sum(self.weights[..., AIMS:] * bells, axis=-1)
        found = xp.where(fractions <= 0, self.weights[..., NOTHING], found)
        return xp.log(xp.where(fractions >= 1, self.weights[..., EVERYTHING], found))

    def draw(self, levels: Array) -> Array:
        """Choose fractions (...) by uniform numbers ``levels`` (...) in [0, 1).

        Each picks a component, and inverts its distribution function with what is left of it. Gradients with respect
        to aims and noise pass through the choice of a component, whose own depends on the weights.
        """
        xp = namespace(self.aims)
        ends = xp.cumulative_sum(self.weights, axis=-1)
        levels = levels * ends[..., -1]  # the weights sum to 1 up to rounding
        before = levels[..., None] - (ends - self.weights)
        within = xp.clip(before / xp.where(self.weights > 0, self.weights, xp.ones_like(self.weights)), 0.0, 1.0)
        found = xp.where(levels < ends[..., NOTHING], xp.zeros_like(levels), xp.ones_like(levels))
        found = xp.where(levels < ends[..., EVERYTHING], found, within[..., ANY])
        bells = self._inverse(within[..., AIMS:])
        for k in range(self.aims.shape[-1]):  # components, a few
            found = xp.where(levels < ends[..., AIMS + k - 1], found, bells[..., k])
        return found

    def log_weight(self, levels: Array) -> Array:
        """Compute the log-probability (...) of the component that :meth:`draw` picks by ``levels`` (...)."""
        xp = namespace(self.aims)
        ends = xp.cumulative_sum(self.weights, axis=-1)
        begins = ends - self.weights
        inside = levels[..., None] * ends[..., -1:]
        picked = (inside >= begins) & (inside < ends)
        logs = xp.log(xp.where(picked, self.weights, xp.ones_like(self.weights)))
        return xp.sum(xp.where(picked, logs, xp.zeros_like(logs)), axis=-1)

    def draw_points(self, levels: Array, offers: Array) -> Array:
        """Choose returns (...) in whole points of offers (...) by uniform numbers ``levels`` (...) in [0, 1)."""
        xp = namespace(levels)
        top = xp.floor(offers)
        return xp.minimum(xp.floor(self.draw(levels) * (top + 1)), top)

    def moments(self) -> tuple[Array, Array]:
        """Compute mean and standard deviation (...), from the mass of 200 cells of the interval."""
        xp = namespace(self.aims)
        edges = constant(np.arange(CELLS + 1) / CELLS, self.aims)
        middle = (edges[1:] + edges[:-1]) / 2
        bells = xp.sum(self.weights[..., AIMS:, None] * self._cells(edges), axis=-2)
        mass = bells + self.weights[..., ANY, None] / CELLS
        mean = xp.sum(mass * middle, axis=-1) + self.weights[..., EVERYTHING]
        square = xp.sum(mass * middle**2, axis=-1) + self.weights[..., EVERYTHING]
        return mean, xp.sqrt(xp.clip(square - mean**2, 0.0, 1.0))

    def _ends(self) -> tuple[Array, Array, Array]:
        """0 and 1 in units of the scale from the aims, and the scale, (..., K)."""
        scale = SCALE * self.noise
        return -self.aims / scale, (1 - self.aims) / scale, scale

    def _cells(self, edges: Array) -> Array:
        """Compute the mass of the logistic components between edges (..., L + 1) in increasing order, (..., K, L)."""
        xp = namespace(edges)
        low, high, scale = (end[..., None] for end in self._ends())
        z = edges[..., None, :] / scale + low
        soft = _softplus(z)
        width = z[..., 1:] - z[..., :-1]
        logs = z[..., 1:] - soft[..., 1:] - soft[..., :-1] + xp.log(-xp.expm1(-width))
        return xp.exp(logs - _log_mass(low, high))

    def _inverse(self, levels: Array) -> Array:
        """Invert the distribution functions of the logistic components at levels (..., K)."""
        xp = namespace(levels)
        low, high, scale = self._ends()
        tiny = constant(np.finfo(np.float32).tiny, levels)
        up, down = xp.log(xp.maximum(levels, tiny)), xp.log(xp.maximum(1 - levels, tiny))
        # log F and log(1 - F) at the point wanted, neither of which cancels however far out the aim is
        below = xp.logaddexp(down - _softplus(-low), up - _softplus(-high))
        above = xp.logaddexp(down - _softplus(low), up - _softplus(high))
        return xp.clip(self.aims + scale * (below - above), 0.0, 1.0)


def _softplus(z: Array) -> Array:
    """Compute log(1 + exp(z)); minus the logarithm of F(-z)."""
    xp = namespace(z)
    return xp.logaddexp(z, xp.zeros_like(z))


def _log_mass(low: Array, high: Array) -> Array:
    """Compute log(F(high) - F(low)) for low < high, without cancellation."""
    xp = namespace(low)
    return high - _softplus(high) - _softplus(low) + xp.log(-xp.expm1(low - high))
