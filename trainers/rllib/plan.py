"""Training plans of modules: the two timescales, in rate and in frequency."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True)
class StdSchedule:
    """A standard deviation that shrinks geometrically from ``start`` to ``end`` over ``iterations``."""

    start: float
    end: float
    iterations: int

    def at(self, iteration: int) -> float:
        """Compute the standard deviation after ``iteration`` iterations."""
        progress = min(1.0, iteration / self.iterations)
        return float(self.start * (self.end / self.start) ** progress)


@dataclass(frozen=True)
class ModulePlan:
    """The training plan of a module.

    Attributes:
        gamma: discount a turn of the agent's own.
        lambda_: of GAE.
        raw_advantages: whether advantages stay in units of reward rather than being standardised.
        epochs: passes over an iteration's data.
        minibatch_size: rows a gradient step.
        warmup: iterations at the start in which the module is not trained.
        update_every: it is trained in every that many iterations after these.
        inverse_temperature: of bounded rationality: the loss gains KL(pi || pi_0) divided by it. 0 is not trained at
            all; infinity, or a module without prior (None), has no KL.
        std: schedule of the standard deviation of exploration; None if the module has none, or learns it.
    """

    gamma: float = 0.0
    lambda_: float = 1.0
    raw_advantages: bool = False
    epochs: int = 1
    minibatch_size: int = 1000
    warmup: int = 0
    update_every: int = 1
    inverse_temperature: float | None = None
    std: StdSchedule | None = None

    def due(self, iteration: int) -> bool:
        """Check whether the module is trained in an iteration, counted from 1."""
        if self.inverse_temperature == 0 or iteration <= self.warmup:
            return False
        return (iteration - self.warmup) % self.update_every == 0

    @property
    def kl_weight(self) -> float:
        """Weight of KL(pi || pi_0) in the loss."""
        temperature = self.inverse_temperature
        return 0.0 if temperature is None or temperature == inf else 1 / temperature
