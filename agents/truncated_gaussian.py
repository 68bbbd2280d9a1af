"""Gaussians truncated to the unit interval: densities, divergences, draws and moments, on torch.

With m and s the parameters, alpha = -m / s, beta = (1 - m) / s, and phi, Phi the standard normal density and
distribution function, the density on [0, 1] is phi((x - m) / s) / (s Z), Z = Phi(beta) - Phi(alpha). Its mode is m;
mean and variance differ from m and s^2 by what is cut off (Johnson, Kotz and Balakrishnan 1994, Continuous Univariate
Distributions, section 13.10.1). The divergence from the uniform distribution is minus the differential entropy,

    KL(pi || uniform) = -log(s Z sqrt(2 pi e)) - (alpha phi(alpha) - beta phi(beta)) / (2 Z) >= 0,

which falls to 0 as s grows. The interval is part of the distribution: nothing is clipped, and no mass lies at an edge.
Here m lies inside, so that no more than a half of the Gaussian is cut off on either side, and nothing cancels.

    >>> wide = TruncatedGaussian(torch.tensor([0.5]), torch.tensor([3.0]))
    >>> f"{float(wide.divergence()):.6f}"
    '0.000000'

Everything is computed in double precision, and returned in the parameters' own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch.special import ndtr, ndtri

HALF_LOG_TAU = 0.5 * math.log(2 * math.pi)
RAREST = 2.0**-25
"""Least probability on either side of a draw: the inverse of 0 would be an edge of the interval, however unlikely."""


@dataclass(frozen=True)
class TruncatedGaussian:
    """Independent components on [0, 1], with parameters (..., k).

    Attributes:
        location: m, in [0, 1].
        log_scale: log s.
    """

    location: torch.Tensor
    log_scale: torch.Tensor

    @cached_property
    def _ends(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """alpha, beta and s in double precision, (..., k)."""
        location, scale = self.location.double(), self.log_scale.double().exp()
        return -location / scale, (1 - location) / scale, scale

    @cached_property
    def _mass(self) -> torch.Tensor:
        """Z, (..., k)."""
        low, high, _ = self._ends
        mass: torch.Tensor = ndtr(high) - ndtr(low)
        return mass

    def log_density(self, points: torch.Tensor) -> torch.Tensor:
        """Compute the log-density at points (..., k) of the unit cube, (...)."""
        low, _, scale = self._ends
        z = low + points.double() / scale
        logs = -0.5 * z**2 - HALF_LOG_TAU - (scale * self._mass).log()
        return logs.sum(-1).to(points.dtype)

    @cached_property
    def _edges(self) -> tuple[torch.Tensor, torch.Tensor]:
        """phi(alpha) / Z and phi(beta) / Z, (..., k)."""
        low, high, _ = self._ends
        at_low, at_high = (-0.5 * low**2 - HALF_LOG_TAU).exp(), (-0.5 * high**2 - HALF_LOG_TAU).exp()
        return at_low / self._mass, at_high / self._mass

    def divergence(self) -> torch.Tensor:
        """Compute KL(pi || uniform) in nats, (...)."""
        low, high, scale = self._ends
        at_low, at_high = self._edges
        entropy = 0.5 + HALF_LOG_TAU + (scale * self._mass).log() + (low * at_low - high * at_high) / 2
        return -entropy.sum(-1).to(self.location.dtype)

    def divergence_from(self, other: TruncatedGaussian) -> torch.Tensor:
        """Compute KL(pi || other) in nats, (...); the log-density of the other is quadratic, so two moments suffice."""
        mean, std = (moment.double() for moment in self.moments())
        scale = other._ends[2]
        expected = -((mean - other.location) ** 2 + std**2) / (2 * scale**2) - HALF_LOG_TAU
        crossed = (expected - (scale * other._mass).log()).sum(-1)
        return self.divergence() - crossed.to(self.location.dtype)

    def draw(self, levels: torch.Tensor) -> torch.Tensor:
        """Invert the distribution function at levels (..., k) in [0, 1); return points (..., k)."""
        low, _, scale = self._ends
        z: torch.Tensor = ndtri(ndtr(low) + levels.double().clamp(RAREST, 1 - RAREST) * self._mass)
        return ((z - low) * scale).clamp(0.0, 1.0).to(levels.dtype)

    def moments(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute mean and standard deviation of each component, both (..., k)."""
        low, high, scale = self._ends
        at_low, at_high = self._edges
        shift = at_low - at_high
        mean = (shift - low) * scale
        variance = (1 + low * at_low - high * at_high - shift**2) * scale**2
        dtype = self.location.dtype
        return mean.clamp(0.0, 1.0).to(dtype), variance.clamp(min=0.0).sqrt().to(dtype)
