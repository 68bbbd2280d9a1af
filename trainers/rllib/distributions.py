"""Distributions over a Box: of a mechanism that explores, and of participants of bounded rationality.

A mechanism explores by a Gaussian in exploration space, sampled in antithetic pairs; participants choose by a Gaussian
that is truncated to their Box.
"""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar

import torch
from ray.rllib.core.distribution.torch.torch_distribution import TorchDeterministic, TorchDistribution

from lawgiver.agents.truncated_gaussian import TruncatedGaussian

LARGEST_LOGARITHM = 20.0
"""Upper bound of the logarithm of a log-scaled component, before the exponential overflows."""


class Explored(TorchDistribution):  # type: ignore[misc]
    """Independent Gaussians over a Box action, log-normal where a component is log-scaled.

    Its parameters are means and log standard deviations in exploration space, (..., 2 k). A sample *is* the action:
    nothing rescales it, and only the rules clip it. Entropy and KL are those of the Gaussian in exploration space,
    so that an entropy bonus widens the distribution without pushing log-scaled components up.
    """

    logarithmic: ClassVar[tuple[bool, ...]] = ()

    def __init__(self, logits: torch.Tensor) -> None:
        self.mean, self.log_std = logits.chunk(2, dim=-1)
        self.scaled: torch.Tensor = torch.tensor(self.logarithmic, device=logits.device)
        super().__init__()

    def _get_torch_distribution(self) -> torch.distributions.Normal:
        return torch.distributions.Normal(self.mean, self.log_std.exp(), validate_args=False)

    def _to_action(self, explored: torch.Tensor) -> torch.Tensor:
        return torch.where(self.scaled, explored.clamp(max=LARGEST_LOGARITHM).exp(), explored)

    def sample(self, *, sample_shape: Any = None) -> torch.Tensor:
        """Draw one action for each row; the second half of the rows mirrors the first."""
        rows = self.mean.shape[0]
        half = torch.randn((rows + 1) // 2, *self.mean.shape[1:], device=self.mean.device)
        noise = torch.cat([half, -half])[:rows]
        return self._to_action(self.mean + self.log_std.exp() * noise)

    def rsample(self, *, sample_shape: Any = None) -> torch.Tensor:
        """Draw as :meth:`sample` does; the result carries gradients."""
        return self.sample(sample_shape=sample_shape)

    def logp(self, value: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        """Return the log-density of actions (..., k), the Jacobian of the logarithm included."""
        logarithm = value.clamp(min=torch.finfo(value.dtype).tiny).log()
        explored = torch.where(self.scaled, logarithm, value)
        density: torch.Tensor = self._dist.log_prob(explored) - torch.where(self.scaled, logarithm, 0.0)
        return density.sum(-1)

    def entropy(self) -> torch.Tensor:
        """Return the entropy in exploration space, (...)."""
        entropy: torch.Tensor = self._dist.entropy().sum(-1)
        return entropy

    def kl(self, other: Any) -> torch.Tensor:
        """Return KL(self || other), (...)."""
        divergence: torch.Tensor = torch.distributions.kl_divergence(self._dist, other._dist).sum(-1)
        return divergence

    def to_deterministic(self) -> TorchDeterministic:
        """Return the action at the mean in exploration space (the median, where log-scaled)."""
        return TorchDeterministic(loc=self._to_action(self.mean))

    @staticmethod
    def required_input_dim(space: Any, **kwargs: Any) -> int:
        """Return the number of parameters for a Box."""
        return 2 * int(space.shape[0])


@cache
def explored(logarithmic: tuple[bool, ...]) -> type[Explored]:
    """Make the class of distributions with these log-scaled components."""
    return type("Explored", (Explored,), {"logarithmic": logarithmic})


class Truncated(TorchDistribution):  # type: ignore[misc]
    """Independent Gaussians over a Box action, truncated to it.

    Its parameters are locations and logarithms of scales in units of the Box, (..., 2 k). Samples are actions inside
    the Box: no runner clips them. Densities and entropy are relative to the uniform distribution over the Box.
    """

    low: ClassVar[tuple[float, ...]] = ()
    width: ClassVar[tuple[float, ...]] = ()

    def __init__(self, logits: torch.Tensor) -> None:
        self.gaussian = TruncatedGaussian(*logits.chunk(2, dim=-1))
        self._low, self._width = (torch.tensor(x, device=logits.device) for x in (self.low, self.width))
        super().__init__()

    def _get_torch_distribution(self) -> TruncatedGaussian:
        return self.gaussian

    def _to_action(self, share: torch.Tensor) -> torch.Tensor:
        return torch.clamp(self._low + share * self._width, self._low, self._low + self._width)

    def sample(self, *, sample_shape: Any = None) -> torch.Tensor:
        """Draw one action for each row."""
        return self._to_action(self.gaussian.draw(torch.rand_like(self.gaussian.location)))

    def rsample(self, *, sample_shape: Any = None) -> torch.Tensor:
        """Draw as :meth:`sample` does; the result carries gradients."""
        return self.sample(sample_shape=sample_shape)

    def logp(self, value: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        """Compute the log-density of actions (..., k), (...)."""
        return self.gaussian.log_density((value - self._low) / self._width)

    def entropy(self) -> torch.Tensor:
        """Compute the entropy, 0 at the uniform distribution and negative elsewhere, (...)."""
        return -self.gaussian.divergence()

    def kl(self, other: Any) -> torch.Tensor:
        """Compute KL(self || other), (...)."""
        return self.gaussian.divergence_from(other.gaussian)

    def to_deterministic(self) -> TorchDeterministic:
        """Return the most likely action."""
        return TorchDeterministic(loc=self._to_action(self.gaussian.location))

    @staticmethod
    def required_input_dim(space: Any, **kwargs: Any) -> int:
        """Return the number of parameters for a Box."""
        return 2 * int(space.shape[0])


@cache
def truncated(low: tuple[float, ...], width: tuple[float, ...]) -> type[Truncated]:
    """Make the class of distributions over the Box from ``low`` to ``low + width``."""
    return type("Truncated", (Truncated,), {"low": low, "width": width})
